// Chips start as early as all waits allow, and never when they wait in a circle.

#include "lpu/compiler/Scheduling/Waits.h"

#include <gtest/gtest.h>

namespace lpu::compiler {
namespace {

using Starts = std::vector<isa::Cycle>;

TEST(Waits, ChipsThatWaitForNobodyStartAtOnce) {
  EXPECT_EQ(earliestTimes(3, {}), Starts({0, 0, 0}));
  EXPECT_EQ(earliestTimes(0, {}), Starts());
}

TEST(Waits, TheLongestPathDecides) {
  // 0 -> 1 -> 3 takes 10 + 5, 0 -> 2 -> 3 takes 2 + 20; of two wires between the same chips the longer wait counts.
  EXPECT_EQ(earliestTimes(4, {{2, 3, 20}, {0, 1, 10}, {1, 3, 5}, {0, 2, 1}, {0, 2, 2}}), Starts({0, 10, 2, 22}));
}

TEST(Waits, ANegativeWaitLetsAChipStartBeforeItsSenderButNotBeforeTheStep) {
  EXPECT_EQ(earliestTimes(3, {{0, 1, -7}, {1, 2, 3}}), Starts({0, 0, 3}));
  EXPECT_EQ(earliestTimes(3, {{0, 1, 10}, {1, 2, -4}}), Starts({0, 10, 6}));
}

TEST(Waits, ThereAndBackIsNoCircleAsLongAsItGainsNothing) {
  EXPECT_EQ(earliestTimes(2, {{0, 1, 5}, {1, 0, -5}}), Starts({0, 5}));
  EXPECT_EQ(earliestTimes(2, {{0, 1, 5}, {1, 0, -4}}), std::nullopt);
  EXPECT_EQ(earliestTimes(3, {{0, 1, 1}, {1, 2, 1}, {2, 0, -1}}), std::nullopt);
}

TEST(Waits, ALineOfManyChipsSettles) {
  std::vector<Wait> waits;
  for (std::size_t chip = 99; chip > 0; --chip) // against the order of the line
    waits.push_back({chip - 1, chip, 7});
  auto starts = earliestTimes(100, waits);
  ASSERT_TRUE(starts);
  for (std::size_t chip = 0; chip < 100; ++chip)
    EXPECT_EQ((*starts)[chip], static_cast<isa::Cycle>(7 * chip));
}

} // namespace
} // namespace lpu::compiler
