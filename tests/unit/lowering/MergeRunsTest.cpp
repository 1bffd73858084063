// mergeRuns: fewer words, the same dispatches.
#include "MergeRuns.h"

#include <gtest/gtest.h>

#include <array>

#include <map>

namespace lpu::compiler {
namespace {

using isa::Cycle;
using isa::Field;
using isa::Opcode;

TimedIssue read(Cycle cycle, std::int64_t row, int count = 1, std::int64_t step = 0, llvm::StringRef label = "a") {
  TimedIssue issue{cycle, count, 1, {Opcode::Mem, {}}, label};
  issue.instruction.set(Field::Rd, 1).set(Field::RdRow, row).set(Field::RdStep, step);
  return issue;
}

TimedIssue loadWeights(Cycle cycle, int count, std::int64_t group = 0) {
  TimedIssue issue{cycle, count, 1, {Opcode::LoadWeights, {}}, "a"};
  issue.instruction.set(Field::RowGroup, group).set(Field::RowStep, 1);
  return issue;
}

/// Row by cycle of everything dispatched; windows of one word only.
std::map<Cycle, std::int64_t> dispatched(const std::vector<TimedIssue> &issues, Field row, Field step,
                                         std::int64_t modulo = 1 << 20) {
  std::map<Cycle, std::int64_t> rows;
  for (const TimedIssue &issue : issues)
    for (int copy = 0; copy < issue.count; ++copy)
      rows[issue.cycle + copy] = (issue.instruction.get(row) + copy * issue.instruction.get(step)) % modulo;
  return rows;
}

std::vector<TimedIssue> merged(std::vector<TimedIssue> issues) {
  isa::Machine machine;
  auto before = dispatched(issues, Field::RdRow, Field::RdStep);
  mergeRuns(issues, machine);
  EXPECT_EQ(dispatched(issues, Field::RdRow, Field::RdStep), before);
  return issues;
}

TEST(MergeRuns, BurstsThatContinueBecomeOne) {
  EXPECT_EQ(merged({read(10, 0, 20, 1), read(30, 20, 20, 1), read(50, 40, 8, 1)}).size(), 1u);
  EXPECT_EQ(merged({read(10, 5), read(11, 7), read(12, 9)}).size(), 1u); // the step follows from the first two
  EXPECT_EQ(merged({read(10, 5, 4, 0), read(14, 5)}).size(), 1u);
  EXPECT_EQ(merged({read(10, 19), read(11, 20, 20, 1)}).size(), 1u);
}

TEST(MergeRuns, WhatDoesNotContinueStays) {
  EXPECT_EQ(merged({read(10, 0, 20, 1), read(31, 20, 20, 1)}).size(), 2u); // a cycle between
  EXPECT_EQ(merged({read(10, 0, 20, 1), read(30, 21, 20, 1)}).size(), 2u); // a row between
  EXPECT_EQ(merged({read(10, 0, 20, 1), read(30, 20, 20, 2)}).size(), 2u); // another step
  EXPECT_EQ(merged({read(10, 5), read(11, 7), read(12, 8)}).size(), 2u);
  EXPECT_EQ(merged({read(10, 0, 20, 1, "a"), read(30, 20, 20, 1, "b")}).size(), 2u); // another operation's
  TimedIssue other = read(30, 20, 20, 1);
  other.instruction.set(Field::RdStream, 4);
  EXPECT_EQ(merged({read(10, 0, 20, 1), other}).size(), 2u);
  EXPECT_EQ(merged({read(10, 0), read(11, 4096)}).size(), 2u); // the step does not fit its field
}

TEST(MergeRuns, WindowsKeepTheirWords) {
  TimedIssue last = read(13, 3);
  last.window = 3, last.count = 5;
  EXPECT_EQ(merged({read(9, 0), read(10, 1), read(11, 2), read(12, 3), last, read(26, 4)}).size(),
            5u); // only the first two join
}

TEST(MergeRuns, WeightRowsWrap) {
  isa::Machine machine; // 20 superlanes
  std::vector<TimedIssue> issues = {loadWeights(10, 20), loadWeights(30, 20), loadWeights(50, 7), loadWeights(57, 3)};
  auto before = dispatched(issues, Field::RowGroup, Field::RowStep, machine.superlanes);
  mergeRuns(issues, machine);
  EXPECT_EQ(issues.size(), 2u); // the last begins at group 0 where the run stands at 7
  EXPECT_EQ(dispatched(issues, Field::RowGroup, Field::RowStep, machine.superlanes), before);
}

TEST(JoinHalves, ALoadAndAPlayOfOneCycleBecomeOneWord) {
  TimedIssue loads{10, 4, 1, {Opcode::Activate, {}}, "a"}, play{12, 1, 1, {Opcode::Activate, {}}, "a"};
  loads.instruction.set(Field::Load, 1).set(Field::LoadRow, 5).set(Field::LoadStep, 1).set(Field::LoadStream, 3);
  play.instruction.set(Field::Play, 1).set(Field::PlayRow, 7).set(Field::Mask, 15);
  std::vector<TimedIssue> issues = {loads, play};
  joinHalves(issues);
  ASSERT_EQ(issues.size(), 3u); // before, with and after the play
  for (int j = 0; j < 3; ++j) {
    const TimedIssue &issue = issues[static_cast<std::size_t>(j)];
    int first = j == 0 ? 0 : j + 1;
    EXPECT_EQ(issue.cycle, 10 + first);
    EXPECT_EQ(issue.count, j == 0 ? 2 : 1);
    EXPECT_EQ(issue.instruction.get(Field::LoadRow), 5 + first);
    EXPECT_EQ(issue.instruction.get(Field::LoadStep), j == 0);
    EXPECT_EQ(issue.instruction.get(Field::LoadStream), 3);
    EXPECT_EQ(issue.instruction.get(Field::Play), j == 1);
    EXPECT_EQ(issue.instruction.get(Field::PlayRow), j == 1 ? 7 : 0);
  }
}

TEST(JoinHalves, ReadsAndWritesOfASliceMeet) {
  TimedIssue reads{10, 6, 1, {Opcode::Mem, {}}, "a"}, early{8, 3, 1, {Opcode::Mem, {}}, "a"},
      late{13, 4, 1, {Opcode::Mem, {}}, "a"};
  reads.instruction.set(Field::Rd, 1).set(Field::RdBank, 1).set(Field::RdRow, 100).set(Field::RdStep, 2);
  early.instruction.set(Field::Wr, 1).set(Field::WrRow, 40).set(Field::WrStep, -1);
  late.instruction.set(Field::Wr, 1).set(Field::WrRow, 60).set(Field::WrStep, 1);
  std::vector<TimedIssue> issues = {early, reads, late};
  joinHalves(issues);
  std::vector<std::array<std::int64_t, 6>>
      words; // cycle, whether and where it reads, whether and where it writes, copies
  for (const TimedIssue &issue : issues)
    for (int j = 0; j < issue.count; ++j)
      words.push_back({issue.cycle + j, issue.instruction.get(Field::Rd),
                       issue.instruction.get(Field::RdRow) + j * issue.instruction.get(Field::RdStep),
                       issue.instruction.get(Field::Wr),
                       issue.instruction.get(Field::WrRow) + j * issue.instruction.get(Field::WrStep),
                       issue.instruction.get(Field::RdBank)});
  EXPECT_EQ(words, (std::vector<std::array<std::int64_t, 6>>{{8, 0, 0, 1, 40, 0},
                                                             {9, 0, 0, 1, 39, 0},
                                                             {10, 1, 100, 1, 38, 1},
                                                             {11, 1, 102, 0, 0, 1},
                                                             {12, 1, 104, 0, 0, 1},
                                                             {13, 1, 106, 1, 60, 1},
                                                             {14, 1, 108, 1, 61, 1},
                                                             {15, 1, 110, 1, 62, 1},
                                                             {16, 0, 0, 1, 63, 0}}));
  EXPECT_EQ(issues.size(), 5u);
}

} // namespace
} // namespace lpu::compiler
