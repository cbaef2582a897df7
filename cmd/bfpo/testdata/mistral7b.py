"""mistral7b.py DIR [--pairs N] writes a model of the shape of Mistral-7B with random weights (bfloat16, 14.5 GB), and N
pairs of the maximum length, for timing.

    python3 cmd/bfpo/testdata/mistral7b.py /dev/shm/m7
    bfpo bench -platform=cuda -model=/dev/shm/m7 -pairs=/dev/shm/m7/pairs.jsonl -batch=4 -set=torch_dtype=bfloat16
    python3 cmd/bfpo/testdata/peer_cuda.py /dev/shm/m7 /dev/shm/m7/pairs.jsonl 4

A pair is a prompt and two responses of 512 tokens each, the limits of the recipe; it fills a row of 1536 tokens. Needs
only numpy. The weights repeat a block of 2^24 random numbers from changing offsets, so that the file is written as fast
as memory allows.
"""
import argparse, json
from pathlib import Path

import numpy as np

ap = argparse.ArgumentParser()
ap.add_argument("dir", type=Path)
ap.add_argument("--pairs", type=int, default=4)
A = ap.parse_args()
CFG = dict(architectures=["MistralForCausalLM"], model_type="mistral", hidden_act="silu", torch_dtype="bfloat16",
           vocab_size=32000, hidden_size=4096, intermediate_size=14336, num_hidden_layers=32, num_attention_heads=32,
           num_key_value_heads=8, max_position_embeddings=32768, sliding_window=4096, rope_theta=10000.0,
           rms_norm_eps=1e-5, initializer_range=0.02, tie_word_embeddings=False, bos_token_id=1, eos_token_id=2)
D, F, V, KV = 4096, 14336, 32000, 1024


def tensors():
    yield "model.embed_tokens.weight", (V, D)
    for i in range(CFG["num_hidden_layers"]):
        p = f"model.layers.{i}."
        yield p + "input_layernorm.weight", (D,)
        yield p + "post_attention_layernorm.weight", (D,)
        for name, rows in dict(q=D, k=KV, v=KV, o=D).items():
            yield f"{p}self_attn.{name}_proj.weight", (rows, D)
        yield p + "mlp.gate_proj.weight", (F, D)
        yield p + "mlp.up_proj.weight", (F, D)
        yield p + "mlp.down_proj.weight", (D, F)
    yield "model.norm.weight", (D,)
    yield "lm_head.weight", (V, D)


def bfloat16(x):
    return (x.astype(np.float32).view(np.uint32) + 0x8000 >> 16).astype(np.uint16)


rng = np.random.default_rng(0)
block = bfloat16(rng.standard_normal(1 << 24, np.float32) * np.float32(0.02))
A.dir.mkdir(parents=True, exist_ok=True)
(A.dir / "config.json").write_text(json.dumps(CFG, indent=1) + "\n")
head, at = {}, 0
for name, shape in tensors():
    size = 2 * int(np.prod(shape))
    head[name] = dict(dtype="BF16", shape=list(shape), data_offsets=[at, at + size])
    at += size
raw = json.dumps(head).encode()
raw += b" " * (-len(raw) % 8)
with open(A.dir / "model.safetensors", "wb") as out:
    out.write(len(raw).to_bytes(8, "little") + raw)
    for name, shape in tensors():
        left = int(np.prod(shape))
        if len(shape) == 1:
            out.write(np.full(left, 0x3F80, np.uint16))   # one
            continue
        while left:
            start = int(rng.integers(0, len(block) >> 1))
            part = block[start:start + left]
            out.write(part)
            left -= len(part)
with open(A.dir / "pairs.jsonl", "w") as out:
    ids = lambda n: rng.integers(3, V, n).tolist()
    for i in range(A.pairs):
        out.write(json.dumps(dict(prompt_ids=[1] + ids(511), chosen_ids=ids(511) + [2], rejected_ids=ids(511) + [2],
                                  is_chosen_safe=i % 4 < 3, is_rejected_safe=i % 2 == 0)) + "\n")
