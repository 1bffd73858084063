// Bodies are written once, as plain loops, and inlined into one wrapper per
// instruction set. Only the 16-row dot product has a version by hand: summing
// 16 registers at a time is what compilers do not find.
#include "Lanes.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace lpu::sim {

namespace {

#define LPU_BODY [[gnu::always_inline]] inline

// x comes widened to 16 bits: then each step is a widening load and a
// multiply-add of adjacent pairs, which compilers recognise.
LPU_BODY std::int32_t dotBody(const std::int8_t *w, const std::int16_t *x, int count) {
  std::int32_t sum = 0;
  for (int i = 0; i < count; ++i)
    sum += static_cast<std::int32_t>(static_cast<std::int16_t>(w[i])) * static_cast<std::int32_t>(x[i]);
  return sum;
}

LPU_BODY void dotRowsBody(const std::int8_t *const rows[16], int first, const std::int16_t *x, int count,
                          std::int32_t *out) {
  for (int r = 0; r < 16; ++r)
    out[r] = dotBody(rows[r] + first, x, count);
}

LPU_BODY void planeBody(const std::uint32_t *__restrict in, std::uint8_t *__restrict out, int shift, int lanes) {
  for (int i = 0; i < lanes; ++i)
    out[i] = static_cast<std::uint8_t>(in[i] >> shift);
}

LPU_BODY void join1(const std::uint8_t *__restrict p, std::uint32_t *__restrict out, int lanes) {
  for (int i = 0; i < lanes; ++i)
    out[i] = static_cast<std::uint32_t>(static_cast<std::int32_t>(static_cast<std::int8_t>(p[i])));
}

LPU_BODY void join2(const std::uint8_t *__restrict lo, const std::uint8_t *__restrict hi,
                    std::uint32_t *__restrict out, int lanes) {
  for (int i = 0; i < lanes; ++i)
    out[i] = static_cast<std::uint32_t>(static_cast<std::int32_t>(static_cast<std::int8_t>(hi[i]))) << 8 | lo[i];
}

LPU_BODY void join4(const std::uint8_t *__restrict p0, const std::uint8_t *__restrict p1,
                    const std::uint8_t *__restrict p2, const std::uint8_t *__restrict p3,
                    std::uint32_t *__restrict out, int lanes) {
  for (int i = 0; i < lanes; ++i)
    out[i] = std::uint32_t{p0[i]} | std::uint32_t{p1[i]} << 8 | std::uint32_t{p2[i]} << 16 | std::uint32_t{p3[i]} << 24;
}

LPU_BODY void joinBody(const std::uint8_t *const *in, std::uint32_t *out, int bytes, int lanes) {
  if (bytes == 1)
    join1(in[0], out, lanes);
  else if (bytes == 2)
    join2(in[0], in[1], out, lanes);
  else
    join4(in[0], in[1], in[2], in[3], out, lanes);
}

struct Kernels {
  std::int32_t (*dot)(const std::int8_t *, const std::int16_t *, int);
  void (*dotRows)(const std::int8_t *const *, int, const std::int16_t *, int, std::int32_t *);
  void (*plane)(const std::uint32_t *, std::uint8_t *, int, int);
  void (*join)(const std::uint8_t *const *, std::uint32_t *, int, int);
};

#define LPU_KERNELS(NAME, ATTRIBUTES)                                                                                  \
  ATTRIBUTES std::int32_t dot##NAME(const std::int8_t *w, const std::int16_t *x, int count) {                         \
    return dotBody(w, x, count);                                                                                       \
  }                                                                                                                    \
  ATTRIBUTES void rows##NAME(const std::int8_t *const *rows, int first, const std::int16_t *x, int count,             \
                             std::int32_t *out) {                                                                      \
    dotRowsBody(rows, first, x, count, out);                                                                           \
  }                                                                                                                    \
  ATTRIBUTES void plane##NAME(const std::uint32_t *in, std::uint8_t *out, int plane, int lanes) {                     \
    planeBody(in, out, 8 * plane, lanes);                                                                              \
  }                                                                                                                    \
  ATTRIBUTES void join##NAME(const std::uint8_t *const *in, std::uint32_t *out, int bytes, int lanes) {               \
    joinBody(in, out, bytes, lanes);                                                                                   \
  }                                                                                                                    \
  [[maybe_unused]] constexpr Kernels k##NAME{dot##NAME, rows##NAME, plane##NAME, join##NAME};

LPU_KERNELS(Base, [[maybe_unused]] static)

#if defined(__x86_64__)
#define LPU_AVX2 __attribute__((target("avx2")))
#define LPU_AVX512 __attribute__((target("avx512f,avx512bw,avx512vl,prefer-vector-width=512")))

LPU_KERNELS(Avx2, LPU_AVX2 static)
LPU_KERNELS(Avx512, LPU_AVX512 [[maybe_unused]] static)

/// [a, b, c, d] summed over the four lanes of each 128-bit part.
LPU_AVX512 inline __m512i sumOfFour(__m512i a, __m512i b, __m512i c, __m512i d) {
  __m512i ab = _mm512_add_epi32(_mm512_unpacklo_epi32(a, b), _mm512_unpackhi_epi32(a, b));
  __m512i cd = _mm512_add_epi32(_mm512_unpacklo_epi32(c, d), _mm512_unpackhi_epi32(c, d));
  return _mm512_add_epi32(_mm512_unpacklo_epi64(ab, cd), _mm512_unpackhi_epi64(ab, cd));
}

/// Neighbouring 128-bit parts added: a's two sums, then b's.
LPU_AVX512 inline __m512i sumOfParts(__m512i a, __m512i b) {
  return _mm512_add_epi32(_mm512_shuffle_i32x4(a, b, 0x88), _mm512_shuffle_i32x4(a, b, 0xDD));
}

LPU_AVX512 void sixteenRowsAvx512(const std::int8_t *const *rows, int first, const std::int16_t *x, int count,
                                  std::int32_t *out) {
  __m512i sums[16];
  for (__m512i &sum : sums)
    sum = _mm512_setzero_si512();
  for (int i = 0; i < count; i += 32) {
    const __mmask32 inside = count - i >= 32 ? ~__mmask32{0} : (__mmask32{1} << (count - i)) - 1;
    const __m512i factors = _mm512_maskz_loadu_epi16(inside, x + i);
#pragma GCC unroll 16
    for (int r = 0; r < 16; ++r) {
      __m512i weights = _mm512_cvtepi8_epi16(_mm256_maskz_loadu_epi8(inside, rows[r] + first + i));
      sums[r] = _mm512_add_epi32(sums[r], _mm512_madd_epi16(weights, factors));
    }
  }
  __m512i quarters[4];
#pragma GCC unroll 4
  for (int q = 0; q < 4; ++q)
    quarters[q] = sumOfFour(sums[4 * q], sums[4 * q + 1], sums[4 * q + 2], sums[4 * q + 3]);
  _mm512_storeu_si512(out, sumOfParts(sumOfParts(quarters[0], quarters[1]), sumOfParts(quarters[2], quarters[3])));
}
#endif

Kernels fastest() {
#if defined(__x86_64__)
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl")) {
    Kernels best = kAvx512;
    best.dotRows = sixteenRowsAvx512;
    return best;
  }
  if (__builtin_cpu_supports("avx2"))
    return kAvx2;
#endif
  return kBase;
}

const Kernels chosen = fastest();

} // namespace

std::int32_t dotInt8(const std::int8_t *w, const std::int16_t *x, int count) { return chosen.dot(w, x, count); }

void dotRows(const std::int8_t *const rows[16], int first, const std::int16_t *x, int count, std::int32_t *out) {
  chosen.dotRows(rows, first, x, count, out);
}

void bytePlane(const std::uint32_t *in, std::uint8_t *out, int plane, int lanes) {
  chosen.plane(in, out, plane, lanes);
}

void joinBytes(const std::uint8_t *const *in, std::uint32_t *out, int bytes, int lanes) {
  chosen.join(in, out, bytes, lanes);
}

} // namespace lpu::sim
