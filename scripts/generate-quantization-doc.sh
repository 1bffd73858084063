#!/usr/bin/env bash
# Writes the measured tables of docs/quantization.md: every precision of the embedded
# model and of ../shared/models (what is absent is skipped).
#
#   scripts/generate-quantization-doc.sh [--bin DIR]
#
# --bin: folder of the executables, build/release/bin unless given. Takes some minutes.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

bin=build/release/bin
while [ $# -gt 0 ]; do
  case $1 in
  --bin) bin=${2:?} && shift 2 ;;
  *) echo "generate-quantization-doc.sh: error: unknown argument '$1'; the first lines of the script show the usage" >&2 && exit 2 ;;
  esac
done
[ -x "$bin/lpu-eval" ] || { echo "generate-quantization-doc.sh: error: $bin/lpu-eval is not there; run scripts/setup.sh" >&2 && exit 1; }

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
kv=int16
weights=int8/a16/$kv,int8/a16/int8,int8-group/a16/$kv,int8-group/a16/fp16,int4-group/a16/$kv,fp16/fp16/fp16
calibration=models/tiny/calibration-text.txt

# evaluate NAME MODEL TEXT CONFIG [OPTION...]: into $work/NAME.json.
evaluate() {
  "$bin/lpu-eval" "$2" --text="$3" --config="$4" --report="$work/$1.json" "${@:5}" >/dev/null
}

# table MODEL TEXT [FURTHER...]: in Markdown on stdout; FURTHER as show-evaluation takes it.
table() {
  evaluate bounds "$1" "$2" "$weights,int8/a8/$kv"
  evaluate measured "$1" "$2" "int8/a8/$kv,int4-group/a8/$kv" --calibration="$calibration"
  evaluate gptq "$1" "$2" "int8/a16/$kv,int4-group/a16/$kv" --calibration="$calibration" --rounding=gptq
  scripts/show-evaluation "$(basename "$1")" "$work/bounds.json" "calibrated=$work/measured.json" "calibrated, gptq=$work/gptq.json" "${@:3}"
}

{
  evaluate qat models/tiny/model-int4.gguf models/tiny/eval-text.txt "keep/a16/$kv"
  table models/tiny/model.gguf models/tiny/eval-text.txt "trained at 4 bits, model-int4.gguf=$work/qat.json"
  for model in ../shared/models/stories260K-q8_0.gguf ../shared/models/stories260K-f32.gguf; do
    [ -f "$model" ] && table "$model" ../shared/models/stories-text.txt
  done
} >"$work/tables"
# The lines between the two markers become the tables.
awk -v tables="$work/tables" '
  /<!-- end of tables -->/ { skipping = 0 }
  !skipping { print }
  /<!-- tables of generate-quantization-doc.sh/ { while ((getline line < tables) > 0) print line; skipping = 1 }
' docs/quantization.md >"$work/quantization.md"
cmp -s "$work/quantization.md" docs/quantization.md || cp "$work/quantization.md" docs/quantization.md
