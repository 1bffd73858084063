// What rows and weight buffers hold: right schedules pass, and every seeded fault is found for its reason.

#include "Flows.h"

namespace lpu::compiler::sched {
namespace {

class VerifyContents : public testing::Test {
protected:
  /// A word of bank 0 of slice e0 for an object.
  Issue access(int object, bool writes, Cycle at, std::int64_t row, int count = 1) {
    Issue word = writes ? write(machine, "mem.e0", at, count) : read(machine, "mem.e0", at, count);
    word.instruction.set(writes ? isa::Field::WrRow : isa::Field::RdRow, row);
    word.instruction.set(writes ? isa::Field::WrStep : isa::Field::RdStep, count > 1);
    word.object = object;
    return word;
  }

  Issue indirect(int object, isa::Opcode opcode, Cycle at) {
    Issue word = issue(machine, "mem.e0", at, opcode);
    word.object = object;
    return word;
  }

  /// A flow of one word that starts in cycle `at`.
  void put(Cycle at, Issue word, const std::string &label, std::size_t phase = 0) {
    while (problem.phases.size() <= phase) {
      problem.phases.emplace_back();
      solution.placements.emplace_back();
    }
    problem.phases[phase].flows.push_back(flowOf(machine, label, {std::move(word)}));
    solution.placements[phase].push_back({at, {}, {}});
  }

  /// Objects 0 and 1 share rows 4 to 7; object 2 stands alone in row 9.
  void SetUp() override {
    problem.objects = {"a", "b", "c"};
    for (auto [object, row, rows] : {std::tuple(0, 0, 8), {1, 4, 4}, {2, 9, 1}})
      problem.blocks.push_back({object, queue(machine, "mem.e0"), 0, row, rows});
  }

  std::string fault() { return verifyContents(machine, problem, solution).value_or(""); }

  void expectFault(const std::string &text) { EXPECT_NE(fault().find(text), std::string::npos) << fault(); }

  isa::Machine machine = small();
  Problem problem;
  Solution solution;
};

TEST_F(VerifyContents, ARowMayBelongToOneAfterTheOther) {
  put(0, access(0, true, 0, 5), "write a");
  put(9, access(0, false, 0, 5), "read a");
  put(10, access(1, true, 0, 5), "write b");
  put(20, access(1, false, 0, 5), "read b");
  EXPECT_EQ(fault(), "");
}

TEST_F(VerifyContents, ARowWithTwoLiveObjects) {
  put(0, access(0, true, 0, 5), "write a");
  put(10, access(1, true, 0, 5), "write b");
  put(20, access(0, false, 0, 5), "read a");
  expectFault(
      "row 5 of bank 0 of mem.e0 is read for 'a' in cycle 20 ('read a'), but holds 'b' since the write of cycle "
      "10 ('write b')");
}

TEST_F(VerifyContents, TimeCountsAndNotTheOrderOfThePhases) {
  put(0, access(0, true, 0, 5), "write a", 0);
  put(12, access(0, false, 0, 5), "read a", 0);
  put(10, access(1, true, 0, 5), "write b", 1); // ahead of its phase
  put(20, access(1, false, 0, 5), "read b", 1);
  expectFault("is read for 'a' in cycle 12");
  solution.placements[1][0].start = 13;
  EXPECT_EQ(fault(), "");
}

TEST_F(VerifyContents, RowsOfABurstAreFollowedOneByOne) {
  put(0, access(0, true, 0, 0, 8), "write a");  // rows 0 to 7 in cycles 0 to 7
  put(20, access(0, false, 0, 0, 8), "read a"); // row r in cycle 20 + r
  put(26, access(1, true, 0, 5), "write b");    // row 5 was read in cycle 25
  EXPECT_EQ(fault(), "");
  solution.placements[0][2].start = 24;
  expectFault("row 5 of bank 0 of mem.e0 is read for 'a' in cycle 25");
}

TEST_F(VerifyContents, RowsChosenByDataAreAllRows) {
  put(0, indirect(1, isa::Opcode::Scatter, 0), "scatter b");
  put(10, indirect(1, isa::Opcode::Gather, 0), "gather b");
  put(20, access(0, true, 0, 7), "write a");
  EXPECT_EQ(fault(), "");
  put(30, indirect(1, isa::Opcode::Gather, 0), "gather b again");
  expectFault("row 7 of bank 0 of mem.e0 is read for 'b' in cycle 30 ('gather b again'), but holds 'a'");
}

TEST_F(VerifyContents, RowsOfOneObjectAloneAreItsOwnMatter) {
  put(0, access(2, false, 0, 9), "read c"); // never written: another net's business
  EXPECT_EQ(fault(), "");
}

/// Two tiles through plane e0, whose rows come from slice e12, and both installed.
class Tiles : public VerifyContents {
protected:
  void tile(Cycle load, int rows, Cycle install, std::size_t phase = 0) {
    Issue word = issue(machine, "mxm.e0.w", 0, isa::Opcode::LoadWeights, rows);
    put(load, word, "tile " + std::to_string(++tiles), phase);
    Issue act = issue(machine, "mxm.e0.a", 0, isa::Opcode::Activate);
    act.instruction.set(isa::Field::Install, 1);
    put(install, act, "install " + std::to_string(tiles), phase);
  }
  int tiles = 0;
};

TEST_F(Tiles, RowsMayComeUntilTheInstallAndFromTheCycleAfterOn) {
  tile(0, 4, 3);
  tile(4, 4, 7, 1); // ahead of its phase
  EXPECT_EQ(fault(), "");
}

TEST_F(Tiles, ABufferLoadedBeforeItsInstall) {
  tile(0, 4, 9);
  tile(9, 4, 20, 1); // in the install's cycle the rows would still be the first tile's (T5.5)
  expectFault(
      "'tile 2' loads the weight buffer of mxm.e0.w in cycle 9, before the tile of 'install 1' is installed from "
      "it in cycle 9");
  solution.placements[1][0].start = 10;
  EXPECT_EQ(fault(), "");
}

TEST_F(Tiles, ATileInstalledBeforeItsLastRows) {
  tile(0, 4, 2);
  expectFault("'install 1' installs a tile of mxm.e0.a in cycle 2, but its rows are loaded until cycle 3");
}

TEST_F(Tiles, InstallsOutOfOrder) {
  tile(0, 1, 9);
  tile(10, 1, 8);
  expectFault("'install 2' installs a tile of mxm.e0.a in cycle 8, the tile before it in cycle 9");
}

/// Every load of a real schedule, moved to every earlier cycle that lies before the install of the tile before it.
TEST(SeededFaults, EveryEarlierStartOfALoadIsCaught) {
  isa::Machine machine = small();
  Problem problem;
  for (int p = 0; p < 6; ++p) {
    Phase &phase = problem.phases.emplace_back();
    for (int t = 0; t < 3; ++t) {
      FlowShape load = tileLoad(machine, 0, "mem.e" + std::to_string(12 + t), 4);
      load.issues.push_back(issue(machine, "mxm.e0.w", 5, isa::Opcode::LoadWeights, 4));
      load.normalize(machine);
      phase.flows.push_back(load);
      phase.flows.push_back(install(machine, 0));
    }
    phase.connect();
  }
  Solution solution = scheduleList(machine, problem);
  ASSERT_EQ(verify(machine, problem, solution), std::nullopt);
  int seeded = 0;
  Cycle installed = -1;
  for (std::size_t p = 0; p < problem.phases.size(); ++p)
    for (std::size_t f = 0; f < problem.phases[p].flows.size(); f += 2) {
      Cycle &start = solution.placements[p][f].start, right = start;
      EXPECT_GT(right + 5, installed);
      for (start = std::max<Cycle>(0, right - 12); installed >= 0 && start + 5 <= installed; ++start, ++seeded)
        EXPECT_NE(verifyContents(machine, problem, solution).value_or("").find("loads the weight buffer"),
                  std::string::npos)
            << "phase " << p << " flow " << f << " at " << start;
      start = right;
      installed = solution.placements[p][f + 1].start;
    }
  EXPECT_GT(seeded, 50);
  EXPECT_EQ(verifyContents(machine, problem, solution), std::nullopt);
}

} // namespace
} // namespace lpu::compiler::sched
