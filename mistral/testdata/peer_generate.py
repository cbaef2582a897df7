"""peer_generate.py MODEL_FOLDER [--bfpo PROGRAM] [--rounds N] [--tokens N]

Times greedy generation by `bfpo generate` beside transformers' (torch, float32, cache of keys and values), on the same cores and in turn:
tokens per second of a batch of 8 prompts and of one, and what a token of one prompt would take if it only read the weights once, at the
speed at which this machine reads memory, which is measured too. It is run by hand, not in CI; it was run with Python 3.12, transformers
5.23.0 and torch 2.15.0 on SmolLM2-135M-Instruct as a float32 Hugging Face folder.

Loading, compiling and reading the prompts are left out: each figure is of the tokens by which a long answer is longer than a short one,
over the seconds by which it takes longer. Answers must be as long as asked for; both programs must say the same first tokens. It prints a
JSON object a round and one of the medians and ratios.
"""
import argparse, json, statistics, subprocess, time

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

SHORT = 16
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


def rate(run, prompts, tokens):
    """Tokens per second of run(prompts, n), which answers each prompt with n tokens and returns their ids and its seconds."""
    short, long = run(prompts, SHORT), run(prompts, tokens)
    more = sum(map(len, long[0])) - sum(map(len, short[0]))
    assert more == (tokens - SHORT) * len(prompts), "an answer has ended early"
    return more / (long[1] - short[1]), long[0]


def bfpo(program, model):
    def run(prompts, tokens):
        lines = "".join(json.dumps({"prompt": p}) + "\n" for p in prompts)
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
        row = {"read_GB_per_s": bandwidth() / 1e9}
        for n in (8, 1):
            row[f"bfpo_{n}"], mine = rate(ours, PROMPTS[:n], a.tokens)
            row[f"transformers_{n}"], other = rate(theirs, PROMPTS[:n], a.tokens)
            assert n > 1 or mine[0][:8] == other[0][:8], "the answers differ"
            row[f"ratio_{n}"] = row[f"bfpo_{n}"] / row[f"transformers_{n}"]
        row["of_reading_weights_once"] = row["bfpo_1"] * size / (row["read_GB_per_s"] * 1e9)
        rounds.append(row)
        print(json.dumps({k: round(v, 3) for k, v in row.items()}), flush=True)
    print(json.dumps({k: round(statistics.median(r[k] for r in rounds), 3) for k in rounds[0]} | {"rounds": a.rounds, "weights_MB": size // 10**6}))


main()
