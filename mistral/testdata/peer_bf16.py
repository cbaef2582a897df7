"""peer_bf16.py MODEL_FOLDER PAIRS.json OUT.json

Measures how far torch's bfloat16 forward pass is from its float32 one, and writes the figures to OUT.json for
the test TestPeerBFloat16, which measures the same for this project. It is run by hand, not in CI. It was run
with Python 3.11, transformers 5.23.0 and torch 2.15.0 on SmolLM2-135M-Instruct, exported by this project in
bfloat16, and on pku_pair_logps.json of the recorded evaluations, which has 16 pairs in the tokens of that
model.

The log-probability of a response is the sum of float32 log-softmax values of its logits. It is computed from
logits that transformers rounds to bfloat16, and from logits that are computed in float32 from the bfloat16
hidden states, as in this project. Both passes have the same bfloat16 weights. For each way of computing, the
program prints the mean and the largest |log p (bfloat16) - log p (float32)| of a response in nats, and the
mean of a token.
"""
import argparse, json

import torch
from transformers import AutoModelForCausalLM


def rows(path):
    for doc in json.load(open(path))["docs"]:
        for kind in ("chosen", "rejected"):
            ids, n = doc[kind + "_ids"], doc[kind + "_n_prompt"]
            yield {"prompt_ids": ids[:n], "response_ids": ids[n:]}


@torch.no_grad()
def log_probs(model, data):
    """Returns the log-probabilities of each response's tokens, with logits in the model's dtype and in float32."""
    own, exact = [], []
    for r in data:
        ids = torch.tensor([r["prompt_ids"] + r["response_ids"]])
        hidden = model.model(input_ids=ids).last_hidden_state[0, len(r["prompt_ids"]) - 1 : -1]
        float32_logits = hidden.float() @ model.lm_head.weight.float().T
        for results, logits in (own, model.lm_head(hidden).float()), (exact, float32_logits):
            logp = torch.log_softmax(logits, -1)
            results.append(logp.gather(-1, torch.tensor(r["response_ids"])[:, None]).double().flatten())
    return own, exact


def main():
    a = argparse.ArgumentParser()
    a.add_argument("model")
    a.add_argument("pairs")
    a.add_argument("out")
    a = a.parse_args()
    data = list(rows(a.pairs))
    result = {"model": a.model, "rows": data, "torch": {}}
    for attention in ("eager", "sdpa"):
        half = AutoModelForCausalLM.from_pretrained(a.model, dtype=torch.bfloat16, attn_implementation=attention).eval()
        full = AutoModelForCausalLM.from_pretrained(a.model, dtype=torch.float32, attn_implementation=attention).eval()
        full.load_state_dict({k: v.float() for k, v in half.state_dict().items()})
        want, _ = log_probs(full, data)
        for name, got in zip(("bf16 logits", "f32 logits"), log_probs(half, data)):
            errors = [x - y for x, y in zip(got, want)]
            sums = torch.stack([e.sum().abs() for e in errors])
            mean, most, token = sums.mean().item(), sums.max().item(), torch.cat(errors).abs().mean().item()
            result["torch"][f"{attention}, {name}"] = {"mean": mean, "max": most, "token": token}
            print(f"torch {attention}, {name}: mean {mean:.4f}, max {most:.4f} nat over {len(sums)} responses; "
                  f"{token:.5f} per token", flush=True)
        result["float32"] = [x.sum().item() for x in want]
    json.dump(result, open(a.out, "w"))


main()
