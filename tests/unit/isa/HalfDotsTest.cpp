// N14: sums of products of fp16 values against plain integer arithmetic that
// shares no code with them: decoding of bits, a wide integer, rounding by hand.
#include "lpu/isa/Numerics.h"

#include "Targets.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <bit>
#include <cmath>
#include <vector>

using namespace lpu::isa;

namespace {

using Halves = std::vector<std::uint16_t>;
constexpr std::uint32_t kNan = 0x7FC00000u;
constexpr std::uint16_t kOne = 0x3C00, kLargest = 0x7BFF, kSmallest = 0x0001, kInfinity = 0x7C00, kSign = 0x8000;

bool isSpecial(std::uint16_t h) { return (h & 0x7C00) == 0x7C00; }

/// h in units of 2^-24.
__int128 units(std::uint16_t h) {
  const int exponent = h >> 10 & 31;
  const __int128 fraction = h & 1023, magnitude = exponent ? (fraction + 1024) << (exponent - 1) : fraction;
  return h >> 15 ? -magnitude : magnitude;
}

/// sum · 2^-48 to fp32, nearest even.
std::uint32_t rounded(__int128 sum) {
  const std::uint32_t sign = sum < 0 ? 1u << 31 : 0;
  unsigned __int128 magnitude = sum < 0 ? -sum : sum;
  if (magnitude == 0)
    return 0;
  int exponent = 127 - 48 + 23; // of a significand of 24 bits
  while (magnitude < 1u << 23)
    magnitude <<= 1, --exponent;
  unsigned __int128 dropped = 0, half = 0;
  int shift = 0;
  while (magnitude >> shift >= 1u << 24)
    ++shift;
  if (shift > 0) {
    half = static_cast<unsigned __int128>(1) << (shift - 1);
    dropped = magnitude & (2 * half - 1);
    magnitude >>= shift, exponent += shift;
    if (dropped > half || (dropped == half && (magnitude & 1)))
      ++magnitude;
    if (magnitude == 1u << 24)
      magnitude >>= 1, ++exponent;
  }
  return sign | static_cast<std::uint32_t>(exponent) << 23 | (static_cast<std::uint32_t>(magnitude) & ((1u << 23) - 1));
}

std::uint32_t plain(const Halves &w, const Halves &x) {
  __int128 sum = 0;
  for (std::size_t i = 0; i < w.size(); ++i) {
    if (isSpecial(w[i]) || isSpecial(x[i]))
      return kNan;
    sum += units(w[i]) * units(x[i]);
  }
  return rounded(sum);
}

std::uint32_t dot(const Halves &w, const Halves &x) {
  float out = 0;
  halfDots(w.data(), 1, x.data(), static_cast<int>(w.size()), &out);
  return std::bit_cast<std::uint32_t>(out);
}

std::uint32_t bits(float v) { return std::bit_cast<std::uint32_t>(v); }

TEST(N14, DirectedValues) {
  EXPECT_EQ(dot({kOne}, {kOne}), bits(1.0f));
  EXPECT_EQ(dot({kSmallest}, {kSmallest}), bits(0x1p-48f)); // subnormals are exact
  EXPECT_EQ(dot({kLargest, kLargest}, {kLargest, kLargest}), bits(2 * 65504.0f * 65504.0f));
  EXPECT_EQ(dot({kOne, kOne | kSign}, {kOne, kOne}), 0u); // an exact zero is +0
  EXPECT_EQ(dot({kSign}, {kOne}), 0u);                    // -0 · 1
  EXPECT_EQ(dot({}, {}), 0u);
  // One rounding: 2^24 and two halves of an ulp that alternate between product and sum would lose.
  EXPECT_EQ(dot({0x6C00, kOne, kOne}, {0x6C00, kOne, 0}), bits(0x1p24f)); // 2^12 · 2^12 + 1: a tie to even
  EXPECT_EQ(dot({0x6C00, kOne, kSmallest}, {0x6C00, kOne, kSmallest}), bits(0x1.000002p24f)); // 2^-48 breaks it
  EXPECT_EQ(dot({0x6C00, kOne, kOne}, {0x6C00, kOne, kOne}), bits(0x1.000002p24f));
  // The widest cancellation: everything but the smallest product goes.
  EXPECT_EQ(dot({kLargest, kLargest | kSign, kSmallest}, {kLargest, kLargest, kSmallest}), bits(0x1p-48f));
}

TEST(N14, SpecialsGiveTheCanonicalNan) {
  EXPECT_EQ(dot({kInfinity, kOne}, {kOne, kOne}), kNan);
  EXPECT_EQ(dot({kOne, kOne}, {kOne, kInfinity | kSign}), kNan);
  EXPECT_EQ(dot({kInfinity}, {0}), kNan);
  EXPECT_EQ(dot({0xFE01}, {kOne}), kNan);
}

TEST(N14, FullRowsOfTheLargestMagnitude) {
  for (std::uint16_t sign : {std::uint16_t{0}, kSign}) {
    const Halves w(4096, kLargest | sign), x(4096, kLargest);
    EXPECT_EQ(dot(w, x), plain(w, x));
  }
}

TEST(N14, AgreesWithIntegersOnEveryTarget) {
  lpu::test::onEveryTarget([](const char *target) {
    rc::check(target, [] {
      const auto any = rc::gen::weightedOneOf<std::uint16_t>(
          {{40, rc::gen::arbitrary<std::uint16_t>()}, {1, rc::gen::element(kInfinity, kSmallest, kLargest)}});
      const auto finite =
          rc::gen::map(any, [](std::uint16_t h) { return static_cast<std::uint16_t>(isSpecial(h) ? h & 0x83FF : h); });
      const bool specials = *rc::gen::inRange(0, 8) == 0;
      const int count = *rc::gen::inRange(0, 161);
      const Halves w = *rc::gen::container<Halves>(count, specials ? any : finite),
                   x = *rc::gen::container<Halves>(count, finite);
      RC_ASSERT(dot(w, x) == plain(w, x));
    });
  });
}

TEST(N14, RowsAreIndependent) {
  Halves w, x;
  for (int i = 0; i < 7 * 48; ++i)
    w.push_back(static_cast<std::uint16_t>(i * 2654435761u >> 17 & 0xBFFF));
  for (int i = 0; i < 48; ++i)
    x.push_back(static_cast<std::uint16_t>(i * 40503u & 0xBFFF));
  std::vector<float> out(7);
  halfDots(w.data(), 7, x.data(), 48, out.data());
  for (int row = 0; row < 7; ++row)
    EXPECT_EQ(bits(out[row]), plain(Halves(w.begin() + row * 48, w.begin() + (row + 1) * 48), x)) << row;
}

} // namespace
