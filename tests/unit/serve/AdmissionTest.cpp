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
  const Admission admission = judge(*schedule, timing, {}, 100, {&work, 1});
  EXPECT_EQ(admission.verdict, Verdict::Admitted);
  EXPECT_EQ(admission.promise.queueNs, 0);
  EXPECT_TRUE(admission.promise.exact);
  EXPECT_EQ(admission.promise.ttftNs, timing.clock().nanoseconds(timing.tokenEnd(4, 0)));
  EXPECT_EQ(admission.promise.totalNsMax, timing.clock().nanoseconds(length));
}

TEST_F(Judged, WaitsAreRefusedUntilTheyFit) {
  schedule->admit(0, work);
  const Cycle arrival = 10, wait = length - arrival;
  EXPECT_EQ(judge(*schedule, timing, {.queue = 9, .maxWait = wait}, arrival, {&work, 1}).verdict, Verdict::Admitted);
  const Admission refused = judge(*schedule, timing, {.queue = 9, .maxWait = wait - 1}, arrival, {&work, 1});
  EXPECT_EQ(refused.verdict, Verdict::WaitTooLong);
  EXPECT_EQ(refused.retry, 1);
  EXPECT_EQ(judge(*schedule, timing, {.queue = 9, .maxWait = wait - 1}, arrival + refused.retry, {&work, 1}).verdict,
            Verdict::Admitted);
}

TEST_F(Judged, AFullQueueHoldsSequencesNotRequests) {
  schedule->admit(0, work);
  schedule->admit(1, work);
  EXPECT_EQ(judge(*schedule, timing, {.queue = 1, .maxWait = {}}, 2, {&work, 1}).verdict, Verdict::QueueFull);
  EXPECT_EQ(judge(*schedule, timing, {.queue = 2, .maxWait = {}}, 2, {&work, 1}).verdict, Verdict::Admitted);
  EXPECT_EQ(judge(*schedule, timing, {.queue = 2, .maxWait = {}}, 2, std::vector{work, work}).verdict,
            Verdict::QueueFull);
}

TEST_F(Judged, DeadlinesAreOfTheLastToken) {
  EXPECT_EQ(judge(*schedule, timing, {}, 0, {&work, 1}, length).verdict, Verdict::Admitted);
  EXPECT_EQ(judge(*schedule, timing, {}, 0, {&work, 1}, length - 1).verdict, Verdict::DeadlineImpossible);
  schedule->admit(0, work);
  const Admission missed = judge(*schedule, timing, {}, 0, {&work, 1}, length + 5);
  EXPECT_EQ(missed.verdict, Verdict::DeadlineMissed);
  EXPECT_EQ(missed.retry, length - 5);
}

TEST_F(Judged, SequencesOfARequestWaitForEachOther) {
  const std::vector<Work> two{work, work};
  const Admission admission = judge(*schedule, timing, {}, 0, two, 2 * length);
  EXPECT_EQ(admission.verdict, Verdict::Admitted);
  EXPECT_EQ(admission.delayed, 1u);
  EXPECT_EQ(admission.promise.queueNs, 0);
  EXPECT_EQ(admission.promise.cyclesMax, 2 * length);
  EXPECT_EQ(admission.promise.totalNsMax, timing.clock().nanoseconds(2 * length));
  EXPECT_EQ(judge(*schedule, timing, {}, 0, two, 2 * length - 1).verdict, Verdict::DeadlineImpossible);
  EXPECT_EQ(judge(*schedule, timing, {.queue = 0, .maxWait = {}}, 0, two).verdict, Verdict::TooManySequences);
  EXPECT_EQ(judge(*schedule, timing, {.queue = 1, .maxWait = {}}, 0, two).verdict, Verdict::Admitted);
}

TEST_F(Judged, ARequestOfSeveralComesBackWhenThereIsRoom) {
  const auto pair = createSchedule(timing, 2);
  pair->admit(0, {4, 9});
  const std::vector<Work> two{work, work};
  const Admission full = judge(*pair, timing, {.queue = 0, .maxWait = {}}, 0, two);
  EXPECT_EQ(full.verdict, Verdict::QueueFull);
  EXPECT_EQ(judge(*pair, timing, {.queue = 0, .maxWait = {}}, full.retry, two).verdict, Verdict::Admitted);
  const Admission missed = judge(*pair, timing, {}, 0, two, length);
  EXPECT_EQ(missed.verdict, Verdict::DeadlineMissed);
  EXPECT_EQ(judge(*pair, timing, {}, missed.retry, two, length).verdict, Verdict::Admitted);
}

TEST_F(Judged, AFullQueueHasRoomOnceItsFirstStarts) {
  schedule->admit(0, work);
  schedule->admit(1, work);
  schedule->admit(2, work);
  const Admission full = judge(*schedule, timing, {.queue = 2, .maxWait = {}}, 10, {&work, 1});
  EXPECT_EQ(full.verdict, Verdict::QueueFull);
  EXPECT_EQ(full.retry, length - 10); // then the second one runs, and not when all have ended
}

class Tiers : public testing::Test {
protected:
  const isa::Program program = fakeProgram();
  const Timing timing{program};
  std::unique_ptr<Schedule> schedule = createTieredSchedule(timing, 2, 1);
  Work of(Tier tier) const { return {4, 5, tier}; }
  const Cycle length = timing.tokenEnd(4, 4);

  Admission judged(Tier tier, Cycle at) const {
    const Work work = of(tier);
    return judge(*schedule, timing, {}, at, {&work, 1});
  }
};

TEST_F(Tiers, SharedWorkWaitsBesideAFreeReservedSystem) {
  schedule->admit(0, of(Tier::Shared));
  EXPECT_EQ(judged(Tier::Shared, 0).promise.queueNs, timing.clock().nanoseconds(length));
  EXPECT_EQ(judged(Tier::Reserved, 0).promise.queueNs, 0);
  const Ticket ticket = schedule->admit(0, of(Tier::Reserved));
  EXPECT_EQ(schedule->placement(ticket)->system, 0u);
}

TEST_F(Tiers, ReservedWorkTakesASharedSystemThatIsFreeSooner) {
  schedule->admit(0, of(Tier::Reserved));
  const Ticket ticket = schedule->admit(0, of(Tier::Reserved));
  EXPECT_EQ(schedule->placement(ticket)->system, 1u);
  EXPECT_EQ(judged(Tier::Reserved, 0).promise.queueNs, timing.clock().nanoseconds(length));
}

TEST_F(Tiers, LeftoverWorkStartsAtOnceOrNotAtAll) {
  EXPECT_EQ(judged(Tier::Leftover, 0).verdict, Verdict::Admitted);
  schedule->admit(0, of(Tier::Shared));
  const Admission refused = judged(Tier::Leftover, 10);
  EXPECT_EQ(refused.verdict, Verdict::NothingLeft);
  EXPECT_EQ(refused.retry, length - 10);
  EXPECT_EQ(judged(Tier::Leftover, length).verdict, Verdict::Admitted);
}

/// Bounds of each tier hold, whatever comes in the others.
RC_GTEST_PROP(TierBounds, AreKept, (bool batch)) {
  isa::Program program = batch ? fakeProgram({8, 16}, {}) : fakeProgram();
  for (isa::SystemStep &step : program.steps)
    step.users = batch ? 3 : 1;
  const Timing timing(program);
  const auto schedule = createTieredSchedule(timing, *rc::gen::inRange(2, 5), 1);
  Cycle at = 0;
  for (int i = 0; i < 40; ++i) {
    at += *rc::gen::inRange(0, 9000);
    const auto tier = *rc::gen::element(Tier::Shared, Tier::Reserved, Tier::Leftover);
    const Work work{static_cast<std::uint64_t>(*rc::gen::inRange(1, 9)),
                    static_cast<std::uint64_t>(*rc::gen::inRange(1, 8)), tier};
    const Admission admission = judge(*schedule, timing, {}, at, {&work, 1});
    if (admission.verdict != Verdict::Admitted)
      continue;
    const Ticket ticket = schedule->admit(at, work);
    const auto tokens = static_cast<std::uint64_t>(*rc::gen::inRange(1, static_cast<int>(work.maxTokens) + 1));
    schedule->finish(ticket, timing.steps(work.prompt, tokens));
    const Cycle start = schedule->placement(ticket)->start;
    RC_ASSERT(timing.clock().nanoseconds(start - at) <= admission.promise.queueNs);
    if (tier == Tier::Leftover)
      RC_ASSERT(start == at);
    if (tier != Tier::Reserved)
      RC_ASSERT(schedule->placement(ticket)->system >= 1u);
    schedule->release(ticket);
  }
}

/// Who comes back when told is admitted; who comes a cycle earlier is not.
RC_GTEST_PROP(Retries, OfAFullQueueAreExact, (bool batch)) {
  isa::Program program = batch ? fakeProgram({8, 16}, {}) : fakeProgram();
  for (isa::SystemStep &step : program.steps)
    step.users = batch ? 3 : 1;
  const Timing timing(program);
  const auto schedule = createSchedule(timing, *rc::gen::inRange(1, 4));
  const AdmissionRules rules{static_cast<std::size_t>(*rc::gen::inRange(0, 4)), std::nullopt};
  const auto draw = [] {
    return Work{static_cast<std::uint64_t>(*rc::gen::inRange(1, 9)),
                static_cast<std::uint64_t>(*rc::gen::inRange(1, 8))};
  };
  Cycle at = 0;
  for (int i = 0; i < 25; ++i) {
    at += *rc::gen::inRange(0, 4000);
    const Work work = draw();
    const Admission admission = judge(*schedule, timing, rules, at, {&work, 1});
    if (admission.verdict == Verdict::Admitted) {
      const Ticket ticket = schedule->admit(at, work);
      schedule->finish(ticket, timing.steps(work.prompt, work.maxTokens)); // it takes as long as it may
      continue;
    }
    RC_ASSERT(admission.verdict == Verdict::QueueFull);
    RC_ASSERT(admission.retry > 0);
    RC_ASSERT(judge(*schedule, timing, rules, at + admission.retry, {&work, 1}).verdict == Verdict::Admitted);
    RC_ASSERT(judge(*schedule, timing, rules, at + admission.retry - 1, {&work, 1}).verdict == Verdict::QueueFull);
  }
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
    std::vector<Work> works;
    for (int count = *rc::gen::inRange(1, 4); count > 0; --count)
      works.push_back(
          {static_cast<std::uint64_t>(*rc::gen::inRange(1, 9)), static_cast<std::uint64_t>(*rc::gen::inRange(1, 8))});
    const Promise promise = judge(*schedule, timing, {}, at, works).promise;
    std::vector<Ticket> tickets;
    for (const Work &work : works)
      tickets.push_back(schedule->admit(at, work));
    Cycle end = 0;
    for (std::size_t k = 0; k < works.size(); ++k) {
      const auto tokens = static_cast<std::uint64_t>(*rc::gen::inRange(1, static_cast<int>(works[k].maxTokens) + 1));
      schedule->finish(tickets[k], timing.steps(works[k].prompt, tokens));
      end = std::max(end, schedule->tokenEnd(tickets[k], tokens - 1));
    }
    const auto ns = [&](Cycle cycle) { return timing.clock().nanoseconds(cycle - at); };
    const Cycle start = schedule->placement(tickets[0])->start;
    RC_ASSERT(ns(schedule->tokenEnd(tickets[0], 0)) <= promise.ttftNs);
    RC_ASSERT(ns(end) <= promise.totalNsMax);
    RC_ASSERT(end - start <= promise.cyclesMax);
    if (promise.exact)
      RC_ASSERT(ns(schedule->tokenEnd(tickets[0], 0)) == promise.ttftNs);
    for (const Ticket ticket : tickets)
      schedule->release(ticket);
  }
}

} // namespace
} // namespace lpu::serve
