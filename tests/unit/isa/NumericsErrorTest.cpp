// The special functions against double precision: largest errors (stated in
// Numerics.h), limits, special values and monotony.
#include "lpu/isa/Numerics.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>

using namespace lpu::isa;

namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();
float fromBits(std::uint32_t v) { return std::bit_cast<float>(v); }
std::uint32_t bits(float v) { return std::bit_cast<std::uint32_t>(v); }

/// Error in units of the last place of `exact` as fp32.
double ulps(float got, double exact) {
  int exponent;
  std::frexp(exact, &exponent);
  return std::fabs(got - exact) / std::ldexp(1.0, std::max(exponent - 1, -126) - 23);
}

/// Largest error over every `stride`-th pattern from low to high, of either sign if `both`.
template <typename Function, typename Exact>
double worst(Function f, Exact exact, float low, float high, std::uint32_t stride, bool both) {
  double most = 0;
  for (std::uint32_t b = bits(low); b <= bits(high); b += stride)
    for (float v : {fromBits(b), both ? -fromBits(b) : fromBits(b)}) {
      const double e = exact(static_cast<double>(v));
      if (e == 0 || std::fabs(e) >= 0x1p-126)
        most = std::max(most, ulps(f(v), e));
    }
  return most;
}

// The bounds are the maxima of full sweeps, rounded up to two digits.
TEST(NumericsErrors, Exp) {
  const auto exact = [](double v) { return std::exp(v); };
  EXPECT_LE(worst(expF32, exact, 0x1p-30f, 88.72f, 97, true), 1.04);
}

TEST(NumericsErrors, Tanh) {
  const auto exact = [](double v) { return std::tanh(v); };
  EXPECT_LE(worst(tanhF32, exact, 0x1p-126f, 20.0f, 97, true), 1.32);
}

TEST(NumericsErrors, Rsqrt) {
  const auto exact = [](double v) { return 1 / std::sqrt(v); };
  EXPECT_LE(worst(rsqrtF32, exact, 1.0f, 4.0f, 1, false), 1.5);
  EXPECT_LE(worst(rsqrtF32, exact, fromBits(1), std::numeric_limits<float>::max(), 997, false), 1.5);
}

TEST(NumericsErrors, RecipIsCorrectlyRounded) {
  const auto exact = [](double v) { return 1 / v; };
  EXPECT_LE(worst(recipF32, exact, 1.0f, 2.0f, 1, true), 0.5);
  EXPECT_LE(worst(recipF32, exact, 0x1p-126f, 0x1p126f, 997, true), 0.5);
}

TEST(SpecialValues, Exp) {
  EXPECT_EQ(expF32(0.0f), 1.0f);
  EXPECT_EQ(expF32(-0.0f), 1.0f);
  EXPECT_EQ(expF32(1.0f), 2.7182817f);
  EXPECT_EQ(expF32(kInf), kInf);
  EXPECT_EQ(bits(expF32(-kInf)), 0u);
  EXPECT_EQ(expF32(88.73f), kInf);
  EXPECT_LT(expF32(88.72f), kInf);
  EXPECT_EQ(bits(expF32(-103.98f)), 0u);
  EXPECT_EQ(bits(expF32(-3e38f)), 0u);
  // Results under 2^-126 are zero, the smallest ones above are normal.
  EXPECT_EQ(bits(expF32(-87.34f)), 0u);
  EXPECT_GE(expF32(-87.33f), 0x1p-126f);
  EXPECT_NE(expF32(fromBits(0x7FC00000)), expF32(fromBits(0x7FC00000)));
}

TEST(SpecialValues, Tanh) {
  EXPECT_EQ(bits(tanhF32(0.0f)), 0u);
  EXPECT_EQ(bits(tanhF32(-0.0f)), 0x80000000u);
  EXPECT_EQ(tanhF32(kInf), 1.0f);
  EXPECT_EQ(tanhF32(-kInf), -1.0f);
  EXPECT_EQ(tanhF32(10.0f), 1.0f);
  EXPECT_EQ(tanhF32(3e38f), 1.0f);
  EXPECT_EQ(tanhF32(1e-40f), 1e-40f);
  for (float v : {1e-20f, 1e-3f, 0.3f, 0.624f, 0.626f, 1.0f, 5.0f, 8.9f}) {
    EXPECT_EQ(tanhF32(-v), -tanhF32(v));
    EXPECT_LE(tanhF32(v), 1.0f);
  }
}

TEST(SpecialValues, RsqrtAndRecip) {
  EXPECT_EQ(rsqrtF32(0.0f), kInf);
  EXPECT_EQ(rsqrtF32(-0.0f), kInf);
  EXPECT_EQ(rsqrtF32(4.0f), 0.5f);
  EXPECT_EQ(rsqrtF32(0.25f), 2.0f);
  EXPECT_EQ(bits(rsqrtF32(kInf)), 0u);
  EXPECT_EQ(bits(rsqrtF32(-1e-40f)), 0x7FC00000u);
  EXPECT_EQ(bits(rsqrtF32(-kInf)), 0x7FC00000u);
  EXPECT_EQ(recipF32(0.0f), kInf);
  EXPECT_EQ(recipF32(-0.0f), -kInf);
  EXPECT_EQ(recipF32(kInf), 0.0f);
  EXPECT_EQ(recipF32(-4.0f), -0.25f);
  EXPECT_EQ(recipF32(0x1p127f), 0x1p-127f); // subnormal results are kept
}

/// Attention subtracts the maximum first, so exp of what is left must not exceed 1.
TEST(Monotony, ExpOfNonPositiveIsAtMostOne) {
  for (std::uint32_t b = bits(-0.0f); b < bits(-kInf); b += 1009)
    ASSERT_LE(expF32(fromBits(b)), 1.0f) << std::hex << b;
}

/// exp, tanh and rsqrt may wiggle by their error, never by more.
TEST(Monotony, NoStepBackLargerThanTheError) {
  float previousExp = 0, previousTanh = 0, previousRsqrt = kInf;
  for (std::uint32_t b = bits(0x1p-20f); b < bits(80.0f); b += 1013) {
    const float v = fromBits(b);
    const float e = expF32(v), t = tanhF32(v), r = rsqrtF32(v);
    ASSERT_GE(e, previousExp * (1 - 0x1p-22f)) << v;
    ASSERT_GE(t, previousTanh * (1 - 0x1p-22f)) << v;
    ASSERT_LE(r, previousRsqrt * (1 + 0x1p-22f)) << v;
    previousExp = e, previousTanh = t, previousRsqrt = r;
  }
}

} // namespace
