"""Encode DIR/texts.json with DIR/tokenizer.json in Hugging Face's tokenizers.

Print times and a hash of the ids as JSON.
"""

import array
import hashlib
import json
import sys
import time

from tokenizers import Tokenizer

folder = sys.argv[1]
with open(folder + "/texts.json", encoding="utf-8") as f:
    texts = json.load(f)

seconds = {}
for name in ("encode_batch_fast", "encode_batch"):
    tokenizer = Tokenizer.from_file(folder + "/tokenizer.json")  # loaded again, so that its word cache is empty
    start = time.perf_counter()
    rows = getattr(tokenizer, name)(texts, add_special_tokens=False)
    seconds[name] = time.perf_counter() - start

digest = hashlib.sha256()
for row in rows:
    digest.update(array.array("i", row.ids + [-1]).tobytes())
print(json.dumps({
    "Seconds": seconds["encode_batch"],
    "FastSeconds": seconds["encode_batch_fast"],
    "Tokens": sum(len(row) for row in rows),
    "SHA256": digest.hexdigest(),
}))
