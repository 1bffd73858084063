// mergeRuns: fewer words, the same dispatches.
#include "MergeRuns.h"

#include <gtest/gtest.h>

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
std::map<Cycle, std::int64_t> dispatched(const std::vector<TimedIssue> &issues, Field row, Field step, std::int64_t modulo = 1 << 20) {
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
  EXPECT_EQ(merged({read(9, 0), read(10, 1), read(11, 2), read(12, 3), last, read(26, 4)}).size(), 5u); // only the first two join
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
  ASSERT_EQ(issues.size(), 4u);
  for (int j = 0; j < 4; ++j) {
    const isa::Instruction &word = issues[static_cast<std::size_t>(j)].instruction;
    EXPECT_EQ(issues[static_cast<std::size_t>(j)].cycle, 10 + j);
    EXPECT_EQ(word.get(Field::LoadRow), 5 + j);
    EXPECT_EQ(word.get(Field::LoadStream), 3);
    EXPECT_EQ(word.get(Field::Play), j == 2);
    EXPECT_EQ(word.get(Field::PlayRow), j == 2 ? 7 : 0);
  }
}

} // namespace
} // namespace lpu::compiler
