#!/usr/bin/env bash
# Runs tests again and again while all processors are busy with something else: no
# test may depend on how fast it is run. Not part of scripts/test.sh.
#
#   scripts/test-load.sh [--times N] [--workers N] NAME...
#
# NAME: tests as `ctest -N` lists them. --times: how often each (10). --workers: processes of stress-ng beside it (4).
# Needs stress-ng and the release build. The last line is "N passed, N failed", runs of tests.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

times=10 workers=4 names=()
while [ $# -gt 0 ]; do
  case $1 in
  --times) times=${2:?} && shift 2 ;;
  --workers) workers=${2:?} && shift 2 ;;
  -*) echo "test-load.sh: error: unknown option '$1'; the first lines of the script show the usage" >&2 && exit 2 ;;
  *) names+=("$1") && shift ;;
  esac
done
[ ${#names[@]} -gt 0 ] || { echo "test-load.sh: error: no test named; ctest --test-dir build/release -N lists them" >&2 && exit 2; }
command -v stress-ng >/dev/null || { echo "test-load.sh: error: stress-ng is missing; run apt-get install stress-ng" >&2 && exit 1; }

stress-ng --cpu "$workers" --quiet &
load=$!
trap 'kill $load 2>/dev/null' EXIT

passed=0 failed=0
for name in "${names[@]}"; do
  for ((i = 1; i <= times; i++)); do
    if ctest --test-dir build/release -R "^$name\$" --no-tests=error --output-on-failure </dev/null >build/release/load.log 2>&1; then
      passed=$((passed + 1))
    else
      failed=$((failed + 1))
      echo "failed: $name, run $i"
      cat build/release/load.log
    fi
  done
  echo "$name: $times runs"
done
echo "$passed passed, $failed failed"
[ $failed = 0 ]
