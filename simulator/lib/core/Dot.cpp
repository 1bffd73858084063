// One loop, compiled for several instruction sets and chosen once at start. All
// of them compute the same exact integers, so the choice cannot change a result.
#include "Dot.h"

namespace lpu::sim {

namespace {

// x comes widened to 16 bits: then each step is a widening load and a
// multiply-add of adjacent pairs, which compilers recognise.
#define LPU_DOT_BODY                                                                                                   \
  std::int32_t sum = 0;                                                                                                \
  for (int i = 0; i < count; ++i)                                                                                      \
    sum += static_cast<std::int32_t>(static_cast<std::int16_t>(w[i])) * static_cast<std::int32_t>(x[i]);               \
  return sum;

__attribute__((optimize("O3"))) std::int32_t dotBase(const std::int8_t *w, const std::int16_t *x, int count) {
  LPU_DOT_BODY
}

#if defined(__x86_64__)
__attribute__((target("avx2"), optimize("O3"))) std::int32_t dotAvx2(const std::int8_t *w, const std::int16_t *x,
                                                                     int count) {
  LPU_DOT_BODY
}

__attribute__((target("avx512f,avx512bw,avx512vl,prefer-vector-width=512"), optimize("O3"))) std::int32_t
dotAvx512(const std::int8_t *w, const std::int16_t *x, int count) {
  LPU_DOT_BODY
}
#endif

using DotFunction = std::int32_t (*)(const std::int8_t *, const std::int16_t *, int);

DotFunction fastest() {
#if defined(__x86_64__)
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl"))
    return dotAvx512;
  if (__builtin_cpu_supports("avx2"))
    return dotAvx2;
#endif
  return dotBase;
}

const DotFunction chosen = fastest();

} // namespace

std::int32_t dotInt8(const std::int8_t *w, const std::int16_t *x, int count) { return chosen(w, x, count); }

} // namespace lpu::sim
