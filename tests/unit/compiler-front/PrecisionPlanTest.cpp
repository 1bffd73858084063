// Rules of a --quant-config file: which one decides, and what is wrong with bad ones.

#include "lpu/compiler/Support/PrecisionPlan.h"

#include <gtest/gtest.h>

namespace {

using namespace lpu;
using namespace lpu::compiler;

PrecisionPlan parse(const std::string &yaml) {
  auto plan = PrecisionPlan::parse({}, yaml, "q.yaml");
  EXPECT_TRUE(plan) << plan.error().str();
  return plan ? *plan : PrecisionPlan();
}

std::string errorOf(const std::string &yaml) {
  auto plan = PrecisionPlan::parse({}, yaml, "q.yaml");
  return plan ? "" : plan.error().str();
}

TEST(PrecisionPlan, OptionsHoldWhereTheFileSaysNothing) {
  auto plan = PrecisionPlan::parse({"keep", "a8", "int16"}, "rules: []", "q.yaml");
  ASSERT_TRUE(plan);
  EXPECT_EQ(plan->weights("output.weight"), "keep");
  EXPECT_EQ(plan->activations("output.weight"), "a8");
  EXPECT_EQ(parse("weights: int4-group\nkv: int16").weights("output.weight"), "int4-group");
}

TEST(PrecisionPlan, TheLastRuleThatNamesAPrecisionDecides) {
  PrecisionPlan plan = parse("weights: int8-group\n"
                             "rules:\n"
                             "- {tensors: 'blk.*.ffn_*', weights: int4-group}\n"
                             "- {layers: 2-10, activations: a8}\n"
                             "- {tensors: '*.ffn_down.weight', layers: 10, weights: int8}\n");
  EXPECT_EQ(plan.weights("blk.1.attn_q.weight"), "int8-group");
  EXPECT_EQ(plan.weights("blk.1.ffn_up.weight"), "int4-group");
  EXPECT_EQ(plan.weights("blk.1.ffn_down.weight"), "int4-group");
  EXPECT_EQ(plan.weights("blk.10.ffn_down.weight"), "int8");
  EXPECT_EQ(plan.activations("blk.1.attn_q.weight"), "a16");
  EXPECT_EQ(plan.activations("blk.2.attn_q.weight"), "a8");
  EXPECT_EQ(plan.activations("blk.10.ffn_down.weight"), "a8");
  EXPECT_EQ(plan.activations("blk.11.attn_q.weight"), "a16");
  EXPECT_EQ(plan.activations("output.weight"), "a16"); // in no layer
}

TEST(PrecisionPlan, PatternsMatchWholeNames) {
  auto matches = [](const std::string &pattern, const std::string &name) {
    PrecisionRule rule;
    rule.tensors = pattern;
    return rule.matches(name);
  };
  EXPECT_TRUE(matches("blk.?.attn_?.weight", "blk.7.attn_q.weight"));
  EXPECT_FALSE(matches("blk.?.attn_?.weight", "blk.17.attn_q.weight"));
  EXPECT_FALSE(matches("blk", "blk.1"));
  EXPECT_TRUE(matches("*q*.weight", "blk.1.attn_q.q.weight"));
  EXPECT_TRUE(matches("***", ""));
  EXPECT_FALSE(matches("?", ""));
  EXPECT_FALSE(matches(std::string(2000, '*') + "x", std::string(2000, 'a'))); // and takes no time
}

TEST(PrecisionPlan, ErrorsNameFileAndLine) {
  const std::pair<const char *, const char *> cases[] = {
      {"- 1", "q.yaml:1: error: the file must be a map"},
      {"weights: int9", "q.yaml:1: error: 'int9' is not known; choose one of int8, int8-group"},
      {"kv: [int16]", "q.yaml:1: error: '' is not known"},
      {"wieghts: int8", "q.yaml:1: error: unknown key 'wieghts'"},
      {"weights: int8\nweights: int8", "q.yaml:2: error: key 'weights' appears twice"},
      {"rules: 3", "q.yaml:1: error: key 'rules' must be a list"},
      {"rules:\n- int8", "q.yaml:2: error: a rule must be a map"},
      {"rules:\n- weights: int8", "q.yaml:2: error: a rule must say what it is for"},
      {"rules:\n- layers: 3", "q.yaml:2: error: a rule must choose something"},
      {"rules:\n- tensors: '*'\n  kv: int16", "q.yaml:3: error: unknown key 'kv' of a rule"},
      {"rules:\n- tensors: ''\n  weights: int8", "q.yaml:2: error: key 'tensors' must be the name"},
      {"rules:\n- layers: 5-3\n  weights: int8", "q.yaml:2: error: key 'layers' is '5-3'"},
      {"rules:\n- layers: 5-\n  weights: int8", "q.yaml:2: error: key 'layers' is '5-'"},
      {"rules:\n- layers: -1\n  weights: int8", "q.yaml:2: error: key 'layers' is '-1'"},
      {"rules: [", "q.yaml:1: error: not valid YAML"},
  };
  for (auto [yaml, message] : cases)
    EXPECT_EQ(errorOf(yaml).substr(0, std::string(message).size()), message) << yaml;
}

TEST(PrecisionPlan, ARuleForNothingIsAMistake) {
  PrecisionPlan plan = parse("rules:\n- {layers: 0, weights: int8}\n- {tensors: 'blk.*.fnn_up', weights: int8}");
  Status used = plan.checkRules({"blk.0.ffn_up.weight"});
  ASSERT_FALSE(used);
  EXPECT_EQ(used.error().str().substr(0, 46), "q.yaml:3: error: the rule matches none of the ");
  EXPECT_TRUE(parse("rules:\n- {layers: 0, weights: int8}").checkRules({"blk.0.ffn_up.weight"}));
}

} // namespace
