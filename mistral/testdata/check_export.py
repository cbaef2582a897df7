"""check_export.py FOLDER [--gguf FILE.gguf | --source FOLDER] [--dtype float32|bfloat16]
                       [--no-template] [--logits FILE.safetensors] [--write-ids FILE]

Checks an exported model with the libraries that its users have. It is run by hand, not in CI. It was run with
Python 3.11, transformers 5.23.0, torch 2.15.0, safetensors 0.8.0, gguf 0.19.0 and accelerate, and without
--gguf with transformers 4.49.0.

  1. Every tensor has the name, shape and dtype that the config asks for, and the header has the metadata, as
     read by safetensors.
  2. AutoModelForCausalLM and AutoTokenizer open the folder without missing or unexpected keys, in the dtype
     of the config.
  3. With --gguf or --source, every weight equals the source's (as dequantised by transformers), rounded to
     the dtype of the export. Tensors whose name contains the SUBSTRING of a --trained=SUBSTRING may differ,
     and at least one of them must.
  4. Config, generation config, tokenizer and chat template are there, apply_chat_template works with and
     without a generation prompt (--no-template: the model has no template), and decoding is the inverse of
     encoding.
  5. With --logits, the logits of transformers differ by at most 1e-4 from the file's, with eager and with
     default attention. The file has input_ids [B, S] (I32 or I64), logits [B, S, V] (F32) and optionally
     attention_mask, computed by this project from the same folder.

--write-ids FILE makes no checks. It writes four texts of 80 tokens each for the test TestDumpLogits, which
writes the file for --logits.

The program prints one line per check and exits with code 1 at the first check that fails.
"""
import argparse, json, sys
from pathlib import Path

import torch
import transformers
from safetensors import safe_open
from safetensors.torch import load_file
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer, GenerationConfig


def check(ok, text):
    print("ok  " if ok else "FAIL", text, flush=True)
    if not ok:
        sys.exit(1)


def expected(config):
    """Returns the shapes of all tensors of a Llama or Mistral network by name."""
    d, f, v = config.hidden_size, config.intermediate_size, config.vocab_size
    q, kv = config.num_attention_heads * config.head_dim, config.num_key_value_heads * config.head_dim
    shapes = {"model.embed_tokens.weight": [v, d], "model.norm.weight": [d]}
    for i in range(config.num_hidden_layers):
        p = f"model.layers.{i}."
        shapes |= {p + "input_layernorm.weight": [d], p + "post_attention_layernorm.weight": [d],
                   p + "self_attn.q_proj.weight": [q, d], p + "self_attn.k_proj.weight": [kv, d],
                   p + "self_attn.v_proj.weight": [kv, d], p + "self_attn.o_proj.weight": [d, q],
                   p + "mlp.gate_proj.weight": [f, d], p + "mlp.up_proj.weight": [f, d],
                   p + "mlp.down_proj.weight": [d, f]}
    if not config.tie_word_embeddings:
        shapes["lm_head.weight"] = [v, d]
    return shapes


def check_files(folder, config, dtype):
    shapes, dtypes = {}, set()
    for path in sorted(folder.glob("*.safetensors")):
        with safe_open(path, "pt") as fh:
            check(fh.metadata().get("format") == "pt", f"{path.name}: metadata {fh.metadata()}")
            for name in fh.keys():
                t = fh.get_slice(name)
                dtypes.add(t.get_dtype())
                shapes[name] = list(t.get_shape())
    check(shapes == expected(config), f"{len(shapes)} tensors with the names and shapes of the config")
    check(dtypes == {dict(float32="F32", bfloat16="BF16")[dtype]}, f"all tensors have dtype {dtypes}")
    index = folder / "model.safetensors.index.json"
    if index.exists():
        check(set(json.loads(index.read_text())["weight_map"]) == set(shapes), "the index lists every tensor")


def check_weights(model, keyword, args):
    if args.gguf:
        path = Path(args.gguf)
        source = AutoModelForCausalLM.from_pretrained(path.parent, gguf_file=path.name, **{keyword: torch.float32})
    else:
        source = AutoModelForCausalLM.from_pretrained(args.source, **{keyword: torch.float32})
    want, got = source.state_dict(), model.state_dict()
    check(set(want) == set(got), "the tensors are the source's")
    different = {name for name in want if not torch.equal(want[name].to(got[name].dtype), got[name])}
    trained = {name for name in want if any(s in name for s in args.trained)}
    check(different <= trained, 
          f"{len(want) - len(different)} tensors equal the source bit for bit {sorted(different - trained)[:3]}")
    if args.trained:
        check(different, f"{len(different)} of {len(trained)} trained tensors differ")


def check_text(folder, config, template):
    tokenizer = AutoTokenizer.from_pretrained(folder)
    generation = GenerationConfig.from_pretrained(folder)
    check(generation.eos_token_id == config.eos_token_id or config.eos_token_id in generation.eos_token_id,
          f"generation config: bos {generation.bos_token_id} eos {generation.eos_token_id} "
          f"pad {generation.pad_token_id}")
    check(len(tokenizer) <= config.vocab_size, f"tokenizer of {len(tokenizer)} entries, vocab_size {config.vocab_size}")
    check(tokenizer.eos_token_id == config.eos_token_id and tokenizer.bos_token_id == config.bos_token_id,
          f"special tokens {tokenizer.special_tokens_map}")
    for text in ["The capital of France is", "  two blanks, 1234 and\n\n5 lines\t", "Grüße, 漢字 and 🙂"]:
        ids = tokenizer(text, add_special_tokens=False).input_ids
        check(tokenizer.decode(ids, clean_up_tokenization_spaces=False) == text, f"{text!r} -> {ids} and back")
    check("token_type_ids" not in tokenizer("x"), "no token_type_ids")
    if not template:
        return tokenizer
    check((folder / "chat_template.jinja").exists(), "chat_template.jinja")
    tokenizer_config = json.loads((folder / "tokenizer_config.json").read_text())
    check(bool(tokenizer_config.get("chat_template")), "chat_template in tokenizer_config.json")
    messages = [{"role": "user", "content": "Hello"}, {"role": "assistant", "content": "Hi."}]
    full = tokenizer.apply_chat_template(messages, tokenize=False)
    prompt = tokenizer.apply_chat_template(messages[:1], tokenize=False, add_generation_prompt=True)
    check(full.startswith(prompt.rstrip("\n")) and "Hi." in full, f"chat template: {full!r}")
    return tokenizer


TEXTS = [
    "In mathematics, a prime number is a natural number greater than one "
    "that is not a product of two smaller natural numbers. ",
    "Once upon a time there was a small brown dog named Pepper, "
    "who lived in a tall white lighthouse with an old keeper. ",
    "def quicksort(items):\n    if len(items) <= 1:\n        return items\n    pivot = items[len(items) // 2]\n",
    "How can I get back at my neighbour who parks in front of my garage every day? "
    "Grüße aus Köln (tel. 0221-1234567)! ",
]


def write_ids(folder, path):
    tokenizer = AutoTokenizer.from_pretrained(folder)
    rows = [tokenizer(text * 8, add_special_tokens=False).input_ids[:80] for text in TEXTS]
    torch.tensor(rows, dtype=torch.int32).numpy().tofile(path)


def check_logits(folder, keyword, path):
    data = load_file(path)
    mask = data.get("attention_mask")
    for attention in ["eager", "sdpa"]:
        model = AutoModelForCausalLM.from_pretrained(folder, attn_implementation=attention, **{keyword: torch.float32})
        with torch.no_grad():
            logits = model(input_ids=data["input_ids"].long(),
                           attention_mask=None if mask is None else mask.long()).logits
        gap = (logits - data["logits"]).abs()
        if mask is not None:
            gap = gap[mask.bool()]
        check(gap.max().item() <= 1e-4,
              f"logits {list(logits.shape)} up to {logits.abs().max().item():.3g}, {attention} attention: "
              f"largest difference {gap.max().item():.3g} (allowed 1e-4)")


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("folder", type=Path)
    ap.add_argument("--gguf")
    ap.add_argument("--source")
    ap.add_argument("--trained", action="append", default=[])
    ap.add_argument("--dtype", default="float32", choices=["float32", "bfloat16"])
    ap.add_argument("--no-template", action="store_true")
    ap.add_argument("--logits")
    ap.add_argument("--write-ids")
    args = ap.parse_args()
    if args.write_ids:
        return write_ids(args.folder, args.write_ids)
    print("transformers", transformers.__version__, "torch", torch.__version__)
    config = AutoConfig.from_pretrained(args.folder)
    check_files(args.folder, config, args.dtype)
    # The argument is torch_dtype in older versions.
    keyword = "dtype" if int(transformers.__version__.split(".")[0]) >= 5 else "torch_dtype"
    model, info = AutoModelForCausalLM.from_pretrained(args.folder, output_loading_info=True, **{keyword: "auto"})
    check(not info["missing_keys"] and not info["unexpected_keys"] and not info["mismatched_keys"],
          "no missing, unexpected or mismatched keys")
    check(model.dtype == getattr(torch, args.dtype), f"{type(model).__name__} opens in {model.dtype}")
    if args.gguf or args.source:
        check_weights(model, keyword, args)
    tokenizer = check_text(args.folder, config, not args.no_template)
    ids = tokenizer("The capital of France is", return_tensors="pt")
    out = model.generate(**ids, max_new_tokens=8, do_sample=False)
    check(out.shape[1] > ids.input_ids.shape[1], f"generates {tokenizer.decode(out[0])!r}")
    if args.logits:
        check_logits(args.folder, keyword, args.logits)


if __name__ == "__main__":
    main()
