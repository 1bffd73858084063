// Bounds of phases small enough to be bounded on paper.

#include "Flows.h"

namespace lpu::compiler::sched {
namespace {

/// Reads a row, uses it in VXM `work` times, writes it: read at 0, at VXM at 6 (5 + a position), write behind it.
FlowShape useRow(const isa::Machine &machine, int work) {
  std::vector<Issue> issues = {read(machine, "mem.e0", 0), write(machine, "mem.e4", 12)};
  for (int i = 0; i < work; ++i)
    issues.push_back(alu(i, 6));
  return flowOf(machine, "use", issues);
}

TEST(Bounds, ALoneFlowIsItsOwnLength) {
  isa::Machine machine = small();
  Phase phase;
  phase.flows = {useRow(machine, 1)};
  // Critical path: the write at 12 is visible at 14. Each queue is used once, VXM for 1/16 cycle, rounded up.
  Bounds bounds = boundPhase(machine, phase);
  EXPECT_EQ(bounds.criticalPath, 14);
  EXPECT_EQ(bounds.resource, 1);
}

TEST(Bounds, AnEmptyPhaseCostsNothing) {
  Bounds bounds = boundPhase(small(), Phase());
  EXPECT_EQ(bounds.criticalPath, 0);
  EXPECT_EQ(bounds.resource, 0);
}

TEST(Bounds, ChainsOfValuesAddUp) {
  isa::Machine machine = small();
  Phase phase;
  for (int i = 0; i < 3; ++i) {
    phase.flows.push_back(useRow(machine, 1));
    phase.flows.back().accesses = {memory(i, 0, 0, false, 0, 0), memory(i + 1, 0, 0, true, 12, 12)};
  }
  phase.connect();
  // Each waits for the write before it, 12 + 2: starts at 0, 14, 28; the last ends at 28 + 14 = 42.
  EXPECT_EQ(boundPhase(machine, phase).criticalPath, 42);
  EXPECT_EQ(longestPathToEnd(phase, Paths::Values), (std::vector<Cycle>{42, 28, 14}));
}

TEST(Bounds, PlacesUsedAgainAreNoPath) {
  isa::Machine machine = small();
  Phase phase;
  for (int i = 0; i < 3; ++i) {
    phase.flows.push_back(useRow(machine, 1));
    phase.flows.back().accesses = {memory(0, 0, 0, true, 12, 12)};
  }
  phase.connect();
  // Three writes of one row: other rows would do, so the bound is one flow's 14. The scheduler still keeps
  // them a cycle apart: 2 · 1 + 14 = 16.
  EXPECT_EQ(boundPhase(machine, phase).criticalPath, 14);
  EXPECT_EQ(longestPathToEnd(phase, Paths::All).front(), 16);
}

TEST(Bounds, ANegativeDistanceNeverMovesAFlowBeforeThePhase) {
  isa::Machine machine = small();
  Phase phase;
  phase.flows = {useRow(machine, 1), useRow(machine, 1)};
  // Row written at 1 of the first, visible at 3; read at 10 of the second: 3 − 10 = −7. The second still lasts 14 from
  // 0.
  phase.flows[0].accesses = {memory(0, 0, 0, true, 1, 1)};
  phase.flows[1].accesses = {memory(0, 0, 0, false, 10, 10)};
  phase.connect();
  ASSERT_EQ(phase.dependences.front().distance, -7);
  EXPECT_EQ(boundPhase(machine, phase).criticalPath, 14);
}

TEST(Bounds, ABurstOccupiesItsQueueOnceACopy) {
  isa::Machine machine = small();
  Phase phase;
  phase.flows = {flowOf(machine, "a", {read(machine, "mem.e0", 0, 10)}),
                 flowOf(machine, "b", {read(machine, "mem.e0", 0, 7)}),
                 flowOf(machine, "c", {read(machine, "mem.w0", 0, 16)})};
  // mem.e0: 10 + 7 = 17, mem.w0: 16.
  Bounds bounds = boundPhase(machine, phase);
  EXPECT_EQ(bounds.resource, 17);
  EXPECT_EQ(bounds.busiest, "mem.e0");
}

TEST(Bounds, AWindowRepeatsTheWordsBeforeIt) {
  isa::Machine machine = small();
  std::vector<Issue> issues;
  for (int i = 0; i < 4; ++i)
    issues.push_back(issue(machine, "mxm.e0.a", i, isa::Opcode::Activate));
  issues.back().count = 5, issues.back().window = 4;
  Phase phase;
  phase.flows = {flowOf(machine, "sweep", issues)};
  // Words 0..3 once, then four copies of all four: 4 + 4 · 4 = 20.
  EXPECT_EQ(boundPhase(machine, phase).resource, 20);
}

TEST(Bounds, SixteenAlusShareTheWork) {
  isa::Machine machine = small();
  Phase phase;
  for (int i = 0; i < 5; ++i)
    phase.flows.push_back(flowOf(machine, "alus", {alu(0, 0, isa::Opcode::Move, 10), alu(1, 4, isa::Opcode::Move, 3)}));
  // 5 · 13 = 65 operations on 16 ALUs: 65 / 16 = 4.06, so 5 cycles.
  Bounds bounds = boundPhase(machine, phase);
  EXPECT_EQ(bounds.resource, 5);
  EXPECT_EQ(bounds.busiest, "vxm");
}

TEST(Bounds, ThirtyTwoStreamsPassAPosition) {
  isa::Machine machine = small();
  Phase phase;
  for (int i = 0; i < 3; ++i) {
    FlowShape flow = flowOf(machine, "wide", {read(machine, "mem.e" + std::to_string(i), 0)});
    flow.groups.assign(4, {isa::Direction::East, 16});
    for (int group = 0; group < 4; ++group)
      for (int byte = 0; byte < 16; ++byte)
        flow.segments.push_back({group, byte, group % 2, 5, 0, 1});
    phase.flows.push_back(flow);
  }
  // At positions 1 to 5 pass 3 · 64 = 192 eastward values: 192 / 32 = 6 cycles. (Position 0: half of that.)
  Bounds bounds = boundPhase(machine, phase);
  EXPECT_EQ(bounds.resource, 6);
  EXPECT_EQ(bounds.busiest, "streams");
  // Westwards is another set of 32.
  for (StreamGroup &group : phase.flows[0].groups)
    group.direction = isa::Direction::West;
  EXPECT_EQ(boundPhase(machine, phase).resource, 4);
}

TEST(Bounds, HoistableTileLoadsAreNotCounted) {
  isa::Machine machine = small();
  Phase phase;
  phase.flows = {tileLoad(machine, 0, "mem.e12", 20), install(machine, 0)};
  phase.connect();
  // The load may have happened in an earlier phase: what is left is the install, effective a cycle later.
  Bounds bounds = boundPhase(machine, phase);
  EXPECT_EQ(bounds.resource, 1);
  EXPECT_EQ(bounds.criticalPath, 1);
}

TEST(Bounds, TheSecondLoadOfAPlaneIsCounted) {
  isa::Machine machine = small();
  Phase phase;
  phase.flows = {tileLoad(machine, 0, "mem.e12", 20), install(machine, 0), tileLoad(machine, 0, "mem.e12", 20),
                 install(machine, 0)};
  phase.connect();
  Bounds bounds = boundPhase(machine, phase);
  // The second load reads 20 rows from one slice.
  EXPECT_EQ(bounds.resource, 20);
  EXPECT_EQ(bounds.busiest, "mem.e12");
  // Its last row is in the buffer at 5 + 19 + 1 = 25, then the install: at least 26 from its start.
  EXPECT_GE(bounds.criticalPath, 26);
}

TEST(Bounds, ALinkCarriesAVectorPerIntervalAndTheLastOneTravels) {
  isa::Machine machine = small();
  Phase phase;
  for (int i = 0; i < 3; ++i)
    phase.flows.push_back(flowOf(machine, "send", {issue(machine, "c2c.4", 0, isa::Opcode::Send)}));
  // 2 · 24 + 216; receives between the sends cost nothing more.
  phase.flows.push_back(flowOf(machine, "receive", {issue(machine, "c2c.4", 0, isa::Opcode::Receive)}));
  Bounds bounds = boundPhase(machine, phase);
  EXPECT_EQ(bounds.resource, 264);
  EXPECT_EQ(bounds.busiest, "c2c.4");
  EXPECT_EQ(bounds.criticalPath, 216);
}

} // namespace
} // namespace lpu::compiler::sched
