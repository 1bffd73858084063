// The interpreter on small models against a double-precision Llama, and its rules
// about positions and tokens.

#include "lpu/compiler/Reference/Interpreter.h"

#include "FloatLlama.h"
#include "Pipeline.h"

#include <cmath>

namespace {

using namespace lpu;
using namespace lpu::compiler;
using lpu::test::Compiled;

struct Running {
  Compiled compiled;
  std::unique_ptr<Interpreter> interpreter;

  explicit Running(const test::TinyLlama &model, std::uint64_t maxContext = 0) : Running(model.build(), maxContext) {}
  explicit Running(const test::GgufBuilder &file, std::uint64_t maxContext = 0) {
    EXPECT_TRUE(compiled.import(file)) << compiled.errors.str();
    EXPECT_TRUE(compiled.lower(maxContext)) << compiled.errors.str();
    auto created = Interpreter::create(*compiled.module);
    EXPECT_TRUE(mlir::succeeded(created)) << compiled.errors.str();
    interpreter = std::move(*created);
  }
};

class AgainstFloat : public testing::TestWithParam<test::TinyLlama> {};

TEST_P(AgainstFloat, LogitsAgreeWithinHalfAPercentOfTheirRange) {
  Running r(GetParam());
  std::vector<int> tokens{1, 5, 3, 19, 0, 7, 7, 2, 11, 4, 16, 9};
  auto store = WeightStore::open(r.compiled.path);
  ASSERT_TRUE(store);
  auto expected = test::floatLlama(**store, tokens);
  for (std::size_t t = 0; t < tokens.size(); ++t) {
    auto logits = r.interpreter->step(tokens[t], static_cast<std::int64_t>(t));
    ASSERT_TRUE(logits) << logits.error().str();
    auto [low, high] = std::minmax_element(expected[t].begin(), expected[t].end());
    for (std::size_t n = 0; n < logits->size(); ++n)
      EXPECT_NEAR((*logits)[n], expected[t][n], 0.005 * (*high - *low)) << "token " << t << ", logit " << n;
  }
}

INSTANTIATE_TEST_SUITE_P(
    Shapes, AgainstFloat,
    testing::Values(test::TinyLlama{}, test::TinyLlama{.kvHeads = 4, .seed = 2},
                    test::TinyLlama{.kvHeads = 1, .tied = true, .seed = 3},
                    test::TinyLlama{.layers = 1, .headDim = 16, .ropeFreqs = true, .seed = 4},
                    test::TinyLlama{.tied = true, .seed = 6, .architecture = "qwen2"},
                    test::TinyLlama{
                        .layers = 1, .hidden = 40, .heads = 3, .kvHeads = 3, .headDim = 6, .ffn = 50, .seed = 5}));

TEST(Interpreter, ResetRepeatsBitForBit) {
  Running r(test::TinyLlama{});
  std::vector<std::vector<float>> first;
  for (int t = 0; t < 5; ++t)
    first.push_back(*r.interpreter->step(t, t));
  r.interpreter->reset();
  for (int t = 0; t < 5; ++t)
    EXPECT_EQ(*r.interpreter->step(t, t), first[t]);
}

TEST(Interpreter, EarlierPositionDropsWhatFollowed) {
  Running r(test::TinyLlama{});
  for (int t = 0; t < 4; ++t)
    ASSERT_TRUE(r.interpreter->step(t, t));
  auto other = r.interpreter->step(9, 1);
  ASSERT_TRUE(other);
  Running fresh(test::TinyLlama{});
  ASSERT_TRUE(fresh.interpreter->step(0, 0));
  EXPECT_EQ(*fresh.interpreter->step(9, 1), *other);
}

TEST(Interpreter, ContextBucketDoesNotChangeResults) {
  Running small(test::TinyLlama{}, 16), large(test::TinyLlama{}, 128);
  EXPECT_EQ(small.interpreter->capacity(), 16);
  for (int t = 0; t < 16; ++t)
    EXPECT_EQ(*small.interpreter->step(t, t), *large.interpreter->step(t, t));
}

TEST(Interpreter, LinearRopeScalingIsSlowerRotation) {
  test::GgufBuilder scaled = test::TinyLlama{}.build(), divided = scaled;
  scaled.string("llama.rope.scaling.type", "linear").f32("llama.rope.scaling.factor", 3);
  divided.tensorF32("rope_freqs.weight", {4}, {3, 3, 3, 3});
  Running a(scaled), b(divided), plain(test::TinyLlama{});
  bool differs = false;
  for (int t = 0; t < 6; ++t) {
    auto logits = a.interpreter->step(t, t), other = plain.interpreter->step(t, t);
    ASSERT_TRUE(logits && other);
    EXPECT_EQ(*logits, *b.interpreter->step(t, t));
    differs |= *logits != *other;
  }
  EXPECT_TRUE(differs);
}

TEST(Interpreter, RejectsTokensAndPositionsOutside) {
  Running r(test::TinyLlama{}, 4);
  auto token = r.interpreter->step(20, 0);
  ASSERT_FALSE(token);
  EXPECT_NE(token.error().message.find("token 20 is not in the vocabulary of 20"), std::string::npos);
  EXPECT_FALSE(r.interpreter->step(-1, 0));
  EXPECT_FALSE(r.interpreter->step(0, 1));
  EXPECT_FALSE(r.interpreter->step(0, -1));
  for (int t = 0; t < 4; ++t)
    ASSERT_TRUE(r.interpreter->step(t, t));
  auto full = r.interpreter->step(0, 4);
  ASSERT_FALSE(full);
  EXPECT_NE(full.error().message.find("the context holds 4"), std::string::npos);
}

TEST(Interpreter, RefusesAFloatGraph) {
  Compiled c;
  ASSERT_TRUE(c.import(test::TinyLlama{}.build()));
  EXPECT_TRUE(mlir::failed(Interpreter::create(*c.module)));
  EXPECT_NE(c.errors.str().find("is not quantized, run llm-quantize first"), std::string::npos) << c.errors.str();
}

TEST(Interpreter, NoticesAnotherWeightFile) {
  Compiled c;
  ASSERT_TRUE(c.import(test::TinyLlama{}.build()));
  ASSERT_TRUE(c.lower());
  test::writeFile(c.path, test::TinyLlama{.ffn = 30}.build().bytes());
  EXPECT_TRUE(mlir::failed(Interpreter::create(*c.module)));
  EXPECT_NE(c.errors.str().find("the IR belongs to another file"), std::string::npos) << c.errors.str();
}

} // namespace
