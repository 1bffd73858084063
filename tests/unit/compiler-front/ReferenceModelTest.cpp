// The interpreter on a real model against greedy sequences of an independent float
// implementation (../shared/models/reference.json): fed each sequence, its best
// token must agree wherever the float gap between the two best exceeds 2 % of the range.

#include "lpu/compiler/Reference/Interpreter.h"

#include "Pipeline.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

namespace {

using namespace lpu;
using namespace lpu::compiler;

class ReferenceModel : public testing::TestWithParam<const char *> {};

TEST_P(ReferenceModel, BestTokensAgree) {
  std::filesystem::path models = std::filesystem::path(LPU_SHARED_DIR) / "models";
  if (!std::filesystem::exists(models / "reference.json"))
    GTEST_SKIP() << models.string() << " is not there";
  nlohmann::json reference = nlohmann::json::parse(std::ifstream(models / "reference.json"))[GetParam()];
  test::Compiled c;
  ASSERT_TRUE(c.import((models / GetParam()).string())) << c.errors.str();
  ASSERT_TRUE(c.lower()) << c.errors.str();
  auto interpreter = Interpreter::create(*c.module);
  ASSERT_TRUE(mlir::succeeded(interpreter));
  int compared = 0;
  for (const auto &sequence : reference["greedy"]) {
    std::vector<int> prompt = sequence["prompt_tokens"], generated = sequence["tokens"];
    std::vector<double> gaps = sequence["gaps"];
    (*interpreter)->reset();
    std::vector<int> fed = prompt;
    fed.insert(fed.end(), generated.begin(), generated.end() - 1);
    for (std::size_t t = 0; t < fed.size(); ++t) {
      auto logits = (*interpreter)->step(fed[t], static_cast<std::int64_t>(t));
      ASSERT_TRUE(logits) << logits.error().str();
      if (t + 1 < prompt.size())
        continue;
      std::size_t i = t + 1 - prompt.size();
      auto [low, high] = std::minmax_element(logits->begin(), logits->end());
      if (gaps[i] <= 0.02 * (*high - *low))
        continue;
      EXPECT_EQ(high - logits->begin(), generated[i])
          << "after " << t + 1 << " tokens of \"" << sequence["prompt"] << '"';
      ++compared;
    }
  }
  EXPECT_GT(compared, 300);
}

INSTANTIATE_TEST_SUITE_P(Stories260K, ReferenceModel, testing::Values("stories260K-q8_0.gguf", "stories260K-f32.gguf"),
                         [](const auto &info) {
                           return std::string(info.param).find("f32") != std::string::npos ? "f32" : "q8_0";
                         });

} // namespace
