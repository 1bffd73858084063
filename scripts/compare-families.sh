#!/usr/bin/env bash
# Compares the best tokens of random models of every family with llama.cpp's. Fetches it by npm (node-llama-cpp), into a
# folder of the build that no commit sees. Takes about a minute; by hand, no test runs it.
#
#   scripts/compare-families.sh [FAMILY...]    those families (gemma3, phi3-long); default: all
#
# Uses build/release, or LPU_BUILD. Exit code 0: where llama.cpp's two best logits are clearly apart, they agree.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
build=${LPU_BUILD:-$root/build/release}
folder=$build/compare-families

command -v node >/dev/null && command -v npm >/dev/null || {
  echo "error: node and npm are needed; install them (apt-get install nodejs npm)" >&2
  exit 1
}
mkdir -p "$folder"
[ -f "$folder/package.json" ] || echo '{"private": true}' >"$folder/package.json"
npm install --prefix "$folder" --no-audit --no-fund --silent --ignore-scripts --omit=optional \
  node-llama-cpp@3.22.1 @node-llama-cpp/linux-x64@3.22.1
cmake --build "$build" --target lpu-interpret >/dev/null
exec /usr/bin/python3 "$root/tests/support/compare_families.py" "$build/bin/lpu-interpret" "$folder/node_modules" "$@"
