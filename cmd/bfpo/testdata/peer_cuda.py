"""peer_cuda.py MODEL PAIRS BATCH [--steps N] [--checkpointing] [--compile] times the step that `bfpo bench` times, in
PyTorch on a GPU, and prints one JSON line.

The setup follows TRL: a policy and a second model as the reference; down_proj in float32 with AdamW, all other weights
frozen in bfloat16; autocast; torch's scaled dot product attention; one pair (two full rows) at a time, with gradients
accumulated over the batch. Needs torch and transformers.
"""
import argparse, copy, json, statistics, time

import torch, transformers

ap = argparse.ArgumentParser()
ap.add_argument("model")
ap.add_argument("pairs")
ap.add_argument("batch", type=int)
ap.add_argument("--steps", type=int)
ap.add_argument("--checkpointing", action="store_true")
ap.add_argument("--compile", action="store_true")
A = ap.parse_args()
BETA, B1, ALPHA, B3, PAD, IGNORE = 0.01, 3.0, 0.5, 0.5, 2, -100
began = time.perf_counter()
transformers.logging.set_verbosity_error()
policy = transformers.MistralForCausalLM.from_pretrained(
    A.model, dtype=torch.bfloat16, attn_implementation="sdpa").cuda()
reference = copy.deepcopy(policy).requires_grad_(False).eval()
policy.train()
for name, p in policy.named_parameters():
    p.requires_grad = "down_proj" in name
    if p.requires_grad:
        p.data = p.data.float()
params = [p for p in policy.parameters() if p.requires_grad]
if A.checkpointing:
    policy.gradient_checkpointing_enable(dict(use_reentrant=False))
    policy.enable_input_require_grads()
start = [p.detach().to("cpu", copy=True) for p in params]
optimizer = torch.optim.AdamW(params, lr=5e-7, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0, fused=True)


def logps(model, ids, mask, labels):
    logits = model(input_ids=ids, attention_mask=mask, use_cache=False).logits[:, :-1].float()
    y = labels[:, 1:]
    keep = y != IGNORE
    return (torch.gather(logits.log_softmax(-1), 2, y.clamp(min=0)[..., None])[..., 0] * keep).sum(-1)


of_policy, of_reference = (lambda *b: logps(policy, *b)), (lambda *b: logps(reference, *b))
if A.compile:
    of_policy, of_reference = (torch.compile(f, dynamic=False) for f in (of_policy, of_reference))


def tensors(row):
    sequences = [(row["prompt_ids"], row["chosen_ids"]), (row["prompt_ids"], row["rejected_ids"])]
    n = max(len(p) + len(a) for p, a in sequences)
    pad = lambda values, fill: values + [fill] * (n - len(values))
    return [torch.tensor(x, device="cuda") for x in (
        [pad(p + a, PAD) for p, a in sequences], [pad([1] * len(p + a), 0) for p, a in sequences],
        [pad([IGNORE] * len(p) + a, IGNORE) for p, a in sequences])]


def step(batch):
    total = 0.0
    for row, x in batch:
        with torch.autocast("cuda", dtype=torch.bfloat16):
            with torch.no_grad():
                r = of_reference(*x)
            p = of_policy(*x)
        target = (B1 * B3 * row["is_chosen_safe"] - B3 * row["is_rejected_safe"] - ALPHA) / BETA
        loss = ((p[0] - p[1]) - (r[0] - r[1]) - target) ** 2 / len(batch)
        loss.backward()
        total += loss.detach()
    torch.nn.utils.clip_grad_norm_(params, 1.0)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    return total.item()


rows = [json.loads(line) for line in open(A.pairs)]
rows = [(row, tensors(row)) for row in rows]
batches = [rows[i:i + A.batch] for i in range(0, len(rows), A.batch)]
order = [0] * (A.steps or 7) if len(batches) == 1 else range(len(batches[:A.steps]))
loaded = time.perf_counter()
for i in [0, 0] if len(batches) == 1 else order:
    step(batches[i])
warm = time.perf_counter() - loaded
with torch.no_grad():
    for p, s in zip(params, start):
        p.copy_(s)
optimizer.state.clear()
ms, losses = [], []
for i in order:
    a = time.perf_counter()
    losses.append(step(batches[i]))
    torch.cuda.synchronize()
    ms.append(1e3 * (time.perf_counter() - a))
pairs = sum(len(batches[i]) for i in order)
total = statistics.median(ms) * len(ms) if len(batches) == 1 else sum(ms)
print(json.dumps(dict(
    name="torch" + "-compile" * A.compile + "-checkpointing" * A.checkpointing,
    pairs_per_s=round(1e3 * pairs / total, 4), step_ms_median=round(statistics.median(ms), 1),
    step_ms_all=[round(x, 1) for x in ms], warmup_s=round(warm, 1), load_s=round(loaded - began, 1),
    peak_device_mb=torch.cuda.max_memory_reserved() >> 20, losses=losses[:5], timed_steps=len(ms),
    versions=dict(torch=torch.__version__, transformers=transformers.__version__,
                  device=torch.cuda.get_device_name()))))
