#!/usr/bin/env bash
# Tests lpu-serve with unmodified npm clients, on Node 22 from npm: openai (two majors), groq-sdk, the AI SDK, ollama,
# Anthropic's, Google's and Amazon's, and LangChain's of all dialects. Installs them into build/clients (some 460 MB)
# the first time.
#
#   scripts/test-clients.sh [--bin DIR]     DIR: folder of the executables, build/release/bin unless given
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

bin=build/release/bin
while [ $# -gt 0 ]; do
  case $1 in
  --bin) bin=${2:?} && shift 2 ;;
  *) echo "test-clients: error: unknown argument '$1'; the first lines of the script show the usage" >&2 && exit 2 ;;
  esac
done
command -v npm >/dev/null || {
  echo "test-clients: error: npm is missing; run apt-get install npm" >&2
  exit 1
}

work=build/clients
mkdir -p $work
cmp -s tests/clients/package.json $work/package.json || {
  cp tests/clients/package.json $work/
  (cd $work && npm install --no-audit --no-fund --loglevel=error)
}
cp tests/clients/*.mjs $work/

prompt="Once upon a time"
count=24
"$bin/lpucc" models/tiny/model.gguf -o $work/tiny.lpx 2>$work/compile.log
"$bin/lpu-run" $work/tiny.lpx --prompt "$prompt" -n $count --report=$work/run.json >/dev/null 2>&1
python3 - "$prompt" $count <<'PYTHON' >$work/expected.json
import json, sys
run = json.load(open("build/clients/run.json"))
print(json.dumps({"prompt": sys.argv[1], "text": run["text"], "count": int(sys.argv[2]), "longCount": 240}))
PYTHON

pids=()
trap 'kill "${pids[@]}" 2>/dev/null; wait' EXIT
# start NAME OPTIONS...: a server whose address is in $work/NAME.
start() {
  "$bin/lpu-serve" tiny=$work/tiny.lpx --port=0 "${@:2}" >"$work/$1" 2>"$work/$1.log" &
  pids+=($!)
  for _ in $(seq 300); do
    grep -q serving "$work/$1" && return
    sleep 0.1
  done
  echo "test-clients: error: lpu-serve did not start: $(cat "$work/$1.log")" >&2
  exit 1
}
start open
start crowded --queue=0
url() { sed -n 's/^serving at //p' "$work/$1"; }
urls=("$(url open)" "$(url crowded)")
(cd $work && node_modules/.bin/node clients.mjs "${urls[@]}" expected.json)
