// Damage of every kind to a valid solution is found and named.

#include "Flows.h"

namespace lpu::compiler::sched {
namespace {

class VerifySolution : public testing::Test {
protected:
  /// Flow `i` of the only phase; flows are independent until accesses are given.
  void add(FlowShape flow) { problem.phases[0].flows.push_back(std::move(flow)); }

  /// Schedules and checks that nothing is wrong yet.
  void schedule() {
    for (Phase &phase : problem.phases)
      phase.connect();
    solution = scheduleList(machine, problem);
    ASSERT_EQ(verify(machine, problem, solution), std::nullopt);
  }

  Placement &at(std::size_t flow, std::size_t phase = 0) { return solution.placements[phase][flow]; }

  void expectFault(const std::string &text) {
    auto fault = verify(machine, problem, solution);
    ASSERT_TRUE(fault.has_value()) << "expected: " << text;
    EXPECT_NE(fault->find(text), std::string::npos) << *fault;
  }

  /// A vector read and used in VXM, `burst` rows.
  FlowShape use(const std::string &slice, int burst, const char *label) {
    FlowShape flow = flowOf(machine, label, {read(machine, slice, 0, burst), alu(0, 6, isa::Opcode::Move, burst)});
    flow.groups = {{isa::Direction::West, 2}};
    for (int byte = 0; byte < 2; ++byte)
      flow.segments.push_back({0, byte, 0, 1, 6, burst});
    return flow;
  }

  isa::Machine machine = small();
  Problem problem{.phases = {Phase()}, .blocks = {}, .objects = {}};
  Solution solution;
};

TEST_F(VerifySolution, Dependence) {
  add(flowOf(machine, "writer", {write(machine, "mem.e0", 0)}));
  add(flowOf(machine, "reader", {read(machine, "mem.e1", 0)}));
  problem.phases[0].flows[0].accesses = {memory(0, 0, 0, true, 0, 0)};
  problem.phases[0].flows[1].accesses = {memory(0, 0, 0, false, 0, 0)};
  schedule();
  ASSERT_EQ(at(1).start, 2);
  at(1).start = 1;
  expectFault("flow 1 starts at 1 but depends on flow 0: 0 + 2 = 2");
}

TEST_F(VerifySolution, HalvesOfAWord) {
  for (Half half : {Half::First, Half::Second, Half::First}) {
    Issue word = issue(machine, "mxm.e0.a", 0, isa::Opcode::Activate);
    word.half = half;
    add(flowOf(machine, "word", {word}));
  }
  schedule();
  EXPECT_EQ(at(0).start, 0);
  EXPECT_EQ(at(1).start, 0); // a load and a play are one word
  EXPECT_EQ(at(2).start, 1); // two loads are not
  at(2).start = 0;
  expectFault("used twice at 0");
}

TEST_F(VerifySolution, AWholeWordLeavesNoHalf) {
  for (Half half : {Half::Whole, Half::Second}) {
    Issue word = issue(machine, "mxm.e0.a", 0, isa::Opcode::Activate);
    word.half = half;
    add(flowOf(machine, "word", {word}));
  }
  schedule();
  EXPECT_EQ(at(1).start, 1);
  at(1).start = 0;
  expectFault("used twice at 0");
}

TEST_F(VerifySolution, StartBeforeThePhase) {
  add(flowOf(machine, "first", {read(machine, "mem.e0", 0)}));
  problem.phases.emplace_back();
  problem.phases[1].label = "two";
  problem.phases[1].flows = {flowOf(machine, "second", {read(machine, "mem.e1", 0)})};
  schedule();
  at(0, 1).start = 4;
  expectFault("phase 'two': flow 0 starts at 4, before the phase at 5");
}

TEST_F(VerifySolution, EndAfterThePhase) {
  add(flowOf(machine, "first", {read(machine, "mem.e0", 0)}));
  problem.phases[0].label = "one";
  schedule();
  at(0).start = 1;
  expectFault("phase 'one': flow 0 ends at 6, after the phase at 5");
}

TEST_F(VerifySolution, AHoistedTileLoadMayStartBeforeItsPhase) {
  add(flowOf(machine, "work", {alu(0, 0, isa::Opcode::Move, 30)}));
  problem.phases.emplace_back();
  problem.phases[1].flows = {tileLoad(machine, 0, "mem.e12", 4), install(machine, 0)};
  schedule();
  ASSERT_EQ(at(0, 1).start, 0);
  at(1, 1).start = 20;
  expectFault("starts at 20, before the phase at 33");
}

TEST_F(VerifySolution, Queue) {
  add(flowOf(machine, "a", {read(machine, "mem.e0", 0, 4)}));
  add(flowOf(machine, "b", {read(machine, "mem.e0", 0, 4)}));
  schedule();
  ASSERT_EQ(at(1).start, 4);
  at(1).start = 3;
  expectFault("queue 0 used twice at 3: 'a' until 3 and 'b'");
}

TEST_F(VerifySolution, AluQueue) {
  add(flowOf(machine, "a", {alu(0, 0)}));
  add(flowOf(machine, "b", {alu(0, 0)}));
  schedule();
  ASSERT_NE(at(0).alus, at(1).alus);
  at(1).alus = at(0).alus;
  // Queues: 28 + 28 slices of MEM, then the ALUs.
  expectFault("queue 56 used twice at 0: 'a' until 0 and 'b'");
}

TEST_F(VerifySolution, ResultPort) {
  add(flowOf(machine, "exp", {alu(0, 0, isa::Opcode::Exp)}));
  add(flowOf(machine, "move", {alu(0, 0)}));
  schedule();
  at(1).alus = at(0).alus, at(1).start = 8;
  solution.phaseStart[1] = 12;
  // 0 + 12 = 8 + 4.
  expectFault("result of ALU 0 used twice at 12");
}

TEST_F(VerifySolution, StreamSlot) {
  add(use("mem.e0", 3, "a"));
  add(use("mem.e1", 3, "b"));
  schedule();
  ASSERT_NE(at(0).streams, at(1).streams);
  at(1).streams = at(0).streams;
  // Westward streams are numbered from 32; the first value passes VXM at 6.
  expectFault("stream 32 slot 6 used twice at position 0: 'a' and 'b'");
}

TEST_F(VerifySolution, StreamSlotsOfOneStreamApartInSpaceMayMeet) {
  add(use("mem.e0", 1, "a"));
  add(use("mem.e1", 1, "b"));
  for (Segment &segment : problem.phases[0].flows[1].segments)
    segment.low = segment.high = 5;
  schedule();
  EXPECT_EQ(at(0).streams, at(1).streams);
}

TEST_F(VerifySolution, Accumulator) {
  auto holding = [&](const char *label) {
    // Written at 0 and read at 9; the queue is free between.
    FlowShape flow = flowOf(machine, label, {alu(0, 0), alu(0, 9)});
    flow.alus[0] = {0, 9};
    return flow;
  };
  add(holding("a"));
  add(holding("b"));
  schedule();
  at(1).alus = at(0).alus, at(1).start = 5;
  solution.phaseStart[1] = 18;
  expectFault("accumulator of ALU 0 used twice at 5: 'a' until 9 and 'b'");
}

TEST_F(VerifySolution, Link) {
  for (const char *label : {"first", "second"}) {
    add(flowOf(machine, label, {issue(machine, "c2c.3", 0, isa::Opcode::Send)}));
    problem.phases[0].flows.back().accesses = {
        {Access::Kind::LinkOut, 3, 0, 0, true, 0, machine.c2cVectorInterval - 1}};
  }
  schedule();
  ASSERT_EQ(at(1).start, 24);
  problem.phases[0].dependences.clear();
  at(1).start = 23;
  expectFault("used twice at 23: 'first' until 23 and 'second'");
}

} // namespace
} // namespace lpu::compiler::sched
