#!/usr/bin/env bash
# Prepares a Debian 12 machine and builds the project: installs what
# scripts/packages.txt lists, configures the `release` preset into build/release
# and builds it. Every part is skipped when it is already done.
#
#   scripts/setup.sh              everything
#   scripts/setup.sh lpucc ...    only these targets
#   JOBS=4 scripts/setup.sh       four compilers at once (default: one per core)
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

build=build/release
jobs=${JOBS:-$(nproc)}

fail() {
  echo "setup.sh: error: $*" >&2
  exit 1
}

missing_packages() {
  local name
  sed 's/#.*//' scripts/packages.txt | while read -r name; do
    [ -n "$name" ] || continue
    [ "$(dpkg-query -W -f='${db:Status-Status}' "$name" 2>/dev/null)" = installed ] || echo "$name"
  done
}

install_packages() {
  command -v apt-get >/dev/null && command -v dpkg-query >/dev/null ||
    fail "this system has no apt-get; set-up needs Debian 12 (in a container: docker run -it -v \$PWD:/lpu -w /lpu debian:12 scripts/setup.sh)"
  local missing
  missing=$(missing_packages | tr '\n' ' ')
  missing=${missing% }
  [ -n "$missing" ] || return 0
  [ "$(id -u)" = 0 ] ||
    fail "packages are missing and only root can install them; run: sudo apt-get install $missing"
  echo "setup.sh: installing $missing"
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq || fail "apt-get update failed; check the network and /etc/apt/sources.list.d"
  # shellcheck disable=SC2086 # one word per package
  apt-get install -y -qq --no-install-recommends $missing </dev/null ||
    fail "apt-get could not install $missing; Debian 12 with bookworm-security among its sources has them all"
}

configure() {
  # A configuration that stopped half-way leaves no build.ninja; CMake itself
  # notices when a later change asks for another run.
  [ -f $build/build.ninja ] && return 0
  # Debian's Python is the one that packages.txt gave numpy to.
  cmake --preset release -DPython3_EXECUTABLE=/usr/bin/python3
}

case $jobs in
'' | *[!0-9]* | 0) fail "JOBS is '$jobs', not a number of compilers; unset it to use one per core" ;;
esac
install_packages
configure
if [ $# -gt 0 ]; then
  cmake --build $build -j "$jobs" --target "$@"
else
  cmake --build $build -j "$jobs"
fi
