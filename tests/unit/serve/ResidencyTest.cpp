#include "lpu/serve/Residency.h"
#include "../runtime/FakeSimulator.h"
#include "lpu/serve/Admission.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>

namespace lpu::serve {
namespace {

using rt::test::fakeProgram;

/// One with so many users, chips and bytes of weights a chip.
isa::Program programOf(std::uint32_t users, std::size_t chips, std::uint64_t bytes) {
  isa::Program program = users > 1 ? fakeProgram({8, 16}, {}) : fakeProgram();
  for (isa::SystemStep &step : program.steps)
    step.users = users;
  program.classes[0].imageBytes = bytes;
  program.chips.resize(chips, program.chips[0]);
  return program;
}

class TwoOnOneChip : public testing::Test {
protected:
  const isa::Program small = programOf(1, 1, 24000), large = programOf(1, 1, 48000);
  const Timing a{small}, b{large};
  ChipPool pool{{{&a, 1}, {&b, 1}}, 1};
  std::unique_ptr<Schedule> first = pool.tenant(0), second = pool.tenant(1);

  Cycle serve(Schedule &schedule, Cycle arrival, const Timing &timing) {
    const Ticket ticket = schedule.admit(arrival, {4, 2});
    schedule.finish(ticket, timing.steps(4, 2));
    return schedule.placement(ticket)->start;
  }
};

TEST_F(TwoOnOneChip, WeightsTakeTheirTimeOverTheHostLink) {
  // 10 µs of latency and 24,000 bytes at 24 GB/s: 11 µs at 0.9 GHz.
  EXPECT_EQ(a.reloadCycles(), 9900);
  EXPECT_EQ(b.reloadCycles(), 10800);
}

TEST_F(TwoOnOneChip, TheFirstIsThereAndTheSecondIsLoadedInItsPlace) {
  EXPECT_EQ(serve(*first, 100, a), 100);
  const Cycle end = 100 + a.tokenEnd(4, 1);
  EXPECT_EQ(second->bound(end).start, end + b.reloadCycles());
  EXPECT_TRUE(second->bound(end).exact);
  EXPECT_EQ(serve(*second, end, b), end + b.reloadCycles());
  EXPECT_EQ(pool.state(0).resident, 0u);
  EXPECT_EQ(pool.state(1).resident, 1u);
  EXPECT_EQ(pool.state(1).loads, 1u);
  EXPECT_EQ(pool.state(0).losses, 1u);
}

TEST_F(TwoOnOneChip, ABusySystemIsReplacedAfterItsEndAndTakesNobodyMore) {
  const Ticket running = first->admit(0, {4, 5}), wanted = second->admit(10, {4, 2}), late = first->admit(20, {4, 2});
  EXPECT_FALSE(second->placement(wanted)); // the first may end early
  EXPECT_FALSE(first->placement(late));
  EXPECT_EQ(pool.state(0).loads, 1u); // it comes back after the second
  first->finish(running, 2);
  const Cycle open = a.stepEnd(4, 1) + b.reloadCycles();
  EXPECT_EQ(second->placement(wanted)->start, open);
  second->finish(wanted, b.steps(4, 2));
  EXPECT_EQ(first->placement(late)->start, open + b.tokenEnd(4, 1) + a.reloadCycles());
}

TEST_F(TwoOnOneChip, RequestsForAnAbsentModelShareItsLoading) {
  const Ticket one = second->admit(0, {4, 2}), two = second->admit(1, {4, 2});
  EXPECT_EQ(pool.state(1).loads, 1u);
  EXPECT_EQ(second->placement(one)->start, b.reloadCycles());
  second->finish(one, b.steps(4, 2));
  EXPECT_EQ(second->placement(two)->start, b.reloadCycles() + b.tokenEnd(4, 1));
}

TEST(ChipPool, WhoHasBeenIdleLongestIsReplaced) {
  const isa::Program program = programOf(1, 1, 24000);
  const Timing timing(program);
  ChipPool pool({{&timing, 1}, {&timing, 1}, {&timing, 1}}, 2);
  const auto serve = [&](std::size_t tenant, Cycle arrival) {
    const auto schedule = pool.tenant(tenant);
    const Ticket ticket = schedule->admit(arrival, {4, 1});
    schedule->finish(ticket, 1);
    return schedule->placement(ticket)->start - arrival;
  };
  EXPECT_EQ(serve(1, 0), 0);
  EXPECT_EQ(serve(0, 100000), 0);
  EXPECT_EQ(serve(2, 200000), timing.reloadCycles());
  EXPECT_EQ(pool.state(1).losses, 1u);
  EXPECT_EQ(serve(0, 300000), 0);
  EXPECT_EQ(serve(1, 400000), timing.reloadCycles());
  EXPECT_EQ(pool.state(2).losses, 1u);
}

TEST(ChipPool, WholeSystemsAreReplacedAndNoMoreThanNeeded) {
  const isa::Program one = programOf(1, 1, 24000), three = programOf(1, 3, 24000);
  const Timing small(one), large(three);
  ChipPool pool({{&small, 1}, {&small, 1}, {&large, 1}}, 4); // the third does not fit beside the first two
  EXPECT_EQ(pool.state(2).resident, 0u);
  const auto big = pool.tenant(2);
  const Ticket ticket = big->admit(0, {4, 1});
  big->finish(ticket, 1);
  EXPECT_EQ(pool.state(0).resident + pool.state(1).resident, 1u); // two chips were free
  EXPECT_EQ(big->placement(ticket)->start, large.reloadCycles());
}

struct Item {
  std::size_t tenant = 0;
  Cycle arrival = 0;
  Work work;
  std::uint64_t tokens = 1;
};

struct Case {
  std::vector<isa::Program> programs;
  std::vector<std::unique_ptr<Timing>> timings;
  std::vector<Tenant> tenants;
  unsigned chips = 0;
  std::vector<Item> items;
};

Case someCase() {
  Case made;
  const std::size_t count = *rc::gen::inRange<std::size_t>(2, 5);
  made.programs.reserve(count);
  unsigned most = 0, all = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const auto users = static_cast<std::uint32_t>(*rc::gen::inRange(1, 4));
    const auto chips = *rc::gen::inRange<std::size_t>(1, 3);
    made.programs.push_back(programOf(users, chips, *rc::gen::inRange(1, 100000)));
    made.timings.push_back(std::make_unique<Timing>(made.programs.back()));
    made.tenants.push_back({made.timings.back().get(), static_cast<unsigned>(*rc::gen::inRange(1, 3))});
    most = std::max<unsigned>(most, chips), all += chips;
  }
  made.chips = *rc::gen::inRange(most, all + 1);
  Cycle at = 0;
  for (int i = *rc::gen::inRange(1, 30); i > 0; --i) {
    at += *rc::gen::inRange(0, 30000);
    const auto tokens = static_cast<std::uint64_t>(*rc::gen::inRange(1, 8));
    made.items.push_back({*rc::gen::inRange<std::size_t>(0, count),
                          at,
                          {static_cast<std::uint64_t>(*rc::gen::inRange(1, 9)), tokens},
                          static_cast<std::uint64_t>(*rc::gen::inRange<std::uint64_t>(1, tokens + 1))});
  }
  return made;
}

std::uint64_t stepsOf(const Case &made, const Item &item) {
  return made.timings[item.tenant]->steps(item.work.prompt, item.tokens);
}

std::vector<Placement> placedAtOnce(const Case &made) {
  ChipPool pool(made.tenants, made.chips);
  std::vector<std::unique_ptr<Schedule>> views;
  for (std::size_t i = 0; i < made.tenants.size(); ++i)
    views.push_back(pool.tenant(i));
  std::vector<Placement> out;
  std::vector<Ticket> tickets;
  for (const Item &item : made.items) {
    tickets.push_back(views[item.tenant]->admit(item.arrival, item.work));
    views[item.tenant]->finish(tickets.back(), stepsOf(made, item));
  }
  for (std::size_t i = 0; i < tickets.size(); ++i) {
    const auto placed = views[made.items[i].tenant]->placement(tickets[i]);
    RC_ASSERT(placed.has_value());
    out.push_back(*placed);
  }
  return out;
}

/// A system is on its chips from the loading to the end of its last sequence: never more chips than there are, and of
/// one system of a model, sequences of other systems' times do not overlap more than it has users.
RC_GTEST_PROP(ChipPoolRules, NoBusyModelLosesItsChips, ()) {
  const Case made = someCase();
  const std::vector<Placement> placed = placedAtOnce(made);
  const auto endOf = [&](std::size_t i) {
    const Item &item = made.items[i];
    return placed[i].start + made.timings[item.tenant]->stepEnd(item.work.prompt, stepsOf(made, item) - 1);
  };
  for (std::size_t i = 0; i < placed.size(); ++i) {
    unsigned chips = 0;
    std::map<std::pair<std::size_t, unsigned>, std::uint32_t> users;
    for (std::size_t k = 0; k < placed.size(); ++k)
      if (placed[k].start <= placed[i].start && endOf(k) > placed[i].start &&
          ++users[{made.items[k].tenant, placed[k].system}] == 1)
        chips += made.timings[made.items[k].tenant]->chips();
    RC_ASSERT(chips <= made.chips);
    for (const auto &[system, count] : users)
      RC_ASSERT(count <= made.timings[system.first]->users());
  }
}

/// What a server learns step by step, a study knows at once: both get the same places, and bounds hold.
RC_GTEST_PROP(ChipPoolRules, PlacesDoNotDependOnWhenLengthsAreLearned, ()) {
  const Case made = someCase();
  const std::vector<Placement> expected = placedAtOnce(made);
  ChipPool pool(made.tenants, made.chips);
  std::vector<std::unique_ptr<Schedule>> views;
  for (std::size_t i = 0; i < made.tenants.size(); ++i)
    views.push_back(pool.tenant(i));
  struct Running {
    std::size_t item;
    Ticket ticket;
    std::uint64_t done = 0;
  };
  std::vector<Running> running;
  std::vector<Ticket> tickets(made.items.size());
  std::size_t next = 0;
  while (next < made.items.size() || !running.empty()) {
    // As a server does: who arrives is judged once the work has come to its arrival.
    if (next < made.items.size() &&
        views[0]->certainUntil().value_or(made.items[next].arrival) >= made.items[next].arrival) {
      const Item &item = made.items[next];
      const StartBound bound = views[item.tenant]->bounds(item.arrival, {&item.work, 1}).front();
      RC_ASSERT(expected[next].start <= bound.start);
      if (bound.exact)
        RC_ASSERT(expected[next].start == bound.start);
      tickets[next] = views[item.tenant]->admit(item.arrival, item.work);
      running.push_back({next, tickets[next]});
      ++next;
      continue;
    }
    std::vector<std::size_t> able;
    for (std::size_t i = 0; i < running.size(); ++i)
      if (views[made.items[running[i].item].tenant]->placement(running[i].ticket))
        able.push_back(i);
    RC_ASSERT(!able.empty());
    const std::size_t pick = able[*rc::gen::inRange<std::size_t>(0, able.size())];
    Running &one = running[pick];
    const Item &item = made.items[one.item];
    const auto placed = views[item.tenant]->placement(one.ticket);
    RC_ASSERT(placed->start == expected[one.item].start);
    RC_ASSERT(placed->system == expected[one.item].system);
    if (++one.done < stepsOf(made, item)) {
      views[item.tenant]->progress(one.ticket, one.done);
    } else {
      views[item.tenant]->finish(one.ticket, one.done);
      views[item.tenant]->release(one.ticket);
      running.erase(running.begin() + static_cast<std::ptrdiff_t>(pick));
    }
  }
}

} // namespace
} // namespace lpu::serve
