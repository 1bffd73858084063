#!/usr/bin/env bash
# Builds everything and runs every test: unit, lit and end to end. Does its own
# set-up. Words after the command go to ctest, for example -R lit. The last line
# is "N passed, N failed"; the exit code is 0 only when none failed.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

scripts/setup.sh || exit 1

jobs=${JOBS:-$(nproc)}

# The executables once more with sanitizers, for the tests of bad input and of equal results from different builds.
tools="lpucc lpu-run lpu-interpret lpu-objdump lpu-as"
[ -f build/asan/build.ninja ] || cmake --preset asan -DLPU_TESTS=OFF >/dev/null || exit 1
# shellcheck disable=SC2086 # the names are words
cmake --build build/asan -j "$jobs" --target $tools || exit 1

results=build/release/test-results.xml
rm -f $results
ctest --test-dir build/release --output-on-failure --no-tests=error -j "$jobs" --output-junit test-results.xml "$@" </dev/null
status=$?
# ctest's own record of the run, so that the line cannot differ from it.
counts=$(grep -oE '(tests|failures|disabled|skipped)="[0-9]+"' $results 2>/dev/null | head -4)
count() { sed -n "s/^$1=\"\([0-9]*\)\"$/\1/p" <<<"$counts"; }
total=$(count tests) failed=$(count failures)
skipped=$(($(count skipped) + $(count disabled)))
[ "$skipped" = 0 ] || echo "$skipped skipped"
echo "$((total - failed - skipped)) passed, ${failed:-1} failed"
exit $status
