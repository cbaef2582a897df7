"""Write splits.json: the words into which each layout of peer_vocabularies.py splits short texts.

    python record_splits.py > splits.json

Recorded with tokenizers 0.23.3. The texts are written for this purpose.
"""

import json
import sys

from peer_vocabularies import LAYOUTS
from tokenizers import Tokenizer
from tokenizers.models import BPE

TEXTS = [
    "Hello world, I'll say it'ſ WE'RE 1234567 times!",
    "  two  blanks\n\n\tand tabs \r\n end ",
    "def f(x):\n    return x**2 # комментарий\n",
    "漢字かなカナ, 한글 混ぜる English123 ①②",
    "مرحبا 3.14 नमस्ते ภาษาไทย",
    "e\u0301 caf\u00e9 \u0958 \ufb01 \u0301\u0316x",
    "\U0001f468\u200d\U0001f469\u200d\U0001f467 \U0001f44d\U0001f3fd... ?!",
    "\x00\x1f\x85\u00a0\u2028\u3000x\u200b",
    "CamelCaseWord snake_case/path\\to <tag attr='v'/>",
    "12 345 6789 0xFF \u00bd \u00b2 \u0661\u0662\u0663",
]


def main():
    out = {"texts": TEXTS, "layouts": {}}
    for name, (normalizer, pre_tokenizer) in LAYOUTS.items():
        file = json.loads(Tokenizer(BPE()).to_str())
        file.update(normalizer=normalizer, pre_tokenizer=pre_tokenizer)
        tokenizer = Tokenizer.from_str(json.dumps(file))
        words = []
        for text in TEXTS:
            if tokenizer.normalizer is not None:
                text = tokenizer.normalizer.normalize_str(text)
            words.append([word for word, _ in tokenizer.pre_tokenizer.pre_tokenize_str(text)])
        out["layouts"][name] = {"normalizer": normalizer, "pre_tokenizer": pre_tokenizer, "words": words}
    json.dump(out, sys.stdout, ensure_ascii=True, indent=0)


if __name__ == "__main__":
    main()
