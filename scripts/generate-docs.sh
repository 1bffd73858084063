#!/usr/bin/env bash
# Writes what is generated in the documentation: docs/isa.md from the instruction
# table, docs/dialects and docs/passes.md from the compiler's TableGen files. Tables of
# figures are written by scripts/figures.
#
#   scripts/generate-docs.sh [--bin DIR] [--to DIR]
#
# --bin: folder of the executables, build/release/bin unless given.
# --to: write copies below this folder instead of into the repository.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

bin=build/release/bin
to=.
while [ $# -gt 0 ]; do
  case $1 in
  --bin) bin=${2:?} && shift 2 ;;
  --to) to=${2:?} && shift 2 ;;
  *) echo "generate-docs.sh: error: unknown argument '$1'; the first lines of the script show the usage" >&2 && exit 2 ;;
  esac
done
[ -x "$bin/lpu-isa-gen" ] || { echo "generate-docs.sh: error: $bin/lpu-isa-gen is not there; run scripts/setup.sh" >&2 && exit 1; }

prefix=$(llvm-config-22 --prefix)
tblgen() { "$prefix/bin/mlir-tblgen" -I compiler/include -I "$prefix/include" "$@"; }

mkdir -p "$to/docs/dialects"
"$bin/lpu-isa-gen" -o "$to/docs/isa.md"

dialects=compiler/include/lpu/compiler/Dialect
for pair in llm:LLM/LLMOps.td stream:Stream/StreamOps.td lpu:Lpu/LpuOps.td; do
  name=${pair%%:*}
  tblgen -gen-dialect-doc -dialect="$name" $dialects/"${pair#*:}" | sed -e '/^\[TOC\]$/d' -e 's/[ \t]*$//' | cat -s >"$to/docs/dialects/$name.md"
done

{
  echo "<!-- Written by scripts/generate-docs.sh; edit the Passes.td files instead -->"
  echo
  echo "# Passes"
  echo
  echo "Grouped by stage; compiler/lib/Pipelines/Pipelines.cpp has their order. \`lpu-opt\` runs each by its name."
  for pair in "The llm stage:Dialect/LLM/Passes.td" "From llm to timed instructions:Conversion/Passes.td" \
    "Over timed instructions:Dialect/Lpu/Passes.td"; do
    echo
    echo "## ${pair%%:*}"
    echo
    tblgen -gen-pass-doc compiler/include/lpu/compiler/"${pair#*:}" | sed -e '/^<!--/d' -e 's/[ \t]*$//' | cat -s | sed -e '1{/^$/d}'
  done
} >"$to/docs/passes.md"
