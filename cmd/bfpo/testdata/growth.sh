#!/usr/bin/env bash
# Measures how the cost of a training step grows with the length of rows and with the number of pairs. Prints a table in
# Markdown, with the exponents of time and memory by least squares on the logarithms.
#
#     go build -o bfpo-bin ./cmd/bfpo
#     cmd/bfpo/testdata/growth.sh MODEL [FLAGS of bfpo bench]...
#
# MODEL is a Hugging Face folder with a vocabulary of at least 1,000 tokens. The script makes the pairs of random
# tokens: a quarter of each row is the prompt that both responses share. Each figure comes from its own process: the
# median of three steps, and the peak of resident memory.
#
#     BFPO     the program (./bfpo-bin)
#     LENGTHS  of rows in tokens, at 2 pairs a step ("256 512 1024 2048")
#     PAIRS    of a step, at 256 tokens a row ("2 4 8 16")
#     CORES    for taskset -c (0,1)
set -euo pipefail
[ $# -ge 1 ] || { sed -n '2,/^set/{/^#/p}' "$0"; exit 2; }
model=$(realpath "$1") bfpo=$(realpath "${BFPO:-./bfpo-bin}")
shift
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# measure PAIRS LENGTH prints pairs, length, pairs per second and peak memory in MiB.
measure() {
  python3 - "$1" "$2" >"$work/pairs.jsonl" <<'P'
import json, random, sys

pairs, length = int(sys.argv[1]), int(sys.argv[2])
ids = lambda n: [random.randrange(3, 1000) for _ in range(n)]
random.seed(0)
for i in range(pairs):
    answers = {side: ids(length - length // 4) for side in ("chosen_ids", "rejected_ids")}
    print(json.dumps(dict(prompt_ids=ids(length // 4), **answers, is_chosen_safe=True, is_rejected_safe=i % 2 == 0)))
P
  taskset -c "${CORES:-0,1}" "$bfpo" bench -platform=cpu -pairs="$work/pairs.jsonl" -model="$model" -batch="$1" \
    -steps=3 "${flags[@]}" | tail -n 1 | python3 -c 'import json, sys
r = json.loads(sys.stdin.read())
print(*sys.argv[1:], r["pairs_per_s"], r["peak_rss_mb"])' "$1" "$2"
}
flags=("$@")
for length in ${LENGTHS-256 512 1024 2048}; do measure 2 "$length"; done | tee "$work/lengths" >&2
for pairs in ${PAIRS-2 4 8 16}; do measure "$pairs" 256; done | tee "$work/pairs" >&2

python3 - "$work/lengths" "$work/pairs" <<'P'
import math, sys

def exponent(points):
    xs, ys = [math.log(x) for x, _ in points], [math.log(y) for _, y in points]
    mx, my = sum(xs) / len(xs), sum(ys) / len(ys)
    return sum((x - mx) * (y - my) for x, y in zip(xs, ys)) / sum((x - mx) ** 2 for x in xs)

print("| pairs | tokens in a row | pairs/s | s/step | peak MiB |\n|---|---|---|---|---|")
for path, column, name in ((sys.argv[1], 1, "length"), (sys.argv[2], 0, "pairs")):
    rows = [[float(x) for x in line.split()] for line in open(path)]
    for pairs, length, rate, peak in rows:
        print(f"| {pairs:.0f} | {length:.0f} | {rate:.3f} | {pairs / rate:.2f} | {peak:.0f} |")
    time, memory = ([(r[column], y(r)) for r in rows] for y in (lambda r: r[0] / r[2], lambda r: r[3]))
    print(f"| | {name} | | time ~ {name}^{exponent(time):.2f} | memory ~ {name}^{exponent(memory):.2f} |")
P
