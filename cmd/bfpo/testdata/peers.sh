#!/usr/bin/env bash
# Times bfpo's training step beside the same step in PyTorch and JAX: A/B/A/B, since the machine's speed wanders from minute to minute.
#
#     go build -o bfpo ./cmd/bfpo
#     cmd/bfpo/testdata/peers.sh FOLDER ROUNDS fixed|ragged|equal f32|bf16 [FLAGS]...
#
# FOLDER is a copy of the shared bench folder with its model made. Each FLAGS is one more side: bfpo bench with these flags, such as
# "-set=gradient_checkpointing=true". Every output line lands in FOLDER/rounds-*.jsonl; the summary is one JSON object: of each side the
# median and the range of each figure, and those of each bfpo side over those of all others. bfpo's losses are checked in each round.
#
# equal is the first pair of fixed twice, for bfpo alone (PEERS=): two devices then have the same work, where those of fixed, whose rows have
# 896 and 720 tokens, would wait for each other. No losses are known for it.
#
#     BFPO    the program (./bfpo)
#     TORCH   Python with PyTorch (FOLDER/venv-torch/bin/python)      JAX     Python with JAX (FOLDER/venv-jax/bin/python)
#     PEERS   the peers to run, of torch-eager, torch-sdpa, torch-compile and jax ("torch-compile jax")
#     CORES   what all are bound to, for taskset -c (0,1)
#     STEPS   timed steps of fixed, or the first batches of ragged (the usual number)
set -euo pipefail
[ $# -ge 4 ] || { sed -n '2,/^set/{/^#/p}' "$0"; exit 2; }
folder=$(cd "$1" && pwd) rounds=$2 data=$3 precision=$4
shift 4
bfpo=$(realpath "${BFPO:-./bfpo}")
torch=${TORCH:-$folder/venv-torch/bin/python} jax=${JAX:-$folder/venv-jax/bin/python}
check=-check
case $data in
  fixed) batch=2 ;;
  ragged) batch=4 ;;
  equal) batch=2 check= && head -n 1 "$folder/pairs_fixed.jsonl" | sed p >"$folder/pairs_equal.jsonl" ;;
  *) echo "$data: want fixed, ragged or equal" >&2; exit 2 ;;
esac
case $precision in f32) dtype=float32 autocast=f32 ;; bf16) dtype=bfloat16 autocast=autocast ;; *) echo "$precision: want f32 or bf16" >&2; exit 2 ;; esac
out=$folder/rounds-$data-$precision-$(date +%Y%m%d-%H%M%S).jsonl

# bound SIDE COMMAND... runs a side in the folder and keeps its last line.
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
summary = {side: {f: dict(median=middle(side, f), range=[min(r[f] for r in runs), max(r[f] for r in runs)]) for f in figures}
           | dict(rounds=len(runs), losses=runs[0]["losses"]) for side, runs in sides.items()}
ratios = {ours: {side: {f: round(middle(ours, f) / middle(side, f), 3) for f in figures} for side in sides if side != ours}
          for ours in sides if ours.startswith("bfpo")}
print(json.dumps(dict(sides=summary, ratios=ratios)))
P
