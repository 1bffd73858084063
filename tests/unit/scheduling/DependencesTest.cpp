// Distances between flows that touch the same rows, and what a flow's shape says.

#include "Flows.h"

namespace lpu::compiler::sched {
namespace {

/// Two flows, one access each, of rows [low, high] at cycles [first, last].
Phase pair(Access earlier, Access later) {
  Phase phase;
  phase.flows.resize(2);
  phase.flows[0].accesses = {earlier};
  phase.flows[1].accesses = {later};
  phase.connect();
  return phase;
}

TEST(Dependences, ReadAfterWriteWaitsUntilTheRowIsVisible) {
  // Written at 10..13 of its flow, visible 2 later: 15. Read at 4 of its flow: 13 + 2 − 4 = 11.
  Phase phase = pair(memory(0, 0, 7, true, 10, 13), memory(0, 3, 3, false, 4, 4));
  ASSERT_EQ(phase.dependences.size(), 1u);
  EXPECT_EQ(phase.dependences[0].from, 0);
  EXPECT_EQ(phase.dependences[0].to, 1);
  EXPECT_EQ(phase.dependences[0].distance, 11);
}

TEST(Dependences, WriteAfterReadWaitsOneCycle) {
  // Last read at 13, first write at 4: 13 + 1 − 4 = 10.
  Phase phase = pair(memory(0, 0, 7, false, 10, 13), memory(0, 7, 9, true, 4, 9));
  ASSERT_EQ(phase.dependences.size(), 1u);
  EXPECT_EQ(phase.dependences[0].distance, 10);
}

TEST(Dependences, WriteAfterWriteWaitsOneCycle) {
  // Last write at 13, first of the next at 4: 13 + 1 − 4 = 10; visibility does not matter to a writer.
  Phase phase = pair(memory(0, 0, 7, true, 10, 13), memory(0, 0, 0, true, 4, 9));
  ASSERT_EQ(phase.dependences.size(), 1u);
  EXPECT_EQ(phase.dependences[0].distance, 10);
}

TEST(Dependences, DistancesMayBeNegative) {
  // Written at cycle 0, visible at 2, read at 44: the reader may start 42 cycles before the writer.
  Phase phase = pair(memory(0, 0, 0, true, 0, 0), memory(0, 0, 0, false, 44, 44));
  ASSERT_EQ(phase.dependences.size(), 1u);
  EXPECT_EQ(phase.dependences[0].distance, -42);
}

TEST(Dependences, ReadsDoNotOrderReads) {
  EXPECT_TRUE(pair(memory(0, 0, 7, false, 10, 13), memory(0, 0, 7, false, 0, 0)).dependences.empty());
}

TEST(Dependences, OtherRowsObjectsAndKindsAreIndependent) {
  Access row = memory(0, 0, 7, true, 10, 13);
  EXPECT_TRUE(pair(row, memory(0, 8, 9, false, 0, 0)).dependences.empty());
  EXPECT_TRUE(pair(row, memory(1, 0, 7, false, 0, 0)).dependences.empty());
  EXPECT_TRUE(pair(row, {Access::Kind::AccumulatorRow, 0, 0, 7, false, 0, 0, 1}).dependences.empty());
}

TEST(Dependences, RowsThatObjectsShareKeepTheirOrderButPassNoValue) {
  // Another object's rows in the same place: last read at 13, first write at 4, as within an object.
  Access::Kind shared = Access::Kind::SharedRow;
  Phase phase = pair({shared, 5, 0, 7, false, 10, 13, 1}, {shared, 5, 7, 9, true, 4, 9, 1});
  ASSERT_EQ(phase.dependences.size(), 1u);
  EXPECT_EQ(phase.dependences[0].distance, 10);
  phase = pair({shared, 5, 0, 7, true, 10, 13, 2}, {shared, 5, 3, 3, false, 4, 4, 1});
  ASSERT_EQ(phase.dependences.size(), 1u);
  EXPECT_FALSE(phase.dependences[0].flow);
}

TEST(Dependences, OneDependencePerPairIsTheStrictest) {
  Phase phase;
  phase.flows.resize(2);
  phase.flows[0].accesses = {memory(0, 0, 0, true, 0, 0), memory(0, 1, 1, true, 20, 20)};
  phase.flows[1].accesses = {memory(0, 0, 0, false, 0, 0), memory(0, 1, 1, false, 3, 3)};
  phase.connect();
  // 0 + 2 − 0 = 2 and 20 + 2 − 3 = 19.
  ASSERT_EQ(phase.dependences.size(), 1u);
  EXPECT_EQ(phase.dependences[0].distance, 19);
}

TEST(Dependences, AWriteThatCoversHidesWhatIsBehindIt) {
  Phase phase;
  phase.flows.resize(3);
  phase.flows[0].accesses = {memory(0, 2, 3, true, 0, 0)};
  phase.flows[1].accesses = {memory(0, 0, 7, true, 0, 0)};
  phase.flows[2].accesses = {memory(0, 2, 2, false, 0, 0)};
  phase.connect();
  // 0 → 1 → 2; 0 → 2 follows from those.
  ASSERT_EQ(phase.dependences.size(), 2u);
  EXPECT_EQ(phase.dependences[0].to, 1);
  EXPECT_EQ(phase.dependences[1].from, 1);
  EXPECT_EQ(phase.dependences[1].to, 2);
}

TEST(Dependences, APartialWriteHidesNothing) {
  Phase phase;
  phase.flows.resize(3);
  phase.flows[0].accesses = {memory(0, 0, 7, true, 0, 0)};
  phase.flows[1].accesses = {memory(0, 0, 0, true, 0, 0)};
  phase.flows[2].accesses = {memory(0, 5, 5, false, 0, 0)};
  phase.connect();
  bool ordered = false;
  for (const Dependence &d : phase.dependences)
    ordered |= d.from == 0 && d.to == 2;
  EXPECT_TRUE(ordered);
}

TEST(Hoistable, TheFirstLoadOfEachPlane) {
  isa::Machine machine = small();
  Phase phase;
  phase.flows = {tileLoad(machine, 0, "mem.e12", 4), install(machine, 0), tileLoad(machine, 1, "mem.e13", 4),
                 tileLoad(machine, 0, "mem.e12", 4)};
  EXPECT_EQ(phase.hoistable(), (std::vector<bool>{true, false, true, false}));
}

TEST(FlowShape, NormalizeStartsAtZeroAndEndsWithTheLastEffect) {
  isa::Machine machine = small();
  FlowShape flow;
  flow.issues = {read(machine, "mem.e0", -6), alu(0, 0, isa::Opcode::Exp), write(machine, "mem.e4", 14, 3)};
  flow.alus.resize(1);
  flow.accesses = {memory(0, 0, 0, true, 14, 16)};
  flow.groups = {{isa::Direction::West, 1}};
  flow.segments = {{0, 0, 0, 1, 0, 1}};
  flow.normalize(machine);
  EXPECT_EQ(flow.issues[0].at, 0);
  EXPECT_EQ(flow.issues[1].at, 6);
  EXPECT_EQ(flow.issues[2].at, 20);
  EXPECT_EQ(flow.accesses[0].last, 22);
  EXPECT_EQ(flow.segments[0].tau, 6);
  // Last write: 20 + 2 copies = 22, visible at 24. (read 5; exp 6 + 12 = 18)
  EXPECT_EQ(flow.end, 24);
}

TEST(FlowShape, EffectLatenciesAreThoseOfTheHalvesInUse) {
  isa::Machine machine = small();
  auto word = [](isa::Opcode opcode, std::initializer_list<isa::Field> set) {
    isa::Instruction instruction;
    instruction.opcode = opcode;
    for (isa::Field field : set)
      instruction.set(field, 1);
    return instruction;
  };
  using enum isa::Field;
  // timing.md T1.5, with the numbers of tsp1.
  EXPECT_EQ(effectLatency(machine, word(isa::Opcode::Mem, {Rd})), 5);
  EXPECT_EQ(effectLatency(machine, word(isa::Opcode::Mem, {Wr})), 2);
  EXPECT_EQ(effectLatency(machine, word(isa::Opcode::Mem, {Rd, Wr})), 5);
  EXPECT_EQ(effectLatency(machine, word(isa::Opcode::Activate, {Load})), 1);
  EXPECT_EQ(effectLatency(machine, word(isa::Opcode::Activate, {Install})), 1);
  EXPECT_EQ(effectLatency(machine, word(isa::Opcode::Activate, {Load, Play})), 44);
  EXPECT_EQ(effectLatency(machine, word(isa::Opcode::MulF, {})), 4);
  EXPECT_EQ(effectLatency(machine, word(isa::Opcode::Recip, {})), 12);
  EXPECT_EQ(effectLatency(machine, word(isa::Opcode::Gather, {})), 7);
  EXPECT_EQ(effectLatency(machine, word(isa::Opcode::Scatter, {})), 4);
}

} // namespace
} // namespace lpu::compiler::sched
