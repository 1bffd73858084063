// The float reference against a double-precision Llama that shares nothing with it.

#include "lpu/compiler/Reference/FloatInterpreter.h"

#include "FloatLlama.h"
#include "Pipeline.h"

#include <cmath>

namespace {

using namespace lpu;
using namespace lpu::compiler;
using lpu::test::Compiled;

const std::vector<int> kTokens{1, 5, 3, 19, 0, 7, 7, 2, 11, 4, 16, 9};

std::unique_ptr<FloatInterpreter> start(Compiled &c, const test::TinyLlama &model,
                                        FloatInterpreter::Observer observer = {}) {
  EXPECT_TRUE(c.import(model.build())) << c.errors.str();
  auto created = FloatInterpreter::create(*c.module, std::move(observer));
  EXPECT_TRUE(mlir::succeeded(created)) << c.errors.str();
  return std::move(*created);
}

class FloatReference : public testing::TestWithParam<test::TinyLlama> {};

TEST_P(FloatReference, LogitsAgreeToFloatAccuracy) {
  Compiled c;
  auto interpreter = start(c, GetParam());
  auto store = WeightStore::open(c.path);
  ASSERT_TRUE(store);
  auto expected = test::floatLlama(**store, kTokens, test::Weights::File);
  for (std::size_t t = 0; t < kTokens.size(); ++t) {
    auto logits = interpreter->step(kTokens[t], static_cast<std::int64_t>(t));
    ASSERT_TRUE(logits) << logits.error().str();
    ASSERT_EQ(logits->size(), expected[t].size());
    for (std::size_t n = 0; n < logits->size(); ++n)
      EXPECT_NEAR((*logits)[n], expected[t][n], 2e-5 * (1 + std::fabs(expected[t][n])))
          << "token " << t << ", logit " << n;
  }
}

INSTANTIATE_TEST_SUITE_P(Shapes, FloatReference,
                         testing::Values(test::TinyLlama{}, test::TinyLlama{.kvHeads = 1, .tied = true, .seed = 3},
                                         test::TinyLlama{.layers = 1, .headDim = 16, .ropeFreqs = true, .seed = 4}));

TEST(FloatInterpreter, ShowsEveryResultInOrder) {
  Compiled c;
  std::vector<std::string> names;
  std::vector<float> last;
  auto interpreter = start(c, test::TinyLlama{.layers = 1}, [&](mlir::Operation *op, std::span<const float> result) {
    names.push_back(op->getName().getStringRef().str());
    last.assign(result.begin(), result.end());
  });
  auto logits = interpreter->step(3, 0);
  ASSERT_TRUE(logits);
  EXPECT_EQ(names.front(), "llm.embedding");
  EXPECT_EQ(names.back(), "llm.linear");
  EXPECT_EQ(std::count(names.begin(), names.end(), "llm.linear"), 8);
  EXPECT_EQ(last, *logits);
}

TEST(FloatInterpreter, ResetAndEarlierPositionsForget) {
  Compiled c;
  auto interpreter = start(c, test::TinyLlama{});
  auto first = *interpreter->step(4, 0);
  auto second = *interpreter->step(7, 1);
  EXPECT_EQ(*interpreter->step(4, 0), first);
  EXPECT_EQ(*interpreter->step(7, 1), second);
  EXPECT_NE(*interpreter->step(7, 0), second);
  interpreter->reset();
  EXPECT_FALSE(interpreter->step(4, 1));
  EXPECT_EQ(*interpreter->step(4, 0), first);
}

TEST(FloatInterpreter, RejectsWhatDoesNotExist) {
  Compiled c;
  auto interpreter = start(c, test::TinyLlama{});
  auto token = interpreter->step(20, 0);
  ASSERT_FALSE(token);
  EXPECT_NE(token.error().message.find("token 20 is not in the vocabulary of 20"), std::string::npos);
  EXPECT_FALSE(interpreter->step(-1, 0));
  EXPECT_FALSE(interpreter->step(0, 1));
}

TEST(FloatInterpreter, RefusesAQuantizedGraph) {
  Compiled c;
  ASSERT_TRUE(c.import(test::TinyLlama{}.build()));
  ASSERT_TRUE(c.lower());
  EXPECT_TRUE(mlir::failed(FloatInterpreter::create(*c.module)));
  EXPECT_NE(c.errors.str().find("is quantized already"), std::string::npos) << c.errors.str();
}

} // namespace
