// Constants of docs/spec/numerics.md against values worked out by hand.

#include "lpu/compiler/Support/ModelConstants.h"

#include <cmath>
#include <gtest/gtest.h>

namespace {

using namespace lpu::compiler;

TEST(ModelConstants, LinearScaleRoundsOnce) {
  EXPECT_EQ(linearScale(0.5, 0.25f, 1.0), 0.125f);
  EXPECT_EQ(linearScale(0.5, 0.25f, 1.0 / 0.125), 1.0f);
  // Rounded after both products: 2^-25 + 1 would vanish if s_x·s_w were rounded first.
  EXPECT_EQ(linearScale(1.0 + 0x1p-25, 1.0f, 0x1p24), static_cast<float>(0x1p24 + 0.5));
}

TEST(ModelConstants, RmsNorm) {
  RmsNormConstants c = rmsNormConstants(64);
  EXPECT_EQ(c.coarseHi, 64.0f);
  EXPECT_EQ(c.coarseLo, 0x1p-10f);
  EXPECT_EQ(c.fineHi, 0x1p-24f);
  EXPECT_EQ(c.fineLo, 0x1p-40f);
  EXPECT_EQ(RmsNormConstants::kCoarse, 0x1p4f);
  EXPECT_EQ(RmsNormConstants::kMinusInverseCoarse, -0x1p-4f);
  EXPECT_EQ(RmsNormConstants::kFine, 0x1p34f);
  EXPECT_EQ(rmsNormGains(std::vector<float>{2, -3}, 0.5), (std::vector<float>{4, -6}));
}

TEST(ModelConstants, Scores) {
  ScoreConstants c = scoreConstants(0.5, 0.25, 16);
  EXPECT_EQ(c.scoreLo, 0.03125f);
  EXPECT_EQ(c.scoreHi, 2048.0f);
  EXPECT_EQ(inverseScale(0.125), 8.0f);
}

TEST(ModelConstants, RopeRowPairsAndSigns) {
  RopeRow zero = ropeRow(0, 4, 10000, {});
  EXPECT_EQ(zero.cos, (std::vector<float>{1, 1, 1, 1}));
  for (float s : zero.sin)
    EXPECT_EQ(s, 0.0f);
  RopeRow row = ropeRow(3, 4, 10000, {}); // frequencies 1 and 10000^-1/2 = 0.01
  EXPECT_EQ(row.cos[0], static_cast<float>(std::cos(3.0)));
  EXPECT_EQ(row.cos[0], row.cos[1]);
  EXPECT_EQ(row.sin[1], static_cast<float>(std::sin(3.0)));
  EXPECT_EQ(row.sin[0], -row.sin[1]);
  EXPECT_FLOAT_EQ(row.cos[2], static_cast<float>(std::cos(0.03)));
  EXPECT_FLOAT_EQ(row.sin[3], static_cast<float>(std::sin(0.03)));
}

TEST(ModelConstants, RopeFrequencyDivisors) {
  RopeRow row = ropeRow(3, 4, 10000, std::vector<float>{2.0f, 0.5f});
  EXPECT_FLOAT_EQ(row.sin[1], static_cast<float>(std::sin(1.5)));
  EXPECT_FLOAT_EQ(row.sin[3], static_cast<float>(std::sin(0.06)));
}

} // namespace
