"""peer_generate.py MODEL_FOLDER [--bfpo PROGRAM] [--rounds N] [--tokens N]

Times greedy generation by `bfpo generate` beside transformers' (torch, float32, cache of keys and values), on the same cores and in turn:
tokens per second of a batch of 8 prompts and of one chat at a time, and what a token of a chat would take if it only read the weights once, at the
speed at which this machine reads memory. That is measured before each chat: it changes within seconds on a shared machine. bfpo computes a draft
of what follows with each token of one or two rows: so it is also timed on a prompt whose answer repeats itself. It is run by hand, not in CI; it
was run with Python 3.12, transformers 5.23.0 and torch 2.15.0 on SmolLM2-135M-Instruct as a float32 Hugging Face folder.

Loading, compiling and reading the prompts are left out: each figure is of the tokens by which a long answer is longer than a short one,
over the seconds by which it takes longer. Answers must be as long as asked for; both programs must say the same first tokens. It prints a
JSON object a round and one of the medians and ratios.
"""
import argparse, json, statistics, subprocess, time

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

SHORT = 16
CHATS = ["Explain how a bicycle stays upright.", "Write a short story about a fox.", "How does a vaccine work?", "What should I do when I feel sad?"]
PROMPTS = [f"Count upwards in words and never stop, beginning with {word}:" for word in
           ("one", "two", "three", "ten", "twenty", "forty", "sixty", "ninety")]


def bandwidth(size=1 << 30):
    """Bytes per second at which all cores read memory, the best of five."""
    x, best = torch.ones(size // 4), float("inf")
    for _ in range(6):
        began = time.perf_counter()
        x.sum()
        best = min(best, time.perf_counter() - began)
    return size / best


def rate(run, prompts, tokens, before=lambda: None):
    """Tokens per second of run(batch, n) for each batch of prompts, which answers each prompt with n tokens and returns their ids and its seconds."""
    more, seconds, answers = 0, 0, []
    for batch in prompts:
        before()
        short, long = run(batch, SHORT), run(batch, tokens)
        assert sum(map(len, long[0])) - sum(map(len, short[0])) == (tokens - SHORT) * len(batch), "an answer has ended early"
        more, seconds, answers = more + (tokens - SHORT) * len(batch), seconds + long[1] - short[1], answers + long[0]
    return more / seconds, answers


def bfpo(program, model):
    def run(prompts, tokens):
        lines = "".join(json.dumps({"messages": [{"role": "user", "content": p}]} if p in CHATS else {"prompt": p}) + "\n" for p in prompts)
        began = time.perf_counter()
        out = subprocess.run([program, "generate", "-platform=cpu", f"-model={model}", "-set=torch_dtype=float32", f"-max-tokens={tokens}"],
                             input=lines, capture_output=True, text=True, check=True).stdout
        return [json.loads(line)["ids"] for line in out.splitlines()], time.perf_counter() - began
    return run


def transformers(model):
    tokenizer = AutoTokenizer.from_pretrained(model)
    tokenizer.pad_token, tokenizer.padding_side = tokenizer.eos_token, "left"
    network = AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32).eval()

    @torch.inference_mode()
    def run(prompts, tokens):
        prompts = [tokenizer.apply_chat_template([{"role": "user", "content": p}], tokenize=False, add_generation_prompt=True) if p in CHATS else p
                   for p in prompts]
        batch = tokenizer(prompts, return_tensors="pt", padding=True, add_special_tokens=True)
        began = time.perf_counter()
        out = network.generate(**batch, max_new_tokens=tokens, do_sample=False, pad_token_id=tokenizer.pad_token_id)
        seconds = time.perf_counter() - began
        return out[:, batch["input_ids"].shape[1]:].tolist(), seconds
    return run, 4 * sum(p.numel() for p in network.parameters())


def main():
    a = argparse.ArgumentParser()
    a.add_argument("model")
    a.add_argument("--bfpo", default="./bfpo")
    a.add_argument("--rounds", type=int, default=3)
    a.add_argument("--tokens", type=int, default=112)
    a = a.parse_args()
    ours = bfpo(a.bfpo, a.model)
    theirs, size = transformers(a.model)
    rounds = []
    for prompts in (PROMPTS, PROMPTS[:1]):  # both programs compile or warm up
        ours(prompts, 2), theirs(prompts, 2)
    for _ in range(a.rounds):
        row, reads = {}, []
        for n, prompts in (8, [PROMPTS]), (1, [[c] for c in CHATS]):
            row[f"bfpo_{n}"], mine = rate(ours, prompts, a.tokens, (lambda: reads.append(bandwidth())) if n == 1 else (lambda: None))
            row[f"transformers_{n}"], other = rate(theirs, prompts, a.tokens)
            assert n > 1 or [m[:8] for m in mine] == [o[:8] for o in other], "the answers differ"
            row[f"ratio_{n}"] = row[f"bfpo_{n}"] / row[f"transformers_{n}"]
        row["bfpo_repeating"], _ = rate(ours, [PROMPTS[:1]], a.tokens)
        row["read_GB_per_s"] = statistics.harmonic_mean(reads) / 1e9
        row["of_reading_weights_once"] = row["bfpo_1"] * size / (row["read_GB_per_s"] * 1e9)
        rounds.append(row)
        print(json.dumps({k: round(v, 3) for k, v in row.items()}), flush=True)
    print(json.dumps({k: round(statistics.median(r[k] for r in rounds), 3) for k in rounds[0]} | {"rounds": a.rounds, "weights_MB": size // 10**6}))


main()
