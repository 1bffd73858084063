// Decoding of each supported encoding against values worked out by hand.

#include "lpu/compiler/Import/TensorTypes.h"

#include <gtest/gtest.h>

namespace {

using namespace lpu::compiler;

std::vector<float> decode(std::uint32_t number, const std::vector<std::uint8_t> &bytes) {
  const TensorType *type = findTensorType(number);
  std::vector<float> out(bytes.size() / type->blockBytes * type->blockValues);
  type->decode(bytes, out);
  return out;
}

TEST(TensorTypes, F32) { EXPECT_EQ(decode(0, {0, 0, 0x80, 0x3f, 0, 0, 0, 0xc0}), (std::vector<float>{1.0f, -2.0f})); }

TEST(TensorTypes, F16) {
  // 1, −2, the largest finite, the smallest subnormal.
  EXPECT_EQ(decode(1, {0x00, 0x3c, 0x00, 0xc0, 0xff, 0x7b, 0x01, 0x00}),
            (std::vector<float>{1.0f, -2.0f, 65504.0f, 0x1p-24f}));
}

TEST(TensorTypes, Q8_0) {
  std::vector<std::uint8_t> block{0x00, 0x38}; // scale 0.5
  for (int i = 0; i < 32; ++i)
    block.push_back(static_cast<std::uint8_t>(i == 31 ? 0x80 : i - 5));
  std::vector<float> values = decode(8, block);
  ASSERT_EQ(values.size(), 32u);
  EXPECT_EQ(values[0], -2.5f);
  EXPECT_EQ(values[5], 0.0f);
  EXPECT_EQ(values[30], 12.5f);
  EXPECT_EQ(values[31], -64.0f);
}

TEST(TensorTypes, Q4_0) {
  std::vector<std::uint8_t> block{0x00, 0x40}; // scale 2
  for (int i = 0; i < 16; ++i)
    block.push_back(static_cast<std::uint8_t>(i | (15 - i) << 4)); // low nibble i, high nibble 15 − i
  std::vector<float> values = decode(2, block);
  ASSERT_EQ(values.size(), 32u);
  for (int i = 0; i < 16; ++i) {
    EXPECT_EQ(values[i], 2.0f * (i - 8));
    EXPECT_EQ(values[16 + i], 2.0f * (7 - i));
  }
}

TEST(TensorTypes, SeveralBlocksKeepTheirOwnScale) {
  std::vector<std::uint8_t> two(68, 1);
  two[0] = 0, two[1] = 0x3c;   // 1
  two[34] = 0, two[35] = 0x44; // 4
  std::vector<float> values = decode(8, two);
  EXPECT_EQ(values[31], 1.0f);
  EXPECT_EQ(values[32], 4.0f);
}

TEST(TensorTypes, NamesForErrors) {
  EXPECT_EQ(supportedTensorTypes(), "F32, F16, BF16, Q8_0, Q4_0, Q4_1, Q5_0, Q5_1, Q2_K, Q3_K, Q4_K, "
                                    "Q5_K, Q6_K, IQ4_NL, IQ4_XS");
  EXPECT_EQ(tensorTypeName(8), "Q8_0");
  EXPECT_EQ(tensorTypeName(14), "Q6_K");
  EXPECT_EQ(tensorTypeName(1000), "type 1000");
  EXPECT_EQ(tensorTypeName(21), "IQ3_S");
  EXPECT_EQ(findTensorType(21), nullptr);
}

} // namespace
