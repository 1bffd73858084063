#include "lpu/serve/Schedule.h"
#include "../runtime/FakeSimulator.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <map>

namespace lpu::serve {
namespace {

using rt::test::fakeProgram;

isa::Program together(std::uint32_t users) {
  isa::Program program = fakeProgram({8, 16}, {});
  for (isa::SystemStep &step : program.steps)
    step.users = users;
  return program;
}

struct Item {
  Cycle arrival = 0;
  Work work;
  std::uint64_t tokens = 1; ///< what it turns out to generate
};

/// Arrivals in order, lengths within the fake program's context.
std::vector<Item> someItems() {
  std::vector<Item> items;
  Cycle at = 0;
  const int count = *rc::gen::inRange(1, 25);
  for (int i = 0; i < count; ++i) {
    Item item;
    at += *rc::gen::inRange(0, 60000);
    item.arrival = at;
    item.work.prompt = *rc::gen::inRange(1, 9);
    item.work.maxTokens = *rc::gen::inRange(1, 8);
    item.tokens = *rc::gen::inRange(1, static_cast<int>(item.work.maxTokens) + 1);
    items.push_back(item);
  }
  return items;
}

std::vector<Placement> placedAtOnce(const Timing &timing, unsigned systems, const std::vector<Item> &items) {
  auto schedule = createSchedule(timing, systems);
  std::vector<Placement> out;
  for (const Item &item : items) {
    Ticket ticket = schedule->admit(item.arrival, item.work);
    schedule->finish(ticket, timing.steps(item.work.prompt, item.tokens));
    RC_ASSERT(schedule->placement(ticket).has_value());
    out.push_back(*schedule->placement(ticket));
    schedule->release(ticket);
  }
  return out;
}

bool same(const Placement &a, const Placement &b) {
  return a.system == b.system && a.slot == b.slot && a.start == b.start;
}

/// Workload vectors of Kiefer and Wolfowitz: who comes takes the server that is free first.
RC_GTEST_PROP(Schedule, SingleUsersFollowKieferWolfowitz, ()) {
  const isa::Program program = fakeProgram();
  const Timing timing(program);
  const unsigned systems = *rc::gen::inRange(1, 4);
  std::vector<Item> items = someItems();
  std::vector<Placement> placed = placedAtOnce(timing, systems, items);
  std::vector<Cycle> free(systems, 0);
  for (std::size_t i = 0; i < items.size(); ++i) {
    auto first = std::min_element(free.begin(), free.end());
    const Cycle start = std::max(items[i].arrival, *first);
    RC_ASSERT(placed[i].start == start);
    free[placed[i].system] = start + timing.tokenEnd(items[i].work.prompt, items[i].tokens - 1);
  }
}

/// Frames told from cycle to cycle: at the end of each frame, and at arrivals at idle systems, who waits is let in.
RC_GTEST_PROP(Schedule, UsersOfABatchJoinAtFrames, ()) {
  const isa::Program program = together(*rc::gen::inRange(2, 4));
  const Timing timing(program);
  std::vector<Item> items = someItems();
  std::vector<Placement> placed = placedAtOnce(timing, 1, items);
  // One system: walk its frames.
  std::size_t next = 0;
  std::vector<std::uint64_t> left(timing.users(), 0);
  Cycle now = 0;
  auto idle = [&] { return std::ranges::all_of(left, [](std::uint64_t steps) { return steps == 0; }); };
  while (next < items.size()) {
    if (idle())
      now = std::max(now, items[next].arrival);
    for (std::uint64_t &slot : left)
      if (slot == 0 && next < items.size() && items[next].arrival <= now) {
        RC_ASSERT(placed[next].start == now);
        slot = timing.steps(items[next].work.prompt, items[next].tokens);
        ++next;
      }
    for (std::uint64_t &slot : left)
      slot -= slot > 0;
    now += timing.frame();
  }
}

/// What the order of learning is must not show: sequences go on step by step in any order, and get the same places.
RC_GTEST_PROP(Schedule, DoesNotDependOnWhenLengthsAreLearned, (bool batch)) {
  const isa::Program program = batch ? together(2) : fakeProgram();
  const Timing timing(program);
  const unsigned systems = *rc::gen::inRange(1, 4);
  std::vector<Item> items = someItems();
  std::vector<Placement> expected = placedAtOnce(timing, systems, items);
  auto schedule = createSchedule(timing, systems);
  struct Running {
    std::size_t item;
    Ticket ticket;
    std::uint64_t done = 0;
  };
  std::vector<Running> running;
  std::vector<Ticket> tickets;
  for (std::size_t i = 0; i < items.size(); ++i)
    tickets.push_back(schedule->admit(items[i].arrival, items[i].work)), running.push_back({i, tickets.back()});
  Cycle before = 0;
  while (!running.empty()) {
    const std::size_t pick = *rc::gen::inRange<std::size_t>(0, running.size());
    Running &one = running[pick];
    const std::uint64_t steps = timing.steps(items[one.item].work.prompt, items[one.item].tokens);
    if (++one.done < steps) {
      schedule->progress(one.ticket, one.done);
    } else {
      schedule->finish(one.ticket, steps);
      running.erase(running.begin() + static_cast<std::ptrdiff_t>(pick));
    }
    const Cycle now = schedule->now();
    RC_ASSERT(now >= before);
    before = now;
    for (std::size_t i = 0; i < items.size(); ++i)
      if (auto placement = schedule->placement(tickets[i]))
        RC_ASSERT(same(*placement, expected[i]));
  }
  for (std::size_t i = 0; i < items.size(); ++i)
    RC_ASSERT(schedule->placement(tickets[i]).has_value());
}

RC_GTEST_PROP(Schedule, BoundsAreNeverExceeded, (bool batch)) {
  const isa::Program program = batch ? together(3) : fakeProgram();
  const Timing timing(program);
  const unsigned systems = *rc::gen::inRange(1, 3);
  auto schedule = createSchedule(timing, systems);
  for (const Item &item : someItems()) {
    const StartBound bound = schedule->bound(item.arrival);
    const Ticket ticket = schedule->admit(item.arrival, item.work);
    schedule->finish(ticket, timing.steps(item.work.prompt, item.tokens));
    const Cycle start = schedule->placement(ticket)->start;
    RC_ASSERT(start <= bound.start);
    if (bound.exact)
      RC_ASSERT(start == bound.start);
    schedule->release(ticket);
  }
}

class Alone : public testing::Test {
protected:
  const isa::Program program = fakeProgram();
  const Timing timing{program};
  std::unique_ptr<Schedule> schedule = createSchedule(timing, 1);
};

TEST_F(Alone, AnIdleSystemStartsAtOnceAndTheBoundSaysSo) {
  StartBound bound = schedule->bound(100);
  EXPECT_EQ(bound.start, 100);
  EXPECT_TRUE(bound.exact);
  Ticket first = schedule->admit(100, {4, 5});
  EXPECT_EQ(schedule->placement(first)->start, 100);
  EXPECT_EQ(schedule->tokenEnd(first, 0), 100 + timing.tokenEnd(4, 0));
  bound = schedule->bound(200);
  EXPECT_EQ(bound.start, 100 + timing.tokenEnd(4, 4)); // as long as it can take
  EXPECT_FALSE(bound.exact);
}

TEST_F(Alone, ASecondOneWaitsForTheEndOfTheFirst) {
  Ticket first = schedule->admit(0, {4, 5}), second = schedule->admit(10, {4, 5});
  EXPECT_FALSE(schedule->placement(second));
  EXPECT_EQ(schedule->waiting(10), 1u);
  EXPECT_EQ(schedule->running(10), 1u);
  schedule->progress(first, 1);
  EXPECT_FALSE(schedule->placement(second));
  schedule->finish(first, 2);
  EXPECT_EQ(schedule->placement(second)->start, timing.stepEnd(4, 1));
}

TEST_F(Alone, TheClockMovesWithWorkAndStandsWithoutIt) {
  EXPECT_EQ(schedule->now(), 0);
  Ticket first = schedule->admit(50, {4, 5});
  EXPECT_EQ(schedule->now(), 50);
  schedule->progress(first, 1);
  EXPECT_EQ(schedule->now(), 50 + timing.stepEnd(4, 0));
  schedule->finish(first, 3);
  EXPECT_EQ(schedule->now(), 50 + timing.stepEnd(4, 2));
  schedule->release(first);
  EXPECT_EQ(schedule->now(), 50 + timing.stepEnd(4, 2));
}

TEST_F(Alone, WhoGivesUpWhileWaitingTakesNoTime) {
  Ticket first = schedule->admit(0, {4, 5}), second = schedule->admit(0, {4, 5}), third = schedule->admit(0, {4, 5});
  schedule->cancel(second, 0);
  schedule->finish(first, 2);
  EXPECT_EQ(schedule->placement(third)->start, timing.stepEnd(4, 1));
}

TEST_F(Alone, WhoGivesUpWhileRunningFreesTheSlotAtTheEndOfItsStep) {
  Ticket first = schedule->admit(0, {4, 5}), second = schedule->admit(0, {4, 5});
  schedule->cancel(first, 0);
  EXPECT_EQ(schedule->placement(second)->start, timing.stepEnd(4, 0));
}

TEST_F(Alone, EndsThatWereForgottenStillHoldBackWhoWaited) {
  schedule = createSchedule(timing, 2);
  Ticket a = schedule->admit(0, {8, 1}), b = schedule->admit(0, {8, 9}), c = schedule->admit(1, {1, 1});
  schedule->finish(a, timing.steps(8, 1));
  schedule->release(a);
  EXPECT_FALSE(schedule->placement(c)); // b may end before a did
  Ticket d = schedule->admit(10000000, {1, 1});
  schedule->finish(b, timing.steps(8, 9));
  EXPECT_EQ(schedule->placement(c)->start, timing.tokenEnd(8, 0));
  EXPECT_TRUE(schedule->placement(d).has_value() || schedule->placement(c).has_value());
}

} // namespace
} // namespace lpu::serve
