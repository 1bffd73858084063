// Loading by name, N3 quantization, and rejection of values that are not numbers.

#include "lpu/compiler/Import/WeightStore.h"

#include "GgufBuilder.h"
#include "lpu/isa/Numerics.h"

#include <bit>
#include <cmath>
#include <gtest/gtest.h>

namespace {

using namespace lpu;
using namespace lpu::compiler;
using lpu::test::GgufBuilder;

const char *const kOut = "output.weight";

std::shared_ptr<WeightStore> openOrFail(const GgufBuilder &builder) {
  std::string path = test::temporaryPath("store.gguf");
  test::writeFile(path, builder.bytes());
  auto store = WeightStore::open(path);
  EXPECT_TRUE(store) << store.error().str();
  return store ? *store : nullptr;
}

/// output.weight [2][32] of the given type with all data bytes given.
GgufBuilder withOutput(std::uint32_t type, const GgufBuilder::Bytes &data) {
  GgufBuilder b = test::TinyLlama{.layers = 1, .vocabulary = 2, .tokenizer = false}.build();
  b.tensor(kOut, {32, 2}, type, data);
  return b;
}

TEST(WeightStore, LoadsF32RowMajor) {
  std::vector<float> values(64);
  for (int i = 0; i < 64; ++i)
    values[i] = 0.25f * static_cast<float>(i);
  GgufBuilder b = withOutput(0, {});
  b.tensorF32(kOut, {32, 2}, values);
  auto store = openOrFail(b);
  ASSERT_TRUE(store);
  auto loaded = store->load(kOut);
  ASSERT_TRUE(loaded);
  EXPECT_EQ(*loaded, values);
  std::vector<float> row(32);
  ASSERT_TRUE(store->loadRow(kOut, 1, row));
  EXPECT_EQ(row[0], 8.0f);
  EXPECT_EQ(store->typeName(kOut), "F32");
}

TEST(WeightStore, LoadsEveryType) {
  struct Case {
    std::uint32_t type;
    std::size_t bytes;
    const char *name;
  };
  for (Case c : {Case{1, 128, "F16"}, Case{8, 68, "Q8_0"}, Case{2, 36, "Q4_0"}}) {
    GgufBuilder::Bytes data(c.bytes, 0);
    std::size_t second = c.bytes / 2; // first byte of row 1; 0x3c00 is 1.0
    data[second + 1] = 0x3c;
    auto store = openOrFail(withOutput(c.type, data));
    ASSERT_TRUE(store);
    EXPECT_EQ(store->typeName(kOut), c.name);
    auto loaded = store->load(kOut);
    ASSERT_TRUE(loaded) << loaded.error().str();
    EXPECT_EQ((*loaded)[0], 0.0f);
    EXPECT_EQ((*loaded)[32], c.type == 1 ? 1.0f : c.type == 8 ? 0.0f : -8.0f);
  }
}

TEST(WeightStore, PairsTheHalvesOfHeadsOfQwen2) {
  test::TinyLlama model{.architecture = "qwen2"};
  test::GgufBuilder file = model.build();
  std::vector<float> rows(32 * 32), bias(16);
  for (std::size_t i = 0; i < rows.size(); ++i)
    rows[i] = static_cast<float>(i / 32); // every value is its row
  for (std::size_t i = 0; i < bias.size(); ++i)
    bias[i] = static_cast<float>(i);
  file.tensorF32("blk.0.attn_q.weight", {32, 32}, rows).tensorF32("blk.0.attn_k.bias", {16}, bias);
  auto store = openOrFail(file);
  ASSERT_TRUE(store);
  // Heads of 8: pair i is rows i and i + 4.
  std::vector<float> order{0, 4, 1, 5, 2, 6, 3, 7, 8, 12, 9, 13, 10, 14, 11, 15};
  auto q = *store->load("blk.0.attn_q.weight");
  for (std::size_t n = 0; n < order.size(); ++n)
    EXPECT_EQ(q[n * 32], order[n]);
  EXPECT_EQ(*store->load("blk.0.attn_k.bias"), order);
}

TEST(WeightStore, MissingTensorAndRow) {
  auto store = openOrFail(withOutput(0, GgufBuilder::Bytes(256)));
  ASSERT_TRUE(store);
  EXPECT_FALSE(store->has("nothing"));
  EXPECT_FALSE(store->load("nothing"));
  EXPECT_FALSE(store->quantized("nothing"));
  std::vector<float> row(32);
  EXPECT_FALSE(store->loadRow(kOut, 2, row));
}

TEST(WeightStore, NamesTheTensorAndPlaceOfANan) {
  for (auto [value, word] :
       {std::pair{std::nanf(""), "NaN"}, std::pair{INFINITY, "infinite"}, std::pair{-INFINITY, "infinite"}}) {
    std::vector<float> values(64, 1.0f);
    values[33] = value;
    GgufBuilder b = withOutput(0, {});
    b.tensorF32(kOut, {32, 2}, values);
    auto store = openOrFail(b);
    ASSERT_TRUE(store);
    for (std::string message : {store->load(kOut).error().message, store->quantized(kOut).error().message}) {
      EXPECT_NE(message.find("tensor \"output.weight\" at byte "), std::string::npos) << message;
      EXPECT_NE(message.find(std::string("value [1, 1] is ") + word), std::string::npos) << message;
    }
  }
}

TEST(WeightStore, RejectsANanScaleOfABlock) {
  GgufBuilder::Bytes data(68, 1);
  data[35] = 0x7e; // fp16 NaN
  auto store = openOrFail(withOutput(8, data));
  ASSERT_TRUE(store);
  EXPECT_FALSE(store->load(kOut));
}

TEST(WeightStore, QuantizesOnceAndKeepsTheResult) {
  auto store = openOrFail(test::TinyLlama{}.build());
  ASSERT_TRUE(store);
  auto first = store->quantized("blk.0.ffn_up.weight"), again = store->quantized("blk.0.ffn_up.weight");
  ASSERT_TRUE(first && again);
  EXPECT_EQ(first->get(), again->get());
  auto values = store->load("blk.0.ffn_up.weight");
  QuantizedMatrix direct = quantizeRows(*values, 24, 32);
  EXPECT_EQ((*first)->values, direct.values);
  EXPECT_EQ((*first)->scales, direct.scales);
}

// What the machine multiplies by is the file's own, bit for bit: N12 on blocks with every kind of scale and value.
TEST(Groups, FileBlocksAreKeptBitForBit) {
  for (std::uint32_t type : {8u, 2u}) { // Q8_0, Q4_0
    std::size_t blockBytes = type == 8 ? 34 : 18;
    GgufBuilder::Bytes data(2 * blockBytes);
    for (std::size_t i = 0; i < data.size(); ++i)
      data[i] = static_cast<std::uint8_t>(37 * i + 11);
    data[0] = 0x01, data[1] = 0x83;                       // a negative scale
    data[blockBytes] = 0x03, data[blockBytes + 1] = 0x00; // a subnormal one
    data[3] = 0x80;                                       // −128 in Q8_0
    auto store = openOrFail(withOutput(type, data));
    ASSERT_TRUE(store);
    auto values = store->load(kOut);
    auto matrix = store->quantized(kOut, type == 8 ? WeightType::Int8Group : WeightType::Int4Group);
    ASSERT_TRUE(values && matrix);
    EXPECT_EQ((*matrix)->groups(), 1u);
    for (std::uint32_t n = 0; n < 2; ++n)
      for (std::uint32_t k = 0; k < 32; ++k) {
        // The scale as it stands in memory: fp16, in steps of 2^-e.
        std::uint16_t stored = isa::floatToHalf(std::ldexp((*matrix)->scale(n, k), (*matrix)->exponent));
        float used =
            static_cast<float>((*matrix)->row(n)[k]) * std::ldexp(isa::halfToFloat(stored), -(*matrix)->exponent);
        EXPECT_EQ(std::bit_cast<std::uint32_t>(used), std::bit_cast<std::uint32_t>((*values)[32 * n + k]))
            << type << ", " << n << ", " << k;
      }
    // Int8 rounds, so the two differ: the groups above are not just a coincidence.
    EXPECT_NE((*store->quantized(kOut))->values, (*matrix)->values);
  }
}

TEST(Groups, RoundedByHand) {
  std::vector<std::int8_t> q(4);
  EXPECT_EQ(quantizeGroup(std::vector<float>{-4, 2, 1.25f, 3.75f}, WeightType::Int4Group, q), 0.5f);
  EXPECT_EQ(q, (std::vector<std::int8_t>{-8, 4, 2, 7})); // 2.5 to even; 7.5 clipped
  EXPECT_EQ(quantizeGroup(std::vector<float>{4, 2, 1, -3}, WeightType::Int4Group, q), -0.5f);
  EXPECT_EQ(q, (std::vector<std::int8_t>{-8, -4, -2, 6}));
  EXPECT_EQ(quantizeGroup(std::vector<float>{127, -63.5f, 2.5f, 0}, WeightType::Int8Group, q), 1.0f);
  EXPECT_EQ(q, (std::vector<std::int8_t>{127, -64, 2, 0}));
  EXPECT_EQ(quantizeGroup(std::vector<float>{1e-9f, 0, 0, 0}, WeightType::Int8Group, q), 0.0f);
  EXPECT_EQ(q, (std::vector<std::int8_t>(4)));
}

TEST(Groups, LastGroupMayBeShort) {
  auto store = openOrFail(test::TinyLlama{.ffn = 40}.build());
  ASSERT_TRUE(store);
  auto values = store->load("blk.0.ffn_down.weight");
  auto matrix = store->quantized("blk.0.ffn_down.weight", WeightType::Int8Group);
  ASSERT_TRUE(values && matrix);
  EXPECT_EQ((*matrix)->groups(), 2u);
  for (std::uint32_t n = 0; n < 32; ++n)
    for (std::uint32_t k = 0; k < 40; ++k)
      EXPECT_NEAR((*matrix)->row(n)[k] * (*matrix)->scale(n, k), (*values)[40 * n + k], 0.51 * (*matrix)->scale(n, k));
}

// N3 by hand: the largest magnitude maps to ±127, ties round to even, zero rows have scale 0.
TEST(QuantizeRows, FollowsN3) {
  std::vector<float> w{127, -63.5f, 2.5f, 3.5f, 0, 0, 0, 0, 0.1f, -0.2f, 0.05f, 0};
  QuantizedMatrix q = quantizeRows(w, 3, 4);
  EXPECT_EQ(q.scales[0], 1.0f);
  EXPECT_EQ(q.values[0], 127);
  EXPECT_EQ(q.values[1], -64); // −63.5 to even
  EXPECT_EQ(q.values[2], 2);   // 2.5 to even
  EXPECT_EQ(q.values[3], 4);   // 3.5 to even
  EXPECT_EQ(q.scales[1], 0.0f);
  EXPECT_EQ(q.values[4], 0);
  EXPECT_EQ(q.scales[2], 0.2f / 127.0f);
  EXPECT_EQ(q.values[9], -127);
}

TEST(QuantizeRows, RowsTooSmallForAScaleAreZero) {
  std::vector<float> w{1e-38f, -1e-40f};
  QuantizedMatrix q = quantizeRows(w, 1, 2);
  EXPECT_EQ(q.scales[0], 0.0f);
  EXPECT_EQ(q.values[0], 0);
}

TEST(QuantizeRows, ErrorIsAtMostHalfAStep) {
  auto store = openOrFail(test::TinyLlama{}.build());
  ASSERT_TRUE(store);
  auto values = store->load("blk.1.attn_q.weight");
  auto q = store->quantized("blk.1.attn_q.weight");
  ASSERT_TRUE(values && q);
  for (std::size_t i = 0; i < values->size(); ++i) {
    float scale = (*q)->scales[i / 32];
    EXPECT_LE(std::fabs((*values)[i] - scale * (*q)->values[i]), 0.5001f * scale);
  }
}

} // namespace
