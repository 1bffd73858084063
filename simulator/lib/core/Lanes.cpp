// Highway compiles this file once per instruction set. Bodies are plain loops
// that compilers vectorise, except what moves lanes inside superlanes, and the
// 16-row dot product: its version for hosts with 8-bit dot instructions (VNNI) is
// by hand, which Highway 1.0 does not have.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "Lanes.cpp"
#include "hwy/foreach_target.h" // must come before highway.h

#include "Lanes.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace lpu::sim::HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

HWY_ATTR std::int32_t sum(const std::int8_t *x, int count) {
  std::int32_t total = 0;
  for (int i = 0; i < count; ++i)
    total += x[i];
  return total;
}

#if HWY_TARGET == HWY_AVX3_DL

/// [a, b, c, d] summed over the four lanes of each 128-bit part.
HWY_ATTR inline __m512i sumOfFour(__m512i a, __m512i b, __m512i c, __m512i d) {
  __m512i ab = _mm512_add_epi32(_mm512_unpacklo_epi32(a, b), _mm512_unpackhi_epi32(a, b));
  __m512i cd = _mm512_add_epi32(_mm512_unpacklo_epi32(c, d), _mm512_unpackhi_epi32(c, d));
  return _mm512_add_epi32(_mm512_unpacklo_epi64(ab, cd), _mm512_unpackhi_epi64(ab, cd));
}

/// Neighbouring 128-bit parts added: a's two sums, then b's.
HWY_ATTR inline __m512i sumOfParts(__m512i a, __m512i b) {
  return _mm512_add_epi32(_mm512_shuffle_i32x4(a, b, 0x88), _mm512_shuffle_i32x4(a, b, 0xDD));
}

// The instruction multiplies unsigned with signed bytes. Flipping a weight's sign
// bit adds 128 to it, so each sum is 128·Σx too large. (Every host of this target
// has it, though Highway 1.0 does not say so to the compiler.) Rows are read one
// after the other, each from front to back: so hosts fetch a tile that lies in
// one piece as fast as they can read memory, which no prefetch here made faster.
template <int Vectors, int Steps>
__attribute__((target("avx512bw,avx512vnni"))) void dotSteps(const std::int8_t *const *rows, int groups, int first,
                                                             int count, const DotOperand *x, std::int32_t *const *out) {
  const __m512i flip = _mm512_set1_epi8(-128);
  const __mmask64 rest = ~__mmask64{0} >> (64 * Steps - count);
  __m512i factors[Vectors][Steps];
  for (int v = 0; v < Vectors; ++v)
    for (int i = 0; i < Steps; ++i)
      factors[v][i] = _mm512_maskz_loadu_epi8(i + 1 < Steps ? ~__mmask64{0} : rest, x[v].x + 64 * i);
  for (int g = 0; g < groups; ++g, rows += 16) {
    __m512i quarters[Vectors][4];
#pragma GCC unroll 4
    for (int q = 0; q < 4; ++q) {
      __m512i sums[Vectors][4];
#pragma GCC unroll 4
      for (int r = 0; r < 4; ++r) {
        const std::int8_t *row = rows[4 * q + r] + first;
#pragma GCC unroll 2
        for (int v = 0; v < Vectors; ++v)
          sums[v][r] = _mm512_setzero_si512();
#pragma GCC unroll 8
        for (int i = 0; i < Steps; ++i) {
          const __m512i bytes =
              i + 1 < Steps ? _mm512_loadu_si512(row + 64 * i) : _mm512_maskz_loadu_epi8(rest, row + 64 * i);
          const __m512i weights = _mm512_xor_si512(bytes, flip);
#pragma GCC unroll 2
          for (int v = 0; v < Vectors; ++v)
            sums[v][r] = _mm512_dpbusd_epi32(sums[v][r], weights, factors[v][i]);
        }
      }
#pragma GCC unroll 2
      for (int v = 0; v < Vectors; ++v)
        quarters[v][q] = sumOfFour(sums[v][0], sums[v][1], sums[v][2], sums[v][3]);
    }
#pragma GCC unroll 2
    for (int v = 0; v < Vectors; ++v) {
      const __m512i all =
          sumOfParts(sumOfParts(quarters[v][0], quarters[v][1]), sumOfParts(quarters[v][2], quarters[v][3]));
      _mm512_storeu_si512(out[v] + 16 * g, _mm512_sub_epi32(all, _mm512_set1_epi32(128 * x[v].total)));
    }
  }
}

template <int Vectors, int Steps = 1>
__attribute__((target("avx512bw,avx512vnni"))) void dotSome(const std::int8_t *const *rows, int groups, int first,
                                                            int count, const DotOperand *x, std::int32_t *const *out) {
  if constexpr (64 * Steps < kMaxDotLanes)
    if (count > 64 * Steps)
      return dotSome<Vectors, Steps + 1>(rows, groups, first, count, x, out);
  dotSteps<Vectors, Steps>(rows, groups, first, count, x, out);
}

#else

// Each step is a widening load and a multiply-add of adjacent pairs, which compilers recognise.
template <int Vectors>
HWY_ATTR void dotSome(const std::int8_t *const *rows, int groups, int first, int count, const DotOperand *x,
                      std::int32_t *const *out) {
  for (int r = 0; r < 16 * groups; ++r)
    for (int v = 0; v < Vectors; ++v) {
      const std::int8_t *w = rows[r] + first, *factors = x[v].x;
      std::int32_t total = 0;
      for (int i = 0; i < count; ++i)
        total += std::int32_t{std::int16_t{w[i]}} * std::int32_t{std::int16_t{factors[i]}};
      out[v][r] = total;
    }
}

#endif

HWY_ATTR void dot(const std::int8_t *const *rows, int groups, int first, int count, const DotOperand *x, int vectors,
                  std::int32_t *const *out) {
  vectors == 2 ? dotSome<2>(rows, groups, first, count, x, out) : dotSome<1>(rows, groups, first, count, x, out);
}

HWY_ATTR void plane(const std::uint32_t *HWY_RESTRICT in, std::uint8_t *HWY_RESTRICT out, int index, int lanes) {
  for (int i = 0; i < lanes; ++i)
    out[i] = static_cast<std::uint8_t>(in[i] >> (8 * index));
}

HWY_ATTR void join1(const std::uint8_t *HWY_RESTRICT p, std::uint32_t *HWY_RESTRICT out, int lanes) {
  for (int i = 0; i < lanes; ++i)
    out[i] = static_cast<std::uint32_t>(static_cast<std::int32_t>(static_cast<std::int8_t>(p[i])));
}

HWY_ATTR void join2(const std::uint8_t *HWY_RESTRICT lo, const std::uint8_t *HWY_RESTRICT hi,
                    std::uint32_t *HWY_RESTRICT out, int lanes) {
  for (int i = 0; i < lanes; ++i)
    out[i] = static_cast<std::uint32_t>(static_cast<std::int32_t>(static_cast<std::int8_t>(hi[i]))) << 8 | lo[i];
}

HWY_ATTR void join4(const std::uint8_t *HWY_RESTRICT p0, const std::uint8_t *HWY_RESTRICT p1,
                    const std::uint8_t *HWY_RESTRICT p2, const std::uint8_t *HWY_RESTRICT p3,
                    std::uint32_t *HWY_RESTRICT out, int lanes) {
  for (int i = 0; i < lanes; ++i)
    out[i] = std::uint32_t{p0[i]} | std::uint32_t{p1[i]} << 8 | std::uint32_t{p2[i]} << 16 | std::uint32_t{p3[i]} << 24;
}

HWY_ATTR void join(const std::uint8_t *const *in, std::uint32_t *out, int bytes, int lanes) {
  if (bytes == 1)
    join1(in[0], out, lanes);
  else if (bytes == 2)
    join2(in[0], in[1], out, lanes);
  else
    join4(in[0], in[1], in[2], in[3], out, lanes);
}

HWY_ATTR std::uint32_t add(const std::uint32_t *HWY_RESTRICT a, std::uint32_t *HWY_RESTRICT b, int lanes) {
  std::uint32_t overflow = 0;
  for (int i = 0; i < lanes; ++i) {
    const std::uint32_t in = b[i], total = a[i] + in;
    overflow |= (total ^ a[i]) & (total ^ in);
    b[i] = total;
  }
  return overflow >> 31;
}

#if HWY_TARGET == HWY_SCALAR // has no vectors of 16 lanes

HWY_ATTR void shuffle(const std::uint8_t *in, std::uint8_t *out, const std::uint8_t *from, int superlanes) {
  for (int k = 0; k < superlanes; ++k)
    for (int i = 0; i < 16; ++i)
      out[16 * k + i] = from[i] < 128 ? in[16 * k + from[i]] : 0;
}

HWY_ATTR void transpose(const std::uint8_t *const *in, std::uint8_t *const *out, int superlanes) {
  for (int j = 0; j < 16; ++j)
    for (int k = 0; k < superlanes; ++k)
      for (int i = 0; i < 16; ++i)
        out[j][16 * k + i] = in[i][16 * k + j];
}

#else

using Superlane = hn::Simd<std::uint8_t, 16, 0>;

HWY_ATTR void shuffle(const std::uint8_t *in, std::uint8_t *out, const std::uint8_t *from, int superlanes) {
  const Superlane d;
  const auto table = hn::LoadU(d, from);
  for (int k = 0; k < superlanes; ++k)
    hn::StoreU(hn::TableLookupBytesOr0(hn::LoadU(d, in + 16 * k), table), d, out + 16 * k);
}

// Four times each row of the upper half is threaded between the rows of the lower half.
HWY_ATTR void transpose(const std::uint8_t *const *in, std::uint8_t *const *out, int superlanes) {
  const Superlane d;
  for (int k = 0; k < superlanes; ++k) {
    hn::Vec<Superlane> a[16], b[16];
    for (int i = 0; i < 16; ++i)
      a[i] = hn::LoadU(d, in[i] + 16 * k);
    for (int round = 0; round < 2; ++round) {
      for (int i = 0; i < 8; ++i)
        b[2 * i] = hn::InterleaveLower(d, a[i], a[i + 8]), b[2 * i + 1] = hn::InterleaveUpper(d, a[i], a[i + 8]);
      for (int i = 0; i < 8; ++i)
        a[2 * i] = hn::InterleaveLower(d, b[i], b[i + 8]), a[2 * i + 1] = hn::InterleaveUpper(d, b[i], b[i + 8]);
    }
    for (int i = 0; i < 16; ++i)
      hn::StoreU(a[i], d, out[i] + 16 * k);
  }
}

#endif

} // namespace
} // namespace lpu::sim::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace lpu::sim {

HWY_EXPORT(sum);
HWY_EXPORT(dot);
HWY_EXPORT(plane);
HWY_EXPORT(join);
HWY_EXPORT(add);
HWY_EXPORT(shuffle);
HWY_EXPORT(transpose);

std::int32_t sumInt8(const std::int8_t *x, int count) { return HWY_DYNAMIC_DISPATCH(sum)(x, count); }

void dotRows(const std::int8_t *const *rows, int groups, int first, int count, const DotOperand *x, int vectors,
             std::int32_t *const *out) {
  HWY_DYNAMIC_DISPATCH(dot)(rows, groups, first, count, x, vectors, out);
}

void bytePlane(const std::uint32_t *in, std::uint8_t *out, int index, int lanes) {
  HWY_DYNAMIC_DISPATCH(plane)(in, out, index, lanes);
}

void joinBytes(const std::uint8_t *const *in, std::uint32_t *out, int bytes, int lanes) {
  HWY_DYNAMIC_DISPATCH(join)(in, out, bytes, lanes);
}

bool addSums(const std::uint32_t *a, std::uint32_t *b, int lanes) {
  return HWY_DYNAMIC_DISPATCH(add)(a, b, lanes) != 0;
}

void shuffleSuperlanes(const std::uint8_t *in, std::uint8_t *out, const std::uint8_t *from, int superlanes) {
  HWY_DYNAMIC_DISPATCH(shuffle)(in, out, from, superlanes);
}

void transposeSuperlanes(const std::uint8_t *const *in, std::uint8_t *const *out, int superlanes) {
  HWY_DYNAMIC_DISPATCH(transpose)(in, out, superlanes);
}

} // namespace lpu::sim
#endif
