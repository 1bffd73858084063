// Which rank gets which chips.
#include "Deal.h"

#include <gtest/gtest.h>

namespace lpu::test {
namespace {

/// Chips of stages of these sizes, each a group of its own.
std::vector<int> deal(const std::vector<int> &stages, int ranks) {
  isa::Program program;
  program.machine.c2cLinks = 0;
  program.classes.resize(1);
  for (std::size_t stage = 0; stage < stages.size(); ++stage)
    for (int shard = 0; shard < stages[stage]; ++shard)
      program.chips.push_back({0, 0, {}, static_cast<std::uint32_t>(stage), static_cast<std::uint32_t>(shard), 0});
  return sim::dealGroups(program, sim::groupChips(program, true), ranks);
}

using Owners = std::vector<int>;

TEST(Deal, SharesEveryStageAsLongAsThereAreShards) {
  EXPECT_EQ(deal({4}, 2), (Owners{0, 0, 1, 1}));
  EXPECT_EQ(deal({2, 2, 2, 2}, 2), (Owners{0, 1, 0, 1, 0, 1, 0, 1}));
  EXPECT_EQ(deal({1, 5, 2}, 2), (Owners{0, 0, 0, 0, 1, 1, 0, 1}));
  EXPECT_EQ(deal({6, 1, 1}, 3), (Owners{0, 0, 1, 1, 2, 2, 0, 0}));
  EXPECT_EQ(deal({8}, 1), Owners(8, 0));
}

TEST(Deal, CutsBetweenStagesIfThereAreEnough) {
  EXPECT_EQ(deal({2, 2, 2, 2}, 4), (Owners{0, 0, 1, 1, 2, 2, 3, 3}));
  EXPECT_EQ(deal({2, 2, 2, 2}, 3), (Owners{0, 0, 1, 1, 1, 1, 2, 2}));
  EXPECT_EQ(deal({1, 1, 1, 1, 1}, 2), (Owners{0, 0, 1, 1, 1}));
}

TEST(Deal, CutsStagesIfThereAreTooFew) { EXPECT_EQ(deal({2, 2}, 3), (Owners{0, 1, 1, 2})); }

TEST(Deal, RanksWithoutChips) { EXPECT_EQ(deal({2}, 4), (Owners{0, 1})); }

} // namespace
} // namespace lpu::test
