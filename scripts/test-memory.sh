#!/usr/bin/env bash
# Runs every test, unit, lit and end to end, on a build with the address and the
# undefined-behaviour sanitizer. Words after the command go to ctest. Takes an hour
# and a half on two cores; not part of scripts/test.sh.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

scripts/setup.sh
jobs=${JOBS:-$(nproc)}
cmake --preset asan -DLPU_TESTS=ON -DPython3_EXECUTABLE=/usr/bin/python3 >/dev/null
cmake --build build/asan -j "$jobs"
exec ctest --test-dir build/asan --output-on-failure --no-tests=error -j "$jobs" "$@" </dev/null
