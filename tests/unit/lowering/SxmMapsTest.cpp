// The table of lane maps: numbers and contents agree, for every kind and amount.

#include "lpu/compiler/Support/SxmMaps.h"

#include <gtest/gtest.h>

namespace lpu::compiler {
namespace {

class SxmMapsTest : public testing::Test {
protected:
  std::int16_t source(const char *kind, std::int64_t n, int lane) {
    return maps.at(static_cast<std::size_t>(sxmMap(machine, kind, n))).at(lane);
  }

  isa::Machine machine = *isa::loadMachine("small"); // 4 superlanes of 16
  std::vector<std::vector<std::int16_t>> maps = sxmMaps(machine);
};

TEST_F(SxmMapsTest, BroadcastsAndRotations) {
  EXPECT_EQ(source("permute.broadcast", 2, 5), 37);  // 2·16 + 5
  EXPECT_EQ(source("permute.broadcast", 2, 53), 37); // the same for superlane 3
  EXPECT_EQ(source("permute.rotate", 3, 5), 53);
  EXPECT_EQ(source("permute.rotate", 3, 21), 5); // superlane 1 takes (1 + 3) mod 4 = 0
  EXPECT_EQ(source("distribute.broadcast", 9, 40), 9);
  EXPECT_EQ(source("distribute.rotate", 9, 33), 10);
  EXPECT_EQ(source("distribute.rotate", 9, 47), 8); // (15 + 9) mod 16
}

TEST_F(SxmMapsTest, BlocksOfSuperlanesAreExchangedAndSpread) {
  EXPECT_EQ(source("permute.exchange", 1, 5), 21); // superlanes 0 and 1
  EXPECT_EQ(source("permute.exchange", 1, 21), 5);
  EXPECT_EQ(source("permute.exchange", 1, 37), 37);
  EXPECT_EQ(source("permute.exchange", 2, 5), 37); // 0 and 1 with 2 and 3
  EXPECT_EQ(source("permute.exchange", 2, 53), 21);
  EXPECT_EQ(source("permute.spread", 1, 5), 53); // superlane 0 takes 3, 1 takes 2
  EXPECT_EQ(source("permute.spread", 1, 21), 37);
  EXPECT_EQ(source("permute.spread", 2, 21), 53); // 0 and 1 take 3
  EXPECT_EQ(source("permute.spread", 2, 37), 37);
}

TEST_F(SxmMapsTest, AmountsWrapAround) {
  EXPECT_EQ(sxmMap(machine, "permute.rotate", 5), sxmMap(machine, "permute.rotate", 1));
  EXPECT_EQ(sxmMap(machine, "distribute.broadcast", 17), sxmMap(machine, "distribute.broadcast", 1));
}

TEST_F(SxmMapsTest, TheFieldHoldsEveryNumber) {
  EXPECT_EQ(maps.size(), 2 * 4 + 2 * 16 + 2 + 4u);
  EXPECT_LE(sxmMaps(*isa::loadMachine("tsp1")).size(), 256u);
  for (const auto &map : maps)
    EXPECT_EQ(map.size(), 64u);
}

} // namespace
} // namespace lpu::compiler
