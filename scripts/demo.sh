#!/usr/bin/env bash
# Compiles the model in models/tiny for one modelled chip and lets the chip write
# 64 tokens. Does its own set-up; words after the command are the prompt:
#
#   scripts/demo.sh
#   scripts/demo.sh One day, a small cat
#   scripts/demo.sh --serve [OPTIONS OF lpu-serve]      serves the model instead, until Ctrl-C
#
# LPU_BIN=DIR uses the executables of DIR and sets nothing up.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

if [ "${1:-}" = --serve ]; then
  [ -n "${LPU_BIN:-}" ] || scripts/setup.sh lpucc lpu-run lpu-serve
  exec "${LPU_BIN:-build/release/bin}/lpu-serve" tiny=models/tiny/model.gguf "${@:2}"
fi
[ -n "${LPU_BIN:-}" ] || scripts/setup.sh lpucc lpu-run lpu-interpret lpu-eval lpu-opt lpu-objdump lpu-as

bin=${LPU_BIN:-build/release/bin}
out=build/demo
prompt=${*:-Once upon a time}
mkdir -p $out

echo
echo "== lpucc models/tiny/model.gguf -o $out/tiny.lpx"
# Through cat, so that it is this table and not the one lpucc shows on a terminal.
$bin/lpucc models/tiny/model.gguf -o $out/tiny.lpx --report=$out/compile.json 2>&1 | cat
scripts/show-report $out/compile.json
echo
echo "== lpu-run $out/tiny.lpx --prompt \"$prompt\" -n 64"
# Text and latency go to files first: text comes on stdout without a line end, latency on stderr.
$bin/lpu-run $out/tiny.lpx --prompt "$prompt" -n 64 --report=$out/run.json >$out/text.txt 2>$out/latency.txt || {
  cat $out/latency.txt >&2
  exit 1
}
printf '%s' "$prompt" | cat - $out/text.txt | fold -s -w 100
printf '\n\n'
cat $out/latency.txt
echo
echo "Reports: $out/compile.json (bounds, memory, utilization) and $out/run.json (cycles of every step)."
