#!/usr/bin/env bash
# Runs what uses threads and processes under the thread sanitizer: the unit tests of
# simulator, runtime and instruction set, compilations whose passes run beside each
# other, and the split of one run over threads and MPI ranks (tests/e2e/ranks.py).
# Takes long; not part of scripts/test.sh.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

scripts/setup.sh
jobs=${JOBS:-$(nproc)}
[ -f build/tsan/build.ninja ] || cmake --preset tsan -DPython3_EXECUTABLE=/usr/bin/python3 >/dev/null
units="lpu_simulator_tests lpu_rt_tests lpu_isa_tests"
# shellcheck disable=SC2086 # the names are words
cmake --build build/tsan -j "$jobs" --target lpu-run lpucc $units

export TSAN_OPTIONS="suppressions=$PWD/tests/support/tsan.supp exitcode=66 ${TSAN_OPTIONS:-}"
for unit in $units; do
  "build/tsan/bin/$unit" --gtest_brief=1
done

mixed=$(mktemp -d)
trap 'rm -rf "$mixed"' EXIT

# Chips of several classes, so that there is something to do for several threads.
for options in "models/tiny/model.gguf --tp=2 --pp=2 --weight-type=int4-group" "models/tiny/model.gguf --batch=4 --kv-type=int8" \
  "--arch=models/arch/llama-3-8b.yaml --weights=none --tp=8 --max-context=64"; do
  # shellcheck disable=SC2086 # the options are words
  build/tsan/bin/lpucc $options -o "$mixed/compiled.lpx" >/dev/null
done

# The simulator with the sanitizer, all other tools without.
ln -s "$PWD"/build/release/bin/lpu* "$mixed"
ln -sf "$PWD/build/tsan/bin/lpu-run" "$mixed/lpu-run"
/usr/bin/python3 tests/e2e/ranks.py --bin "$mixed"
