#include "lpu/rt/StepPlan.h"
#include "FakeSimulator.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace lpu::rt {
namespace {

using namespace test;
using Pairs = std::vector<std::pair<std::uint32_t, std::uint32_t>>;

/// "prefill-8@0x4 decode-8@4": program @ position x valid tokens (x1 left out).
std::string plan(const isa::Program &program, std::uint64_t prompt, std::uint64_t count) {
  auto planned = planSteps(program, prompt, count);
  if (!planned)
    return "error: " + planned.error().message;
  std::string out;
  for (std::size_t i = 0; i < planned->steps.size(); ++i) {
    const PlannedStep &s = planned->steps[i];
    out += (i == 0                      ? ""
            : i == planned->promptSteps ? " | "
                                        : " ") +
           program.steps[s.program].name + "@" + std::to_string(s.position) +
           (s.tokens > 1 ? "x" + std::to_string(s.tokens) : "");
  }
  return out;
}

TEST(StepPlan, OneTokenIsADecodeStep) { EXPECT_EQ(plan(fakeProgram(), 1, 0), "decode-8@0"); }

TEST(StepPlan, FullChunksThenAPaddedOne) {
  EXPECT_EQ(plan(fakeProgram(), 4, 0), "prefill-8@0x4");
  EXPECT_EQ(plan(fakeProgram(), 8, 0), "prefill-8@0x4 prefill-8@4x4");
  EXPECT_EQ(plan(fakeProgram(), 7, 0), "prefill-8@0x4 prefill-8@4x3");
  EXPECT_EQ(plan(fakeProgram(), 3, 0), "prefill-8@0x3");
}

TEST(StepPlan, ASingleRemainingTokenIsADecodeStep) {
  EXPECT_EQ(plan(fakeProgram(), 5, 0), "prefill-8@0x4 decode-8@4");
  EXPECT_EQ(plan(fakeProgram(), 9, 0), "prefill-8@0x4 prefill-8@4x4 decode-16@8");
}

TEST(StepPlan, BucketsGrowWithThePosition) {
  EXPECT_EQ(plan(fakeProgram(), 12, 0), "prefill-8@0x4 prefill-8@4x4 prefill-16@8x4");
  EXPECT_EQ(plan(fakeProgram(), 6, 5), "prefill-8@0x4 prefill-8@4x2 | decode-8@6 decode-8@7 decode-16@8 decode-16@9");
}

TEST(StepPlan, TheLastGeneratedTokenIsNotFed) {
  EXPECT_EQ(plan(fakeProgram(), 2, 0), "prefill-8@0x2");
  EXPECT_EQ(plan(fakeProgram(), 2, 1), "prefill-8@0x2");
  EXPECT_EQ(plan(fakeProgram(), 2, 2), "prefill-8@0x2 | decode-8@2");
}

TEST(StepPlan, PaddingMayNotRunOverTheContext) {
  isa::Program p = fakeProgram({10}, {{4, 10}});
  EXPECT_EQ(plan(p, 10, 0), "prefill-10@0x4 prefill-10@4x4 decode-10@8 decode-10@9"); // 8 + 4 > 10
  EXPECT_EQ(plan(p, 6, 0), "prefill-10@0x4 prefill-10@4x2");
}

TEST(StepPlan, PaddingGoesToTheNextBucketIfTheSmallOneIsTooSmall) {
  EXPECT_EQ(plan(fakeProgram({8, 16}, {{5, 8}, {5, 16}}), 7, 0), "prefill-8@0x5 prefill-16@5x2");
}

TEST(StepPlan, PaddingOnlyWhereItIsNotSlower) {
  isa::Program p = fakeProgram({16}, {{8, 16}});
  p.steps[1].predictedCycles = 3 * p.steps[0].predictedCycles;
  EXPECT_EQ(plan(p, 3, 0), "prefill-16@0x3");
  EXPECT_EQ(plan(p, 2, 0), "decode-16@0 decode-16@1");
}

TEST(StepPlan, ChunkSizesAreMixedByPredictedCycles) {
  isa::Program p = fakeProgram({64}, {{4, 64}, {16, 64}, {8, 64}});
  p.steps[0].predictedCycles = 100;
  for (std::size_t i = 1; i < p.steps.size(); ++i) {
    p.steps[i].name = "prefill" + std::to_string(p.steps[i].tokens);
    p.steps[i].predictedCycles = 100 + 10 * p.steps[i].tokens; // 140, 260, 180
  }
  EXPECT_EQ(plan(p, 31, 0), "prefill16@0x16 prefill16@16x15"); // 520; 16 + 8 + 8 padded would be 620
  EXPECT_EQ(plan(p, 23, 0), "prefill16@0x16 prefill8@16x7");   // 440
  EXPECT_EQ(plan(p, 20, 0), "prefill16@0x16 prefill4@16x4");   // 400
  EXPECT_EQ(plan(p, 3, 0), "prefill4@0x3");
  p.steps[0].predictedCycles = 40;
  EXPECT_EQ(plan(p, 3, 0), "decode-64@0 decode-64@1 decode-64@2"); // 120
}

TEST(StepPlan, CountsThatWouldWrapAroundAreErrors) {
  for (std::uint64_t prompt : {1, 5, 16})
    for (std::uint64_t less : {0, 1, 4, 15})
      EXPECT_EQ(plan(fakeProgram(), prompt, ~std::uint64_t{0} - less).substr(0, 5), "error");
}

TEST(StepPlan, WithoutPrefillProgramsAllIsDecode) {
  EXPECT_EQ(plan(fakeProgram({2, 4}, {}), 3, 2), "decode-2@0 decode-2@1 decode-4@2 | decode-4@3");
}

TEST(StepPlan, TheContextIsTheLimit) {
  EXPECT_EQ(contextLimit(fakeProgram()), 16u);
  EXPECT_NE(plan(fakeProgram(), 16, 1).substr(0, 5), "error");
  EXPECT_NE(plan(fakeProgram(), 1, 16).substr(0, 5), "error");
  std::string tooLong = plan(fakeProgram(), 17, 0);
  EXPECT_NE(tooLong.find("context of 16"), std::string::npos) << tooLong;
  EXPECT_NE(tooLong.find("--max-context=17"), std::string::npos) << tooLong;
  std::string tooMany = plan(fakeProgram(), 10, 8);
  EXPECT_NE(tooMany.find("-n 7"), std::string::npos) << tooMany;
  EXPECT_NE(tooMany.find("--max-context"), std::string::npos) << tooMany;
  EXPECT_EQ(plan(fakeProgram(), 1, ~std::uint64_t{0}).substr(0, 5), "error");
}

TEST(StepPlan, TheModelsContextMayBeSmallerThanTheLastBucket) {
  isa::Program p = fakeProgram();
  p.model.maxContext = 12;
  EXPECT_EQ(contextLimit(p), 12u);
  EXPECT_EQ(plan(p, 13, 0).substr(0, 5), "error");
  EXPECT_EQ(plan(p, 11, 0), "prefill-8@0x4 prefill-8@4x4 prefill-16@8x3");
}

TEST(StepPlan, Errors) {
  EXPECT_EQ(plan(fakeProgram(), 0, 3).substr(0, 5), "error");
  EXPECT_EQ(plan(fakeProgram({}, {{4, 8}}), 4, 0).substr(0, 5), "error");
}

RC_GTEST_PROP(StepPlan, EveryPositionOnceInOrderWithinItsContext, ()) {
  auto sizes = rc::gen::inRange<std::uint32_t>(1, 40);
  auto decodes = *rc::gen::nonEmpty(rc::gen::container<std::vector<std::uint32_t>>(sizes));
  Pairs prefills;
  for (std::uint32_t tokens : *rc::gen::container<std::vector<std::uint32_t>>(rc::gen::inRange<std::uint32_t>(2, 9)))
    prefills.push_back({tokens, tokens + *sizes});
  isa::Program p = fakeProgram(decodes, prefills);
  std::uint32_t limit = contextLimit(p);
  std::uint32_t prompt = *rc::gen::inRange<std::uint32_t>(1, limit + 1);
  std::uint32_t count = *rc::gen::inRange<std::uint32_t>(0, limit - prompt + 2);
  auto planned = planSteps(p, prompt, count);
  RC_ASSERT(static_cast<bool>(planned));
  std::uint32_t at = 0;
  for (std::size_t i = 0; i < planned->steps.size(); ++i) {
    const PlannedStep &s = planned->steps[i];
    const isa::SystemStep &target = p.steps[s.program];
    RC_ASSERT(s.position == at);
    RC_ASSERT(s.tokens >= 1 && s.tokens <= target.tokens);
    RC_ASSERT(s.position + target.tokens <= target.context);
    at += s.tokens;
    RC_ASSERT((i + 1 == planned->promptSteps) == (at == prompt));
    if (i >= planned->promptSteps)
      RC_ASSERT(target.kind == isa::StepKind::Decode);
  }
  RC_ASSERT(at == prompt + (count ? count - 1 : 0));
}

} // namespace
} // namespace lpu::rt
