#!/usr/bin/env bash
# Writes the generated part of docs/: isa.md from the instruction table, dialects/
# and passes.md from the compiler's TableGen files.
#
#   scripts/generate-docs.sh [--isa-gen PATH] [--to DIR]
#
# DIR is docs/ unless given; PATH the lpu-isa-gen of build/release.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

isa_gen=build/release/bin/lpu-isa-gen
to=docs
while [ $# -gt 0 ]; do
  case $1 in
  --isa-gen) isa_gen=${2:?} && shift 2 ;;
  --to) to=${2:?} && shift 2 ;;
  *) echo "generate-docs.sh: error: unknown argument '$1'; the first lines of the script show the usage" >&2 && exit 2 ;;
  esac
done
[ -x "$isa_gen" ] || { echo "generate-docs.sh: error: $isa_gen is not there; run scripts/setup.sh lpu-isa-gen" >&2 && exit 1; }

prefix=$(llvm-config-22 --prefix)
tblgen() { "$prefix/bin/mlir-tblgen" -I compiler/include -I "$prefix/include" "$@"; }

mkdir -p "$to/dialects"
"$isa_gen" -o "$to/isa.md"

dialects=compiler/include/lpu/compiler/Dialect
for pair in llm:LLM/LLMOps.td stream:Stream/StreamOps.td lpu:Lpu/LpuOps.td; do
  name=${pair%%:*}
  tblgen -gen-dialect-doc -dialect="$name" $dialects/"${pair#*:}" | sed -e '/^\[TOC\]$/d' -e 's/[ \t]*$//' | cat -s >"$to/dialects/$name.md"
done

{
  echo "<!-- Written by scripts/generate-docs.sh; edit the Passes.td files instead -->"
  echo
  echo "# Passes"
  echo
  echo "Grouped by phase; compiler/lib/Pipelines/Pipelines.cpp has their order. \`lpu-opt\` runs each by its name."
  for pair in "The llm phase:Dialect/LLM/Passes.td" "From llm to timed instructions:Conversion/Passes.td" \
    "Over timed instructions:Dialect/Lpu/Passes.td"; do
    echo
    echo "## ${pair%%:*}"
    echo
    tblgen -gen-pass-doc compiler/include/lpu/compiler/"${pair#*:}" | sed -e '/^<!--/d' -e 's/[ \t]*$//' | cat -s | sed -e '1{/^$/d}'
  done
} >"$to/passes.md"
