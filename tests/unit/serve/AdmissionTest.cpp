#include "lpu/serve/Admission.h"
#include "../runtime/FakeSimulator.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace lpu::serve {
namespace {

using rt::test::fakeProgram;
using Verdict = Admission::Verdict;

class Judged : public testing::Test {
protected:
  const isa::Program program = fakeProgram();
  const Timing timing{program};
  std::unique_ptr<Schedule> schedule = createSchedule(timing, 1);
  const Work work{4, 5};
  const Cycle length = timing.tokenEnd(4, 4);
};

TEST_F(Judged, AnIdleSystemPromisesWhatItKeeps) {
  const Admission admission = judge(*schedule, timing, {}, 100, work);
  EXPECT_EQ(admission.verdict, Verdict::Admitted);
  EXPECT_EQ(admission.promise.queueNs, 0);
  EXPECT_TRUE(admission.promise.exact);
  EXPECT_EQ(admission.promise.ttftNs, timing.clock().nanoseconds(timing.tokenEnd(4, 0)));
  EXPECT_EQ(admission.promise.totalNsMax, timing.clock().nanoseconds(length));
}

TEST_F(Judged, WaitsAreRefusedUntilTheyFit) {
  schedule->admit(0, work);
  const Cycle arrival = 10, wait = length - arrival;
  EXPECT_EQ(judge(*schedule, timing, {.queue = 9, .maxWait = wait}, arrival, work).verdict, Verdict::Admitted);
  const Admission refused = judge(*schedule, timing, {.queue = 9, .maxWait = wait - 1}, arrival, work);
  EXPECT_EQ(refused.verdict, Verdict::WaitTooLong);
  EXPECT_EQ(refused.retry, 1);
  EXPECT_EQ(judge(*schedule, timing, {.queue = 9, .maxWait = wait - 1}, arrival + refused.retry, work).verdict,
            Verdict::Admitted);
}

TEST_F(Judged, AFullQueueHoldsSequencesNotRequests) {
  schedule->admit(0, work);
  schedule->admit(1, work);
  EXPECT_EQ(judge(*schedule, timing, {.queue = 1, .maxWait = {}}, 2, work).verdict, Verdict::QueueFull);
  EXPECT_EQ(judge(*schedule, timing, {.queue = 2, .maxWait = {}}, 2, work).verdict, Verdict::Admitted);
  EXPECT_EQ(judge(*schedule, timing, {.queue = 2, .maxWait = {}}, 2, work, 2).verdict, Verdict::QueueFull);
}

TEST_F(Judged, DeadlinesAreOfTheLastToken) {
  EXPECT_EQ(judge(*schedule, timing, {}, 0, work, 1, length).verdict, Verdict::Admitted);
  EXPECT_EQ(judge(*schedule, timing, {}, 0, work, 1, length - 1).verdict, Verdict::DeadlineImpossible);
  schedule->admit(0, work);
  const Admission missed = judge(*schedule, timing, {}, 0, work, 1, length + 5);
  EXPECT_EQ(missed.verdict, Verdict::DeadlineMissed);
  EXPECT_EQ(missed.retry, length - 5);
}

/// What is promised is kept: never later, and to the cycle where it says so.
RC_GTEST_PROP(Promises, AreKept, (bool batch)) {
  isa::Program program = batch ? fakeProgram({8, 16}, {}) : fakeProgram();
  for (isa::SystemStep &step : program.steps)
    step.users = batch ? 3 : 1;
  const Timing timing(program);
  const auto schedule = createSchedule(timing, *rc::gen::inRange(1, 4));
  Cycle at = 0;
  for (int i = 0; i < 40; ++i) {
    at += *rc::gen::inRange(0, 30000);
    const Work work{static_cast<std::uint64_t>(*rc::gen::inRange(1, 9)),
                    static_cast<std::uint64_t>(*rc::gen::inRange(1, 8))};
    const auto tokens = static_cast<std::uint64_t>(*rc::gen::inRange(1, static_cast<int>(work.maxTokens) + 1));
    const Promise promise = judge(*schedule, timing, {}, at, work).promise;
    const Ticket ticket = schedule->admit(at, work);
    schedule->finish(ticket, timing.steps(work.prompt, tokens));
    const auto ns = [&](Cycle cycle) { return timing.clock().nanoseconds(cycle - at); };
    RC_ASSERT(ns(schedule->tokenEnd(ticket, 0)) <= promise.ttftNs);
    RC_ASSERT(ns(schedule->tokenEnd(ticket, tokens - 1)) <= promise.totalNsMax);
    if (promise.exact)
      RC_ASSERT(ns(schedule->tokenEnd(ticket, 0)) == promise.ttftNs);
    schedule->release(ticket);
  }
}

} // namespace
} // namespace lpu::serve
