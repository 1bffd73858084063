#include "lpu/serve/Timing.h"
#include "../runtime/FakeSimulator.h"
#include "lpu/rt/LatencyReport.h"

#include <gtest/gtest.h>

#include <cmath>

namespace lpu::serve {
namespace {

using rt::test::fakeProgram;

Cycle hostCycles(const isa::Program &program, std::size_t step) {
  return static_cast<Cycle>(std::ceil(rt::hostUs(program, step) * program.machine.clockGHz * 1e3));
}

TEST(VirtualClock, RoundsUpBothWays) {
  VirtualClock clock(0.9);
  EXPECT_EQ(clock.nanoseconds(0), 0);
  EXPECT_EQ(clock.nanoseconds(1), 2); // 1.11 ns
  EXPECT_EQ(clock.nanoseconds(9), 10);
  EXPECT_EQ(clock.nanoseconds(10), 12);
  EXPECT_EQ(clock.cycles(10), 9);
  EXPECT_EQ(clock.cycles(11), 10);
  EXPECT_EQ(clock.nanoseconds(Cycle{9} << 52), std::int64_t{10} << 52); // no overflow on the way
}

TEST(Timing, EndsAreSumsOfPlannedStepsWithTheHost) {
  const isa::Program program = fakeProgram();
  const Timing timing(program);
  for (std::uint64_t prompt = 1; prompt <= 16; ++prompt)
    for (std::uint64_t tokens = 1; tokens <= 16 - prompt + 1; ++tokens) {
      auto plan = rt::planSteps(program, prompt, tokens);
      ASSERT_TRUE(plan);
      ASSERT_EQ(timing.steps(prompt, tokens), plan->steps.size());
      ASSERT_EQ(timing.promptSteps(prompt), plan->promptSteps);
      Cycle end = 0, chip = 0;
      for (std::size_t i = 0; i < plan->steps.size(); ++i) {
        const std::size_t step = plan->steps[i].program;
        end += program.steps[step].predictedCycles + hostCycles(program, step);
        chip += program.steps[step].predictedCycles;
        ASSERT_EQ(timing.stepEnd(prompt, i), end) << prompt << " " << tokens << " " << i;
        ASSERT_EQ(timing.chipCycles(prompt, i + 1), chip);
      }
      ASSERT_EQ(timing.tokenEnd(prompt, tokens - 1), end);
    }
}

TEST(Timing, ChecksLengthsInThePlannersWords) {
  const isa::Program program = fakeProgram();
  const Timing timing(program);
  EXPECT_TRUE(timing.check({16, 1}));
  EXPECT_TRUE(timing.check({1, 16}));
  EXPECT_FALSE(timing.check({16, 2}));
  EXPECT_FALSE(timing.check({0, 1}));
  EXPECT_NE(timing.check({17, 1}).error().message.find("exceed the context of 16"), std::string::npos);
}

TEST(Timing, ModelsOwnLimitCutsBuckets) {
  isa::Program program = fakeProgram();
  program.model.maxContext = 12;
  const Timing timing(program);
  EXPECT_EQ(timing.context(), 12u);
  EXPECT_FALSE(timing.check({12, 2}));
}

TEST(Timing, UsersTogetherMoveInFramesOfTheLongestStep) {
  isa::Program program = fakeProgram({8, 16}, {});
  for (isa::SystemStep &step : program.steps)
    step.users = 3;
  const Timing timing(program);
  EXPECT_EQ(timing.users(), 3u);
  EXPECT_EQ(timing.frame(), 116 + hostCycles(program, 1));
  EXPECT_EQ(timing.frameProgram(), 1u);
  EXPECT_EQ(timing.promptSteps(4), 4u);
  EXPECT_EQ(timing.tokenEnd(4, 2), 6 * timing.frame());
  EXPECT_EQ(timing.chipCycles(4, 6), 6 * 116);
}

TEST(Timing, AnEncoderTakesOneStepOfTheSmallestProgramThatHolds) {
  isa::Program program = fakeProgram({}, {{8, 8}, {16, 16}});
  for (isa::SystemStep &step : program.steps)
    step.kind = isa::StepKind::Encode;
  const Timing timing(program);
  EXPECT_TRUE(timing.isEncoder());
  EXPECT_EQ(timing.context(), 16u);
  EXPECT_EQ(timing.steps(8, 1), 1u);
  EXPECT_EQ(timing.stepEnd(8, 0), 158 + hostCycles(program, 0));
  EXPECT_EQ(timing.stepEnd(9, 0), 166 + hostCycles(program, 1));
  EXPECT_FALSE(timing.check({17, 1}));
}

} // namespace
} // namespace lpu::serve
