"""peer_generate.py MODEL_FOLDER [--bfpo PROGRAM] [--rounds N] [--tokens N]

Compares the speed of greedy generation by `bfpo generate` and by transformers (torch, float32, KV cache), in
turn on the same cores. It measures tokens per second for a batch of 8 prompts and for one chat at a time, and
compares the latter with the speed at which this machine could read the weights once per token. The reading
speed is measured before each chat, because on a shared machine it changes within seconds. bfpo computes
drafts when it has one or two rows, so it is also timed on a prompt whose answer repeats itself. The program
is run by hand, not in CI. It was run with Python 3.12, transformers 5.23.0 and torch 2.15.0 on
SmolLM2-135M-Instruct as a float32 Hugging Face folder.

Loading, compiling and prefill are not counted: each figure is the difference in tokens between a long and a
short answer, over the difference in time. The answers must have the requested length, and both programs must
generate the same first tokens. The output is one JSON object per round and one with the medians and ratios.
"""
import argparse, json, statistics, subprocess, time

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

SHORT = 16
CHATS = ["Explain how a bicycle stays upright.", "Write a short story about a fox.", "How does a vaccine work?",
         "What should I do when I feel sad?"]
PROMPTS = [f"Count upwards in words and never stop, beginning with {word}:" for word in
           ("one", "two", "three", "ten", "twenty", "forty", "sixty", "ninety")]


def bandwidth(size=1 << 30):
    """Returns the speed at which all cores read memory, in bytes per second: the best of six runs."""
    x, best = torch.ones(size // 4), float("inf")
    for _ in range(6):
        began = time.perf_counter()
        x.sum()
        best = min(best, time.perf_counter() - began)
    return size / best


def rate(run, prompts, tokens, before=lambda: None):
    """Returns tokens per second over all batches of prompts, and the answers. run(batch, n) answers each prompt of
    a batch with n tokens and returns their ids and the time in seconds. before() is called before each batch."""
    more, seconds, answers = 0, 0, []
    for batch in prompts:
        before()
        short, long = run(batch, SHORT), run(batch, tokens)
        difference = (tokens - SHORT) * len(batch)
        assert sum(map(len, long[0])) - sum(map(len, short[0])) == difference, "an answer ended early"
        more, seconds, answers = more + difference, seconds + long[1] - short[1], answers + long[0]
    return more / seconds, answers


def messages(prompt):
    return [{"role": "user", "content": prompt}]


def bfpo(program, model):
    def run(prompts, tokens):
        rows = [{"messages": messages(p)} if p in CHATS else {"prompt": p} for p in prompts]
        lines = "".join(json.dumps(row) + "\n" for row in rows)
        began = time.perf_counter()
        command = [program, "generate", "-platform=cpu", f"-model={model}", "-set=torch_dtype=float32",
                   f"-max-tokens={tokens}"]
        out = subprocess.run(command, input=lines, capture_output=True, text=True, check=True).stdout
        return [json.loads(line)["ids"] for line in out.splitlines()], time.perf_counter() - began
    return run


def transformers(model):
    tokenizer = AutoTokenizer.from_pretrained(model)
    tokenizer.pad_token, tokenizer.padding_side = tokenizer.eos_token, "left"
    network = AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32).eval()

    @torch.inference_mode()
    def run(prompts, tokens):
        prompts = [tokenizer.apply_chat_template(messages(p), tokenize=False, add_generation_prompt=True)
                   if p in CHATS else p for p in prompts]
        batch = tokenizer(prompts, return_tensors="pt", padding=True, add_special_tokens=True)
        began = time.perf_counter()
        out = network.generate(**batch, max_new_tokens=tokens, do_sample=False,
                               pad_token_id=tokenizer.pad_token_id)
        seconds = time.perf_counter() - began
        return out[:, batch["input_ids"].shape[1]:].tolist(), seconds
    return run, 4 * sum(p.numel() for p in network.parameters())


def main():
    a = argparse.ArgumentParser()
    a.add_argument("model")
    a.add_argument("--bfpo", default="./bfpo-bin")
    a.add_argument("--rounds", type=int, default=3)
    a.add_argument("--tokens", type=int, default=112)
    a = a.parse_args()
    ours = bfpo(a.bfpo, a.model)
    theirs, size = transformers(a.model)
    rounds = []
    for prompts in (PROMPTS, PROMPTS[:1]):  # to compile and warm up
        ours(prompts, 2), theirs(prompts, 2)
    for _ in range(a.rounds):
        row, reads = {}, []
        for n, prompts in (8, [PROMPTS]), (1, [[c] for c in CHATS]):
            before = (lambda: reads.append(bandwidth())) if n == 1 else (lambda: None)
            row[f"bfpo_{n}"], mine = rate(ours, prompts, a.tokens, before)
            row[f"transformers_{n}"], other = rate(theirs, prompts, a.tokens)
            assert n > 1 or [m[:8] for m in mine] == [o[:8] for o in other], "the answers differ"
            row[f"ratio_{n}"] = row[f"bfpo_{n}"] / row[f"transformers_{n}"]
        row["bfpo_repeating"], _ = rate(ours, [PROMPTS[:1]], a.tokens)
        row["read_GB_per_s"] = statistics.harmonic_mean(reads) / 1e9
        row["of_reading_weights_once"] = row["bfpo_1"] * size / (row["read_GB_per_s"] * 1e9)
        rounds.append(row)
        print(json.dumps({k: round(v, 3) for k, v in row.items()}), flush=True)
    medians = {k: round(statistics.median(r[k] for r in rounds), 3) for k in rounds[0]}
    print(json.dumps(medians | {"rounds": a.rounds, "weights_MB": size // 10**6}))


main()
