#!/usr/bin/env bash
# Times the training step of bfpo and the same step in PyTorch and JAX. All sides take turns in each round, because the
# speed of a machine changes from minute to minute.
#
#     go build -o bfpo-bin ./cmd/bfpo
#     cmd/bfpo/testdata/peers.sh FOLDER ROUNDS fixed|ragged|equal f32|bf16 [FLAGS]...
#
# FOLDER holds the peers' programs, their model and the pairs (not in this repository). Each FLAGS adds one side: bfpo
# bench with these flags, such as "-set=gradient_checkpointing=true". Every output line goes to FOLDER/rounds-*.jsonl.
# The summary is one JSON object: the median and the range of each figure for each side, and the ratios of the medians
# of each bfpo side to all other sides. Every round checks the losses of bfpo.
#
# equal is the first pair of fixed twice, for bfpo alone (PEERS=). It gives two devices the same work; the rows of fixed
# have 896 and 720 tokens, so one device would wait for the other. No losses are known for equal.
#
#     BFPO    the program (./bfpo-bin)
#     TORCH   Python with PyTorch (FOLDER/venv-torch/bin/python)
#     JAX     Python with JAX (FOLDER/venv-jax/bin/python)
#     PEERS   the peers to run, of torch-eager, torch-sdpa, torch-compile and jax ("torch-compile jax")
#     CORES   the cores that all sides are bound to, for taskset -c (0,1)
#     STEPS   timed steps of fixed, or the number of batches of ragged (the default of each program)
set -euo pipefail
[ $# -ge 4 ] || { sed -n '2,/^set/{/^#/p}' "$0"; exit 2; }
folder=$(cd "$1" && pwd) rounds=$2 data=$3 precision=$4
shift 4
bfpo=$(realpath "${BFPO:-./bfpo-bin}")
torch=${TORCH:-$folder/venv-torch/bin/python} jax=${JAX:-$folder/venv-jax/bin/python}
check=-check
case $data in
  fixed) batch=2 ;;
  ragged) batch=4 ;;
  equal) batch=2 check= && head -n 1 "$folder/pairs_fixed.jsonl" | sed p >"$folder/pairs_equal.jsonl" ;;
  *) echo "$data: want fixed, ragged or equal" >&2; exit 2 ;;
esac
case $precision in
  f32) dtype=float32 autocast=f32 ;;
  bf16) dtype=bfloat16 autocast=autocast ;;
  *) echo "$precision: want f32 or bf16" >&2; exit 2 ;;
esac
out=$folder/rounds-$data-$precision-$(date +%Y%m%d-%H%M%S).jsonl

# bound SIDE COMMAND... runs a side in the folder and keeps its last line of output.
bound() {
  side=$1
  shift
  (cd "$folder" && taskset -c "${CORES:-0,1}" "$@" | tail -n 1 | sed "s|^{|{\"side\": \"$side\", |" | tee -a "$out" >&2)
}

for _ in $(seq "$rounds"); do
  for peer in ${PEERS-torch-compile jax}; do
    case $peer in
      torch-*) bound "$peer" "$torch" torch_step.py "$data" "$autocast" "${peer#torch-}" ${STEPS:+--steps "$STEPS"} ;;
      jax) bound jax "$jax" jax_step.py "$data" "$precision" ${STEPS:+--steps "$STEPS"} ;;
      *) echo "$peer: no such peer" >&2; exit 2 ;;
    esac
  done
  for flags in "" "$@"; do
    # shellcheck disable=SC2086 # flags are words
    bound "bfpo${flags:+ $flags}" "$bfpo" bench -platform=cpu -pairs="pairs_$data.jsonl" -model=model -batch="$batch" \
      -set=torch_dtype="$dtype" $check ${STEPS:+-steps="$STEPS"} $flags
  done
done

python3 - "$out" <<'P'
import json, statistics, sys

sides = {}
for line in open(sys.argv[1]):
    run = json.loads(line)
    sides.setdefault(run["side"], []).append(run)
figures = "pairs_per_s", "tokens_per_s", "step_ms_median", "peak_rss_mb", "warmup_s"
middle = lambda side, figure: statistics.median(r[figure] for r in sides[side])
spread = lambda runs, figure: [min(r[figure] for r in runs), max(r[figure] for r in runs)]
summary = {side: {f: dict(median=middle(side, f), range=spread(runs, f)) for f in figures}
           | dict(rounds=len(runs), losses=runs[0]["losses"]) for side, runs in sides.items()}
ratio = lambda ours, side: {f: round(middle(ours, f) / middle(side, f), 3) for f in figures}
ratios = {ours: {side: ratio(ours, side) for side in sides if side != ours}
          for ours in sides if ours.startswith("bfpo")}
print(json.dumps(dict(sides=summary, ratios=ratios)))
P
