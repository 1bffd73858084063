// The comparison of logits, the names of configurations and the reports, against
// figures worked out by hand. Whole evaluations are in tests/e2e/evaluation.py.
#include "lpu/rt/Evaluate.h"
#include "TemporaryFolder.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <cmath>

namespace lpu::rt {
namespace {

const float kLog3 = std::log(3.0f);

TEST(Comparison, PerplexitiesDivergenceAndAgreement) {
  Comparison c;
  std::vector<float> even{0, 0}, three{kLog3, 0}; // probabilities 1/2, 1/2 and 3/4, 1/4
  c.add(three, even, 0);
  c.add(three, three, 1);
  EXPECT_NEAR(c.perplexity(), std::sqrt(2.0 * 4.0), 1e-6);
  EXPECT_NEAR(c.floatPerplexity(), std::sqrt(4.0 / 3.0 * 4.0), 1e-6);
  EXPECT_NEAR(c.divergence(), (0.75 * std::log(1.5) + 0.25 * std::log(0.5)) / 2, 1e-6);
  EXPECT_EQ(c.top1Agreement(), 1.0); // of equal logits the first is best
  c.add(three, {{0, 1}}, 0);
  EXPECT_NEAR(c.top1Agreement(), 2.0 / 3, 1e-12);
}

TEST(Comparison, LargeLogitsDoNotOverflow) {
  Comparison c;
  c.add({{1000, 999}}, {{-1000, -1001}}, 0);
  EXPECT_NEAR(c.divergence(), 0, 1e-9);
  EXPECT_NEAR(c.perplexity(), 1 + std::exp(-1.0), 1e-6);
}

TEST(Precisions, ListOfTriples) {
  auto list = parsePrecisions("int8/a16/int16,int4-group/a8/int8");
  ASSERT_TRUE(list);
  ASSERT_EQ(list->size(), 2u);
  EXPECT_EQ((*list)[1].weights, "int4-group");
  EXPECT_EQ((*list)[1].activations, "a8");
  EXPECT_EQ((*list)[1].kv, "int8");
  EXPECT_EQ((*list)[0].str(), "int8/a16/int16");
}

TEST(Precisions, Mistakes) {
  for (const char *text : {"", "int8", "int8/a16", "int8/a16/", "/a16/int16", "int8/a16/int16/x", "int8/a16/int16,"}) {
    auto list = parsePrecisions(text);
    ASSERT_FALSE(list) << text;
    EXPECT_NE(list.error().str().find("lpu-eval: error: --config '"), std::string::npos) << list.error().str();
  }
}

TEST(Evaluation, ReportHasTheKeysOfARow) {
  Evaluation e{"m.gguf", "t.txt", {{}, Counting::SecondHalf, false, 64, 2, 5}, true, {}};
  EvaluationRow row{{"int8", "a16", "int16"}, {}, 640, 1, 4500, 2e5};
  row.quality.add({{kLog3, 0}}, {{0, 0}}, 0);
  e.rows.push_back(row);
  auto json = nlohmann::json::parse(reportJson(e));
  EXPECT_EQ(json["on"], "simulator");
  EXPECT_EQ(json["tokens"], 2);
  EXPECT_EQ(json["counting"], "second-half");
  EXPECT_EQ(json["begins_with_bos"], false);
  EXPECT_EQ(json["positions"], 64);
  EXPECT_EQ(json["left_out_tokens"], 5);
  const auto &r = json["rows"][0];
  EXPECT_EQ(r.size(), 11u);
  EXPECT_EQ(r["weights"], "int8");
  EXPECT_EQ(r["activations"], "a16");
  EXPECT_EQ(r["kv"], "int16");
  EXPECT_NEAR(r["perplexity"], 2, 1e-6);
  EXPECT_NEAR(r["float_perplexity"], 4.0 / 3, 1e-6);
  EXPECT_GT(r["kl"], 0);
  EXPECT_EQ(r["top1_agreement"], 1);
  EXPECT_EQ(r["weights_bytes"], 640);
  EXPECT_EQ(r["chips"], 1);
  EXPECT_EQ(r["cycles_per_token"], 4500);
  EXPECT_EQ(r["tokens_per_second"], 2e5);
  EXPECT_NE(reportTable(e).find("+50.00%"), std::string::npos) << reportTable(e);
}

} // namespace
} // namespace lpu::rt
