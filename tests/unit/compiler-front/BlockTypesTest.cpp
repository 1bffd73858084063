// Encodings of scaled blocks. Blocks are packed here from chosen scales, minima
// and values, field by field as ggml's format describes them, and must decode to
// what those numbers say, computed in double. Some blocks are written out by hand.

#include "lpu/compiler/Import/TensorTypes.h"

#include "GgufBuilder.h"
#include "lpu/compiler/Import/WeightStore.h"

#include <array>
#include <cmath>
#include <gtest/gtest.h>

namespace {

using namespace lpu;
using namespace lpu::compiler;
using Bytes = std::vector<std::uint8_t>;

std::vector<float> decode(std::uint32_t number, const Bytes &bytes) {
  const TensorType *type = findTensorType(number);
  std::vector<float> out(bytes.size() / type->blockBytes * type->blockValues);
  type->decode(bytes, out);
  return out;
}

void putHalf(Bytes &out, std::uint16_t bits) {
  out.push_back(static_cast<std::uint8_t>(bits));
  out.push_back(static_cast<std::uint8_t>(bits >> 8));
}

/// A half that uses all its bits, so that sums with it round: 1365/4096.
constexpr std::uint16_t kThird = 0x3555;
constexpr double kThirdValue = 1365.0 / 4096;
constexpr std::uint16_t kMinusTen = 0xc901; // −10.0078125
constexpr double kMinusTenValue = -10.0078125;

struct Small {
  std::uint32_t number;
  int bits;
  bool hasMin;
};
void PrintTo(const Small &s, std::ostream *out) { *out << tensorTypeName(s.number); }

class SmallBlocks : public testing::TestWithParam<Small> {};

TEST_P(SmallBlocks, DecodeToScaleTimesValuePlusMinimum) {
  auto [number, bits, hasMin] = GetParam();
  std::array<int, 32> q{};
  Bytes block;
  putHalf(block, kThird);
  if (hasMin)
    putHalf(block, kMinusTen);
  std::uint32_t fifth = 0;
  for (int i = 0; i < 32; ++i) {
    q[i] = (i * 11 + i / 16 * 3 + 5) % (1 << bits); // the two halves differ
    fifth |= static_cast<std::uint32_t>(q[i] >> 4) << i;
  }
  for (int i = 0; bits == 5 && i < 4; ++i)
    block.push_back(static_cast<std::uint8_t>(fifth >> 8 * i));
  for (int i = 0; i < 16; ++i)
    block.push_back(static_cast<std::uint8_t>(q[i] % 16 + q[i + 16] % 16 * 16));
  ASSERT_EQ(block.size(), findTensorType(number)->blockBytes);
  std::vector<float> values = decode(number, block);
  ASSERT_EQ(values.size(), 32u);
  double offset = hasMin ? kMinusTenValue : -kThirdValue * (1 << (bits - 1));
  for (int i = 0; i < 32; ++i)
    EXPECT_EQ(values[i], static_cast<float>(kThirdValue * q[i] + offset)) << i;
}

INSTANTIATE_TEST_SUITE_P(Types, SmallBlocks,
                         testing::Values(Small{2, 4, false}, Small{3, 4, true}, Small{6, 5, false}, Small{7, 5, true}),
                         [](const auto &info) { return tensorTypeName(info.param.number); });

/// Q4_K or Q5_K with the given 6-bit scales and minima; value i of group g is (11 i + 5 g) mod 2^bits.
Bytes packGroups(int bits, const std::array<int, 8> &scales, const std::array<int, 8> &minima) {
  auto value = [&](int g, int i) { return (11 * i + 5 * g) % (1 << bits); };
  Bytes block;
  putHalf(block, kThird);
  putHalf(block, kMinusTen);
  for (int g = 0; g < 4; ++g)
    block.push_back(static_cast<std::uint8_t>(scales[g] + scales[g + 4] / 16 * 64));
  for (int g = 0; g < 4; ++g)
    block.push_back(static_cast<std::uint8_t>(minima[g] + minima[g + 4] / 16 * 64));
  for (int g = 4; g < 8; ++g)
    block.push_back(static_cast<std::uint8_t>(scales[g] % 16 + minima[g] % 16 * 16));
  for (int i = 0; bits == 5 && i < 32; ++i) {
    int byte = 0;
    for (int g = 0; g < 8; ++g)
      byte += value(g, i) / 16 << g;
    block.push_back(static_cast<std::uint8_t>(byte));
  }
  for (int g = 0; g < 8; g += 2)
    for (int i = 0; i < 32; ++i)
      block.push_back(static_cast<std::uint8_t>(value(g, i) % 16 + value(g + 1, i) % 16 * 16));
  return block;
}

TEST(KBlocks, Q4KAndQ5K) {
  const std::array<int, 8> scales{63, 1, 32, 17, 47, 5, 16, 58}, minima{0, 63, 31, 8, 48, 20, 2, 33};
  for (auto [number, bits] : {std::pair{12u, 4}, std::pair{13u, 5}}) {
    Bytes block = packGroups(bits, scales, minima);
    ASSERT_EQ(block.size(), findTensorType(number)->blockBytes);
    std::vector<float> values = decode(number, block);
    ASSERT_EQ(values.size(), 256u);
    for (int v = 0; v < 256; ++v) {
      int g = v / 32, q = (11 * (v % 32) + 5 * g) % (1 << bits);
      EXPECT_EQ(values[v], static_cast<float>(kThirdValue * scales[g] * q - kMinusTenValue * minima[g])) << v;
    }
  }
}

TEST(KBlocks, Q4KByHand) {
  Bytes block(144, 0);
  block[1] = 0x3c, block[3] = 0x38; // factors 1 and 0.5
  block[4] = 0xc1;                  // scale of group 0: 1; high bits of group 4's: 3
  block[8] = 0x42;                  // minimum of group 0: 2; high bits of group 4's: 1
  block[12] = 0x5a;                 // low bits of group 4: scale 10, minimum 5; so 58 and 21
  block[16] = 0x73;                 // value 0 of group 0: 3, of group 1: 7
  block[16 + 64] = 0x0f;            // value 0 of group 4: 15
  std::vector<float> values = decode(12, block);
  EXPECT_EQ(values[0], 3 - 0.5f * 2);
  EXPECT_EQ(values[1], -1.0f);
  EXPECT_EQ(values[32], 0.0f); // group 1 has scale and minimum 0
  EXPECT_EQ(values[128], 58 * 15 - 0.5f * 21);
  EXPECT_EQ(values[129], -10.5f);
  EXPECT_EQ(values[160], 0.0f);
}

TEST(KBlocks, Q6K) {
  Bytes block(210, 0);
  auto value = [](int v) { return (v * 37 + v / 32 * 5) % 64; }; // no two runs are alike
  auto scale = [](int g) { return g * 17 - 128; };               // −128 to 127
  for (int v = 0; v < 256; ++v) {
    int half = v / 128, run = v / 32 % 4, i = v % 32;
    block[half * 64 + run % 2 * 32 + i] |= static_cast<std::uint8_t>(value(v) % 16 << (run / 2 * 4));
    block[128 + half * 32 + i] |= static_cast<std::uint8_t>(value(v) / 16 << (run * 2));
  }
  for (int g = 0; g < 16; ++g)
    block[192 + g] = static_cast<std::uint8_t>(scale(g));
  block[208] = kThird & 255, block[209] = kThird >> 8;
  std::vector<float> values = decode(14, block);
  ASSERT_EQ(values.size(), 256u);
  for (int v = 0; v < 256; ++v)
    EXPECT_EQ(values[v], static_cast<float>(kThirdValue * scale(v / 16) * (value(v) - 32))) << v;
}

TEST(KBlocks, Q6KByHand) {
  Bytes block(210, 0);
  block[0] = 0x21, block[32] = 0x54; // low nibbles of values 0: 1, 64: 2, 32: 4, 96: 5
  block[128] = 0xc9;                 // high pairs of values 0: 1, 32: 2, 64: 0, 96: 3
  block[192] = 2, block[194] = 0xff, block[196] = 3, block[198] = 0x80;
  block[209] = 0x38; // 0.5
  std::vector<float> values = decode(14, block);
  EXPECT_EQ(values[0], 0.5f * 2 * (17 - 32));
  EXPECT_EQ(values[32], 0.5f * -1 * (36 - 32));
  EXPECT_EQ(values[64], 0.5f * 3 * (2 - 32));
  EXPECT_EQ(values[96], 0.5f * -128 * (53 - 32));
}

TEST(BlockTypes, BF16) {
  // 1, −2, the smallest subnormal, the largest finite.
  EXPECT_EQ(decode(30, {0x80, 0x3f, 0x00, 0xc0, 0x01, 0x00, 0x7f, 0x7f}),
            (std::vector<float>{1.0f, -2.0f, 0x1p-133f, 0x1.fep127f}));
  EXPECT_TRUE(std::isnan(decode(30, {0xc0, 0x7f})[0]));
}

TEST(BlockTypes, EveryBlockHasItsOwnFactors) {
  for (std::uint32_t number : {3u, 6u, 7u, 12u, 13u, 14u}) {
    const TensorType &type = *findTensorType(number);
    Bytes one(type.blockBytes, 0x11), two;
    std::size_t factor = number == 14 ? 208 : 0;
    one[factor] = 0, one[factor + 1] = 0x3c;
    if (number != 6 && number != 14)
      one[2] = one[3] = 0; // no minimum
    two = one;
    one[factor + 1] = 0x44; // 4
    two.insert(two.end(), one.begin(), one.end());
    std::vector<float> values = decode(number, two);
    for (std::uint32_t i = 0; i < type.blockValues; ++i)
      EXPECT_EQ(values[type.blockValues + i], 4 * values[i]) << type.name << " " << i;
    EXPECT_NE(values[0], 0.0f) << type.name;
  }
}

/// A model 256 wide whose matrices take the given types in turn.
test::GgufBuilder mixedModel(const std::vector<std::uint32_t> &types) {
  test::GgufBuilder file =
      test::TinyLlama{.layers = 2, .hidden = 256, .heads = 4, .headDim = 64, .ffn = 256, .tokenizer = false}.build();
  std::uint32_t state = 5;
  std::size_t next = 0;
  for (test::GgufBuilder::Tensor &tensor : file.tensors) {
    if (tensor.dims.size() == 1)
      continue;
    const TensorType &type = *findTensorType(types[next++ % types.size()]);
    tensor.type = type.number;
    tensor.data.resize(tensor.dims[0] * tensor.dims[1] / type.blockValues * type.blockBytes);
    for (std::uint8_t &byte : tensor.data) {
      state = state * 1664525u + 1013904223u;
      byte = static_cast<std::uint8_t>(state >> 24) & 0xbb; // fp16 and bf16 of any two such bytes are finite
    }
  }
  return file;
}

TEST(BlockTypes, MixedInOneFile) {
  const std::vector<std::uint32_t> types{14, 12, 30, 13, 7, 8, 6, 3, 2, 1};
  test::GgufBuilder file = mixedModel(types);
  std::string path = test::temporaryPath("mixed.gguf");
  test::writeFile(path, file.bytes());
  auto store = WeightStore::open(path);
  ASSERT_TRUE(store) << store.error().str();
  for (const test::GgufBuilder::Tensor &tensor : file.tensors) {
    auto values = (*store)->load(tensor.name);
    ASSERT_TRUE(values) << values.error().str();
    EXPECT_EQ((*store)->typeName(tensor.name), tensorTypeName(tensor.type));
    EXPECT_EQ(*values, decode(tensor.type, tensor.data)) << tensor.name;
    std::vector<float> row(tensor.dims[0]),
        expected(values->end() - static_cast<std::ptrdiff_t>(row.size()), values->end());
    auto last = static_cast<std::uint32_t>(values->size() / row.size() - 1);
    ASSERT_TRUE((*store)->loadRow(tensor.name, last, row));
    EXPECT_EQ(row, expected) << tensor.name;
  }
}

TEST(BlockTypes, InfiniteFactorIsFoundAndPlaced) {
  for (std::uint32_t number : {3u, 7u, 12u, 13u, 14u, 30u}) {
    test::GgufBuilder file = mixedModel({number});
    const TensorType &type = *findTensorType(number);
    test::GgufBuilder::Tensor &tensor = file.at("blk.1.ffn_down.weight");
    std::size_t row = 3 * 256 / type.blockValues * type.blockBytes, factor = number == 14 ? 208 : 0;
    tensor.data[row + factor] = number == 30 ? 0x80 : 0;
    tensor.data[row + factor + 1] = number == 30 ? 0x7f : 0x7c;
    std::string path = test::temporaryPath("infinite.gguf");
    test::writeFile(path, file.bytes());
    auto store = WeightStore::open(path);
    ASSERT_TRUE(store) << store.error().str();
    auto values = (*store)->load("blk.1.ffn_down.weight");
    ASSERT_FALSE(values) << type.name;
    EXPECT_NE(values.error().message.find("value [3, "), std::string::npos) << values.error().str();
  }
}

} // namespace
