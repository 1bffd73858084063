#!/usr/bin/env bash
# Fuzzes what reads files and requests: tests/fuzz/run.sh [SECONDS EACH] [NAME...]
#
# Names: gguf, onnx, safetensors, huggingface, sentencepiece, tokenizer, arch, quant-config, lpx, assembly, machine,
# http, openai, ollama, anthropic, gemini, bedrock. Needs a clang with its runtimes (clang-22 and libclang-rt-22-dev, or
# clang-14 and libclang-rt-14-dev) and a release build (for the seeds). No allocation may exceed 64 MB and twice the
# input, which is at most 64 KiB. Crashing inputs land in tests/crashers/NAME/, where a test replays them.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
seconds=${1:-60}
shift || true
all="gguf onnx safetensors huggingface sentencepiece tokenizer arch quant-config lpx assembly machine http openai
  ollama anthropic gemini bedrock"
names=${*:-$all}
build=${LPU_FUZZ_BUILD:-build/fuzz}
bin=${LPU_BIN:-build/release/bin}

probe=$(mktemp)
trap 'rm -f "$probe"' EXIT
version=
for candidate in 22 14; do
  if echo 'extern "C" int LLVMFuzzerTestOneInput(const char *, unsigned long) { return 0; }' |
    clang++-$candidate -fsanitize=fuzzer,address,undefined -x c++ - -o "$probe" 2>/dev/null; then
    version=$candidate
    break
  fi
done
[ "$version" ] || { echo "error: no clang with libFuzzer; install clang-22 and libclang-rt-22-dev" >&2; exit 1; }

flags="-O1 -g1 -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined"
cmake -S . -B "$build" -G Ninja -DCMAKE_C_COMPILER=clang-$version -DCMAKE_CXX_COMPILER=clang++-$version -DLPU_FUZZ=ON \
  -DCMAKE_CXX_FLAGS="$flags" >/dev/null
targets=()
for name in $names; do targets+=("fuzz-$name"); done
cmake --build "$build" --target "${targets[@]}"

seeds=$build/seeds
/usr/bin/python3 tests/fuzz/seeds.py "$seeds" "$bin"
status=0
for name in $names; do
  mkdir -p "$build/corpus/$name" "$build/found/$name" "tests/crashers/$name"
  "$build/bin/fuzz-$name" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -malloc_limit_mb=65 -max_len=65536 \
    -artifact_prefix="$build/found/$name/" "$build/corpus/$name" "$seeds/$name" "tests/crashers/$name" || status=1
  for input in "$build/found/$name"/*; do
    [ -f "$input" ] || continue
    kept=tests/crashers/$name/$(basename "$input" | cut -c1-24)
    cp "$input" "$kept"
    if [ "$name" = lpx ]; then # what is replayed has right checksums
      LPU_FUZZ_WRITE=$kept "$build/bin/fuzz-lpx" "$input" 2>/dev/null || true
    fi
    echo "kept $kept"
  done
done
exit $status
