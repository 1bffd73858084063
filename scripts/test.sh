#!/usr/bin/env bash
# Builds everything and runs every test: unit, lit and end to end. Does its own
# set-up. The last line is "N passed, N failed"; the exit code is 0 only when none failed.
#
#   scripts/test.sh            everything
#   scripts/test.sh --fast     in under two minutes: unit tests, command lines and IR, checks of the repository
#   scripts/test.sh -R lit     words go to ctest
#
# Longer checks have scripts of their own: test-memory.sh, test-threads.sh, test-load.sh, test-clients.sh, test-package.sh.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

scripts/setup.sh || exit 1

jobs=${JOBS:-$(nproc)}
if [ "${1:-}" = --fast ]; then
  shift
  set -- -L fast "$@"
else
  # What reads files once more, with sanitizers, for the tests of broken files.
  cmake --preset asan -DLPU_TESTS=ON -DPython3_EXECUTABLE=/usr/bin/python3 >/dev/null || exit 1
  cmake --build build/asan -j "$jobs" --target readers || exit 1
fi

record=build/release/test-results.xml
rm -rf $record build/release/test-results
mkdir build/release/test-results
ctest --test-dir build/release --output-on-failure --no-tests=error -j "$jobs" --output-junit test-results.xml "$@" </dev/null
status=$?
scripts/test-summary $record build/release/test-results || status=1
exit $status
