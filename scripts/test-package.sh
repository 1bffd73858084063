#!/usr/bin/env bash
# Makes the Debian package, installs it into a fresh Debian 12 and lets the chip write there, as root. Not part of
# scripts/test.sh: it needs debootstrap, the network and some gigabytes.
#
#   scripts/test-package.sh [FOLDER]     the new system's folder; a temporary one without, which goes when all is well
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

scripts/setup.sh
(cd build/release && cpack -G DEB >/dev/null)
package=$(ls -t build/release/lpu_*.deb | head -1)
root=${1:-$(mktemp -d /var/tmp/lpu-package.XXXXXX)}

command -v debootstrap >/dev/null || { echo "test-package.sh: error: debootstrap is missing; run apt-get install debootstrap" >&2 && exit 1; }
[ -x "$root/usr/bin/apt-get" ] || debootstrap --variant=minbase bookworm "$root" http://deb.debian.org/debian >"$root.log" 2>&1 ||
  { tail -5 "$root.log" >&2 && echo "test-package.sh: error: debootstrap failed; see $root.log" >&2 && exit 1; }
# LLVM 22 comes with the security updates.
echo "deb http://deb.debian.org/debian-security bookworm-security main" >"$root/etc/apt/sources.list.d/security.list"
cp "$package" "$root/tmp/lpu.deb"
inside() { chroot "$root" env LC_ALL=C DEBIAN_FRONTEND=noninteractive "$@"; }
inside apt-get update -qq
inside apt-get install -y -qq --no-install-recommends /tmp/lpu.deb >"$root.log" 2>&1 || { tail -5 "$root.log" >&2 && exit 1; }
for tool in lpucc lpu-opt lpu-interpret lpu-run lpu-eval lpu-serve lpu-load lpu-as lpu-objdump; do
  inside $tool --version
done
inside lpucc /usr/share/lpu/models/tiny/model.gguf -o /tmp/tiny.lpx
inside lpu-run /tmp/tiny.lpx --prompt "Once upon a time" -n 64 | tee "$root.txt"
grep -q "little girl" "$root.txt" || { echo "test-package.sh: error: the installed chip tells another story" >&2 && exit 1; }
inside apt-get remove -y -qq lpu >/dev/null
[ ! -e "$root/usr/bin/lpucc" ] || { echo "test-package.sh: error: lpucc is left behind" >&2 && exit 1; }
echo
echo "$package: installed, ran, removed"
[ $# -gt 0 ] || rm -rf "$root" "$root.log" "$root.txt"
