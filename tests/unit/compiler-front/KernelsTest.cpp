// Each rule of docs/spec/numerics.md on its own: exactness where the rule says
// exact, closeness to real arithmetic elsewhere, and the stated corner cases.

#include "lpu/compiler/Reference/Kernels.h"
#include "lpu/compiler/Support/ModelConstants.h"

#include <cmath>
#include <gtest/gtest.h>
#include <limits>
#include <numeric>

namespace {

using namespace lpu::compiler;
using namespace lpu::compiler::reference;

/// Deterministic values in [−1, 1).
class Random {
public:
  double operator()() {
    state = state * 1664525u + 1013904223u;
    return static_cast<double>(state >> 8) / 8388608.0 - 1.0;
  }

private:
  std::uint32_t state = 99;
};

std::int64_t exact(LaneSum s) { return std::int64_t{s.hi} * 65536 + s.lo; }

TEST(N4, LaneSumIsExact) {
  Random random;
  for (int size : {1, 7, 64, 320, 1000}) {
    std::vector<std::int32_t> v(size);
    for (auto &x : v)
      x = static_cast<std::int32_t>(random() * 1.5e9);
    EXPECT_EQ(exact(laneSum(v)), std::accumulate(v.begin(), v.end(), std::int64_t{0}));
  }
}

TEST(N4, LaneSumOfExtremes) {
  // The digit split adds a bias with wrap-around, so the largest values lose 2^32 (N2.2); up to 2^31 − 2^23 − 2^15 −
  // 2^7 − 1 is safe.
  std::int32_t safe = 0x7fffffff - 0x00808080;
  EXPECT_EQ(exact(laneSum(std::vector<std::int32_t>{safe, safe, safe})), 3 * std::int64_t{safe});
  std::int32_t low = std::numeric_limits<std::int32_t>::min();
  EXPECT_EQ(exact(laneSum(std::vector<std::int32_t>{low, low})), 2 * std::int64_t{low});
}

TEST(N4, LaneSumDoesNotDependOnOrder) {
  std::vector<std::int32_t> v{5, -70000, 1 << 30, -3, 32639 * 32639};
  LaneSum forwards = laneSum(v);
  std::reverse(v.begin(), v.end());
  LaneSum backwards = laneSum(v);
  EXPECT_EQ(forwards.hi, backwards.hi);
  EXPECT_EQ(forwards.lo, backwards.lo);
}

TEST(N1, DigitsClipAndRoundToEven) {
  EXPECT_EQ(toDigits(32638.5f), 32638);
  EXPECT_EQ(toDigits(32639.4f), 32639);
  EXPECT_EQ(toDigits(1e9f), 32639);
  EXPECT_EQ(toDigits(-1e9f), -32639);
  EXPECT_EQ(toDigits(-2.5f), -2);
  EXPECT_EQ(toDigits(std::nanf("")), 0);
}

TEST(N3, LinearEqualsTheExactSumWithThreeRoundings) {
  Random random;
  QuantizedMatrix w{3, 50, std::vector<std::int8_t>(150), {1, 1, 1}};
  for (auto &v : w.values)
    v = static_cast<std::int8_t>(random() * 127);
  Digits x(50);
  for (auto &v : x)
    v = static_cast<std::int16_t>(random() * 32639);
  x[0] = 32639, x[1] = -32639, x[2] = 128, x[3] = -129; // digit borders
  Floats y = linear(w, x, std::vector<float>{1.0f, 0.5f, 3.0f});
  for (int n = 0; n < 3; ++n) {
    std::int64_t high = 0, low = 0, all = 0;
    for (int k = 0; k < 50; ++k) {
      int lo = ((x[k] + 128) & 255) - 128, hi = (x[k] - lo) / 256;
      high += w.values[n * 50 + k] * hi;
      low += w.values[n * 50 + k] * lo;
      all += w.values[n * 50 + k] * x[k];
    }
    EXPECT_EQ(high * 256 + low, all);
    float c[] = {1.0f, 0.5f, 3.0f};
    float sum = static_cast<float>(high) * 256.0f + static_cast<float>(low);
    EXPECT_EQ(y[n], sum * c[n]);
  }
}

TEST(N12, GroupsAreSummedExactlyAndScaledInSteps) {
  Random random;
  QuantizedMatrix w{2, 80, std::vector<std::int8_t>(160), {0.5f, 0.25f, 3.0f, 0.0f, -1.5f, 0.125f}, 32, 3};
  for (auto &v : w.values)
    v = static_cast<std::int8_t>(random() * 127);
  Digits x(80);
  for (auto &v : x)
    v = static_cast<std::int16_t>(random() * 32639);
  Floats y = groupedLinear(w, x, 0.75f);
  for (int n = 0; n < 2; ++n) {
    double a = 0, b = 0; // integers
    for (int g = 0; g < 3; ++g) {
      std::int64_t high = 0, low = 0;
      for (int k = 32 * g; k < std::min(80, 32 * g + 32); ++k) {
        int lo = ((x[k] + 128) & 255) - 128;
        high += w.values[n * 80 + k] * ((x[k] - lo) / 256);
        low += w.values[n * 80 + k] * lo;
      }
      a += std::nearbyint(static_cast<float>(high) * (8 * w.scales[n * 3 + g]));
      b += std::nearbyint(static_cast<float>(low) * (8 * w.scales[n * 3 + g]));
    }
    EXPECT_EQ(y[n], (static_cast<float>(a) * 256.0f + static_cast<float>(b)) * 0.75f);
  }
}

TEST(N12, StepsAreTheFinestThatHoldEverySum) {
  QuantizedMatrix w{1, 64, std::vector<std::int8_t>(64, 127), {1.0f, -1.0f}, 32};
  EXPECT_EQ(groupExponent(w), 11); // 128 · 127 · 64 · 2^11 = 2,130,706,432 of 2,139,062,143
  w.values[0] = -128;
  EXPECT_EQ(groupExponent(w), 11);
  w.scales = {1.0f, 1.01f};
  EXPECT_EQ(groupExponent(w), 10);
  w.values.assign(64, 1);
  w.scales = {60000.0f, 0.5f}; // scaled scales stay below 65504
  EXPECT_EQ(groupExponent(w), 0);
  w.values.assign(64, -128);
  EXPECT_EQ(groupExponent(w), std::nullopt);
}

TEST(N13, OneDigitClips) {
  EXPECT_EQ(toDigits(126.5f, 8), 126);
  EXPECT_EQ(toDigits(400.0f, 8), 127);
  EXPECT_EQ(toDigits(-1e9f, 8), -127);
  EXPECT_EQ(siluMul(Floats{1e4f}, Floats{1.0f}, 8)[0], 127);
}

TEST(N5, RmsNormIsCloseToRealArithmetic) {
  Random random;
  for (double size : {1e-3, 1.0, 30.0}) {
    Floats x(64), gamma(64);
    double squares = 0;
    for (int i = 0; i < 64; ++i) {
      x[i] = static_cast<float>(random() * size);
      gamma[i] = static_cast<float>(1 + 0.3 * random());
      squares += double(x[i]) * x[i];
    }
    double scale = 1.001 * 8 * 1.3 / 32639;
    Digits q = rmsNorm(x, rmsNormGains(gamma, scale), 1e-5f);
    for (int i = 0; i < 64; ++i)
      EXPECT_NEAR(q[i], x[i] / std::sqrt(squares / 64 + 1e-5) * gamma[i] / scale, 0.51) << size;
  }
}

TEST(N5, OneOutlierReachesTheBoundWithoutClipping) {
  Floats x(64, 0.0f), gamma(64, 1.0f);
  x[5] = 100;
  double scale = 1.001 * 8 / 32639;
  Digits q = rmsNorm(x, rmsNormGains(gamma, scale), 1e-5f);
  EXPECT_NEAR(q[5], 8 / scale, 1);
  EXPECT_LT(q[5], 32639);
  EXPECT_EQ(q[4], 0);
}

TEST(N5, ZeroInputGivesZero) {
  Digits q = rmsNorm(Floats(32, 0.0f), Floats(32, 1000.0f), 1e-5f);
  EXPECT_EQ(q, Digits(32, 0));
}

TEST(N6, RopeRotatesPairs) {
  RopeRow row = ropeRow(2, 4, 10000, {});
  Floats x{1000, 2000, -300, 400, 10, 20, 30, 40}; // two heads
  Digits y = rope(x, row.cos, row.sin);
  for (int head = 0; head < 2; ++head)
    for (int pair = 0; pair < 2; ++pair) {
      double angle = 2 * std::pow(10000.0, -pair / 2.0), a = x[head * 4 + pair * 2], b = x[head * 4 + pair * 2 + 1];
      EXPECT_NEAR(y[head * 4 + pair * 2], a * std::cos(angle) - b * std::sin(angle), 0.51);
      EXPECT_NEAR(y[head * 4 + pair * 2 + 1], a * std::sin(angle) + b * std::cos(angle), 0.51);
    }
}

TEST(N7, OnePositionReturnsItsValue) {
  Cache cache{2, 1, 2, {{100, -200}}, {{1.5f, -0.5f}}, {}};
  Digits out = attention(cache, Digits{3, 4, 5, 6}, {1.0f, 1.0f, 1000.0f});
  EXPECT_EQ(out, (Digits{1500, -500, 1500, -500})); // both query heads share the KV head
}

TEST(N7, WeightsFollowSoftmax) {
  // Products 10·100 and 10·200 with c = 1e-3: scores 1 and 2.
  Cache cache{1, 1, 2, {{100, 0}, {200, 0}}, {{1, 0}, {0, 1}}, {}};
  Digits out = attention(cache, Digits{10, 7}, {65536e-3f, 1e-3f, 30000.0f});
  double first = 1 / (1 + std::exp(1.0));
  EXPECT_NEAR(out[0], 30000 * first, 1);
  EXPECT_NEAR(out[1], 30000 * (1 - first), 1);
}

TEST(N7, FarLowerScoresCountAsZero) {
  Cache cache{1, 1, 2, {{32639, 0}, {-32639, 0}}, {{1, 0}, {0, 1}}, {}};
  Digits out = attention(cache, Digits{32639, 0}, {65536e-3f, 1e-3f, 30000.0f});
  EXPECT_EQ(out, (Digits{30000, 0}));
}

Cache tileCache(std::vector<Digits> keys, std::vector<Digits> values, std::uint32_t heads = 1) {
  return {heads, 1, static_cast<std::uint32_t>(keys.front().size()), std::move(keys), {}, std::move(values)};
}

TEST(N11, OnePositionReturnsItsValue) {
  // Its weight is 32639 and so is their sum.
  Cache cache = tileCache({{100, -200}}, {{32639, -129}}, 2);
  EXPECT_EQ(attentionInTiles(cache, Digits{3, 4, 5, 6}, 1.0f), (Digits{32639, -129, 32639, -129}));
}

TEST(N11, WeightsFollowSoftmax) {
  // Products 10·100 and 10·200 with c = 1e-3: scores 1 and 2.
  Cache cache = tileCache({{100, 0}, {200, 0}}, {{30000, 0}, {0, 30000}});
  Digits out = attentionInTiles(cache, Digits{10, 7}, 1e-3f);
  double first = 1 / (1 + std::exp(1.0));
  EXPECT_NEAR(out[0], 30000 * first, 1);
  EXPECT_NEAR(out[1], 30000 * (1 - first), 1);
}

TEST(N11, ScoresAreExactWhereDigitsAreNegative) {
  // 32639 = (127, 127), −129 = (−1, 127), 128 = (1, −128): products whose digit sums have all signs.
  for (std::int16_t q : {32639, -32639, -129, 128})
    for (std::int16_t k : {32639, -129, 128}) {
      double c = 2.0 / (32639.0 * 32639.0);
      Cache cache = tileCache({{k}, {0}}, {{20000}, {0}});
      EXPECT_NEAR(attentionInTiles(cache, Digits{q}, static_cast<float>(c))[0], 20000 / (1 + std::exp(-c * q * k)), 2)
          << q << " " << k;
    }
}

TEST(N11, FarLowerScoresCountAsZero) {
  Cache cache = tileCache({{32639, 0}, {-32639, 0}}, {{30000, 0}, {0, 30000}});
  EXPECT_EQ(attentionInTiles(cache, Digits{32639, 0}, 1e-3f), (Digits{30000, 0}));
}

TEST(N8, SiluTimesUp) {
  Floats gate{-100, -1, 0, 1, 100}, up{500, 500, 500, 500, 100};
  Digits out = siluMul(gate, up);
  for (int i = 0; i < 5; ++i)
    EXPECT_NEAR(out[i], gate[i] / (1 + std::exp(-double(gate[i]))) * up[i], 0.51);
}

TEST(N9, AddAndHalf) {
  EXPECT_EQ(add(Floats{1, 2}, Floats{10, 20}), (Floats{11, 22}));
  Floats v{1.0f + 0x1p-11f, 1.0f + 3 * 0x1p-11f}; // ties to even
  roundToHalf(v);
  EXPECT_EQ(v, (Floats{1.0f, 1.0f + 0x1p-9f}));
}

} // namespace
