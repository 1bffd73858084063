// The list scheduler on random problems: always valid, never below the bounds,
// always the same.

#include "Flows.h"

#include <random>

namespace lpu::compiler::sched {
namespace {

class Generator {
public:
  Generator(const isa::Machine &machine, unsigned seed) : machine(machine), random(seed) {}

  Problem problem() {
    Problem result;
    for (int p = below(3); p >= 0; --p) {
      Phase &phase = result.phases.emplace_back();
      phase.label = "phase " + std::to_string(p);
      for (int f = below(12); f >= 0; --f)
        if (below(5) == 0)
          addTile(phase);
        else
          phase.flows.push_back(vectorFlow());
      phase.connect();
    }
    return result;
  }

private:
  int below(int n) { return static_cast<int>(random() % static_cast<unsigned>(n)); }

  void addTile(Phase &phase) {
    int plane = below(2);
    phase.flows.push_back(tileLoad(machine, plane, "mem.e" + std::to_string(12 + below(3)), 1 + below(4)));
    phase.flows.push_back(install(machine, plane));
  }

  /// Rows of one slice to VXM, a chain of ALUs, rows of another slice.
  FlowShape vectorFlow() {
    int from = below(4), to = 4 + below(4), burst = 1 + below(6), width = 1 << below(3), chain = 1 + below(4);
    Cycle at = 6;
    std::vector<Issue> issues;
    for (int b = 0; b < width; ++b)
      issues.push_back(read(machine, "mem.e" + std::to_string((from + b) % 4), 0, burst));
    bool accumulates = below(3) == 0;
    for (int a = 0; a < chain; ++a) {
      isa::Opcode opcode = below(4) == 0 ? isa::Opcode::Exp : isa::Opcode::Move;
      issues.push_back(alu(a, at, opcode, burst));
      at += isa::latencyOf(machine, opcode);
    }
    issues.push_back(write(machine, "mem.e" + std::to_string(to), at + 2, burst));
    FlowShape flow = flowOf(machine, "vector", issues);
    if (accumulates)
      flow.alus[0] = {6, 6 + burst - 1};
    flow.groups = {{isa::Direction::West, width}, {isa::Direction::East, 1}};
    for (int b = 0; b < width; ++b)
      flow.segments.push_back({0, b, 0, 1, 6, burst});
    flow.segments.push_back({1, 0, 0, 2, at, burst});
    flow.accesses = {memory(from, 0, burst - 1, false, 0, burst - 1),
                     memory(to, 0, burst - 1, true, at + 2, at + 2 + burst - 1)};
    if (below(2))
      flow.accesses.push_back(memory(to + below(2), 2, 3, false, at, at + 1));
    return flow;
  }

  const isa::Machine &machine;
  std::mt19937 random;
};

bool same(const Solution &a, const Solution &b) {
  if (a.phaseStart != b.phaseStart)
    return false;
  for (std::size_t p = 0; p < a.placements.size(); ++p)
    for (std::size_t f = 0; f < a.placements[p].size(); ++f) {
      const Placement &x = a.placements[p][f], &y = b.placements[p][f];
      if (x.start != y.start || x.streams != y.streams || x.alus != y.alus)
        return false;
    }
  return true;
}

TEST(ListScheduler, TwoHundredRandomProblems) {
  isa::Machine machine = small();
  int beyondBound = 0;
  for (unsigned seed = 1; seed <= 200; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    Problem problem = Generator(machine, seed).problem();
    Solution solution = scheduleList(machine, problem);
    auto fault = verify(machine, problem, solution);
    ASSERT_FALSE(fault.has_value()) << *fault;
    ASSERT_TRUE(same(solution, scheduleList(machine, problem)));
    ASSERT_EQ(solution.phaseStart.size(), problem.phases.size() + 1);
    for (std::size_t p = 0; p < problem.phases.size(); ++p) {
      Bounds bounds = boundPhase(machine, problem.phases[p]);
      Cycle length = solution.phaseStart[p + 1] - solution.phaseStart[p];
      ASSERT_LE(std::max(bounds.resource, bounds.criticalPath), length) << "phase " << p << ", " << bounds.busiest;
      beyondBound += length > std::max(bounds.resource, bounds.criticalPath);
    }
  }
  // The problems are not so easy that every schedule meets its bound.
  EXPECT_GT(beyondBound, 20);
}

/// The phases of `problem` so many times, on other objects each.
Problem layers(const Problem &problem, int count) {
  Problem result;
  for (int layer = 0; layer < count; ++layer)
    for (Phase phase : problem.phases) {
      for (FlowShape &flow : phase.flows)
        for (Access &access : flow.accesses)
          access.where += access.kind == Access::Kind::Memory ? 100 * layer : 0;
      result.phases.push_back(std::move(phase));
    }
  return result;
}

TEST(ListScheduler, RepeatedPhasesComeOutAsIfEachWereSearched) {
  isa::Machine machine = small();
  std::size_t searched = 0, phases = 0;
  for (unsigned seed = 1; seed <= 200; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    Problem problem = layers(Generator(machine, seed).problem(), 12);
    Solution reused = scheduleList(machine, problem), each = scheduleList(machine, problem, Repetitions::Search);
    ASSERT_TRUE(same(reused, each));
    auto fault = verify(machine, problem, reused);
    ASSERT_FALSE(fault.has_value()) << *fault;
    ASSERT_EQ(each.phasesSolved, problem.phases.size());
    searched += reused.phasesSolved, phases += problem.phases.size();
  }
  EXPECT_LT(searched, phases * 9 / 10) << "of " << phases; // phases are short: most reach back over several layers
}

TEST(ListScheduler, ALayerIsSearchedOnceWhenItNoLongerReachesTheBeginning) {
  isa::Machine machine = small();
  Problem layer;
  layer.phases.resize(1);
  Phase &phase = layer.phases[0];
  phase.flows = {tileLoad(machine, 0, "mem.e12", 4), install(machine, 0),
                 flowOf(machine, "burst", {read(machine, "mem.e0", 0, 600)})};
  phase.connect();
  Problem problem = layers(layer, 10);
  Solution solution = scheduleList(machine, problem);
  // The load may run ahead into the layer before, from its install on, which lies within that layer's 605 cycles; what
  // is reserved there may lie 256 cycles before or behind. So a search reaches back over three layers, and the next
  // ones all find the same.
  EXPECT_LE(solution.phasesSolved, 5u);
  EXPECT_TRUE(same(solution, scheduleList(machine, problem, Repetitions::Search)));
}

TEST(ListScheduler, APhaseThatDiffersInABankIsAnother) {
  isa::Machine machine = small();
  auto phaseOf = [&](int bank) {
    Phase phase;
    Issue one = read(machine, "mem.e0", 0, 4), other = write(machine, "mem.e0", 0, 4);
    one.half = Half::First, other.half = Half::Second;
    one.instruction.set(isa::Field::RdBank, 0), other.instruction.set(isa::Field::WrBank, bank);
    phase.flows = {flowOf(machine, "one", {one}), flowOf(machine, "other", {other}),
                   flowOf(machine, "long", {read(machine, "mem.e9", 0, 1000)})};
    return phase;
  };
  Problem problem;
  for (int bank : {0, 0, 0, 1, 1})
    problem.phases.push_back(phaseOf(bank));
  Solution solution = scheduleList(machine, problem);
  EXPECT_TRUE(same(solution, scheduleList(machine, problem, Repetitions::Search)));
  // A slice reads and writes at once, if at different banks.
  EXPECT_EQ(solution.placements[2][1].start - solution.phaseStart[2], 4);
  EXPECT_EQ(solution.placements[4][1].start - solution.phaseStart[4], 0);
}

TEST(ListScheduler, IndependentFlowsOverlap) {
  isa::Machine machine = small();
  Problem problem;
  problem.phases.resize(1);
  for (const char *slice : {"mem.e0", "mem.e1", "mem.w0"})
    problem.phases[0].flows.push_back(flowOf(machine, slice, {read(machine, slice, 0)}));
  Solution solution = scheduleList(machine, problem);
  for (const Placement &placement : solution.placements[0])
    EXPECT_EQ(placement.start, 0);
  EXPECT_EQ(solution.end(), 5);
}

TEST(ListScheduler, GivesUpOnAFlowThatNeedsTooMuchAtOnce) {
  isa::Machine machine = small();
  Problem problem;
  problem.phases.resize(1);
  FlowShape wide = flowOf(machine, "wide", {read(machine, "mem.e0", 0, 8)});
  for (int group = 0; group <= machine.streamsPerDirection; ++group) {
    wide.groups.push_back({isa::Direction::West, 1});
    wide.segments.push_back({group, 0, 0, 1, 6, 8});
  }
  problem.phases[0].flows = {flowOf(machine, "narrow", {read(machine, "mem.e1", 0)}), wide};
  EXPECT_EQ(scheduleList(machine, problem).impossible, "wide");
  problem.phases[0].flows[1].segments.pop_back();
  problem.phases[0].flows[1].groups.pop_back();
  EXPECT_EQ(scheduleList(machine, problem).impossible, "");
}

TEST(ListScheduler, EveryPositionOfALongChipIsItsOwn) {
  isa::Machine machine = small();
  machine.memSlicesPerSide = 200; // 105 positions
  Problem problem;
  problem.phases.resize(1);
  for (int position : {-40, -8, 24, 24}) {
    std::string slice = "mem.e" + std::to_string(problem.phases[0].flows.size());
    FlowShape flow = flowOf(machine, "all streams", {read(machine, slice, 0)});
    flow.groups = {{isa::Direction::East, machine.streamsPerDirection}};
    for (int byte = 0; byte < machine.streamsPerDirection; ++byte)
      flow.segments.push_back({0, byte, position, position, 6, 1});
    problem.phases[0].flows.push_back(std::move(flow));
  }
  Solution solution = scheduleList(machine, problem);
  std::vector<Cycle> starts;
  for (const Placement &placement : solution.placements[0])
    starts.push_back(placement.start);
  EXPECT_EQ(starts, (std::vector<Cycle>{0, 0, 0, 1})); // only the last two meet
}

TEST(ListScheduler, FlowsOnOneQueueTakeTurns) {
  isa::Machine machine = small();
  Problem problem;
  problem.phases.resize(1);
  for (int i = 0; i < 3; ++i)
    problem.phases[0].flows.push_back(flowOf(machine, "r", {read(machine, "mem.e0", 0, 4)}));
  Solution solution = scheduleList(machine, problem);
  // Starts 0, 4, 8 in program order; the last read is dispatched at 11, its effect is at 16.
  EXPECT_EQ(solution.placements[0][0].start, 0);
  EXPECT_EQ(solution.placements[0][1].start, 4);
  EXPECT_EQ(solution.placements[0][2].start, 8);
  EXPECT_EQ(solution.end(), 16);
}

TEST(ListScheduler, ALongerPathGoesFirst) {
  isa::Machine machine = small();
  Problem problem;
  problem.phases.resize(1);
  auto &flows = problem.phases[0].flows;
  flows = {flowOf(machine, "short", {read(machine, "mem.e0", 0)}),
           flowOf(machine, "long", {read(machine, "mem.e0", 0), alu(0, 6, isa::Opcode::Exp)})};
  Solution solution = scheduleList(machine, problem);
  EXPECT_EQ(solution.placements[0][1].start, 0);
  EXPECT_EQ(solution.placements[0][0].start, 1);
}

TEST(ListScheduler, AlusAreChosenSoThatResultsDoNotMeet) {
  isa::Machine machine = small();
  machine.vxmAlus = 1;
  Problem problem;
  problem.phases.resize(1);
  problem.phases[0].flows = {flowOf(machine, "exp", {alu(0, 0, isa::Opcode::Exp)}),
                             flowOf(machine, "move", {alu(0, 0)})};
  Solution solution = scheduleList(machine, problem);
  // exp at 0 is visible at 12, so the move may not go at 8; it goes at 1 and is visible at 5.
  EXPECT_EQ(solution.placements[0][0].start, 0);
  EXPECT_EQ(solution.placements[0][1].start, 1);
  problem.phases[0].flows[1].accesses = {memory(0, 0, 0, false, 0, 0)};
  problem.phases[0].flows[0].accesses = {memory(0, 0, 0, true, 6, 6)};
  problem.phases[0].connect();
  // Now it waits until 6 + 2 = 8, and one more because of the result port.
  EXPECT_EQ(scheduleList(machine, problem).placements[0][1].start, 9);
}

TEST(ListScheduler, AWeightLoadRunsAheadOfItsPhase) {
  isa::Machine machine = small();
  Problem problem;
  problem.phases.resize(2);
  problem.phases[0].flows = {flowOf(machine, "exp", {alu(0, 0, isa::Opcode::Exp, 50)})};
  problem.phases[1].flows = {tileLoad(machine, 0, "mem.e12", 4), install(machine, 0)};
  for (Phase &phase : problem.phases)
    phase.connect();
  Solution solution = scheduleList(machine, problem);
  // Phase 0 ends at 49 + 12 = 61; the tile is long in the buffer then.
  EXPECT_EQ(solution.phaseStart[1], 61);
  EXPECT_EQ(solution.placements[1][0].start, 0);
  EXPECT_EQ(solution.placements[1][1].start, 61);
  EXPECT_EQ(solution.end(), 62);
}

TEST(ListScheduler, AWeightLoadWaitsForTheInstallBeforeIt) {
  isa::Machine machine = small();
  Problem problem;
  problem.phases.resize(2);
  for (Phase &phase : problem.phases) {
    phase.flows = {tileLoad(machine, 0, "mem.e12", 4), install(machine, 0)};
    phase.connect();
  }
  Solution solution = scheduleList(machine, problem);
  // First load writes the buffer at 5..8, complete at 9, installed at 9. The next may write from 10 on: its read starts
  // at 5.
  EXPECT_EQ(solution.placements[0][1].start, 9);
  EXPECT_EQ(solution.placements[1][0].start, 5);
}

} // namespace
} // namespace lpu::compiler::sched
