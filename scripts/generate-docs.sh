#!/usr/bin/env bash
# Writes what is generated in the documentation: docs/isa.md from the instruction
# table, docs/dialects and docs/passes.md from the compiler's TableGen files, and the
# README's table of cycles of the embedded model.
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
for tool in lpu-isa-gen lpucc; do
  [ -x "$bin/$tool" ] || { echo "generate-docs.sh: error: $bin/$tool is not there; run scripts/setup.sh" >&2 && exit 1; }
done

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
  echo "Grouped by phase; compiler/lib/Pipelines/Pipelines.cpp has their order. \`lpu-opt\` runs each by its name."
  for pair in "The llm phase:Dialect/LLM/Passes.td" "From llm to timed instructions:Conversion/Passes.td" \
    "Over timed instructions:Dialect/Lpu/Passes.td"; do
    echo
    echo "## ${pair%%:*}"
    echo
    tblgen -gen-pass-doc compiler/include/lpu/compiler/"${pair#*:}" | sed -e '/^<!--/d' -e 's/[ \t]*$//' | cat -s | sed -e '1{/^$/d}'
  done
} >"$to/docs/passes.md"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$bin/lpucc" models/tiny/model.gguf -o "$work/tiny.lpx" --report="$work/tiny.json" 2>"$work/errors" || {
  cat "$work/errors" >&2
  exit 1
}
scripts/show-report --markdown "$work/tiny.json" >"$work/table"
# The lines between the two markers become the table.
awk -v table="$work/table" '
  /<!-- end of table -->/ { skipping = 0 }
  !skipping { print }
  /<!-- table of models\/tiny,/ { while ((getline line < table) > 0) print line; skipping = 1 }
' README.md >"$work/README.md"
cmp -s "$work/README.md" "$to/README.md" || cp "$work/README.md" "$to/README.md"
