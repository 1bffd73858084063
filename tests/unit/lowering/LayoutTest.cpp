// How elements are dealt over vectors and lanes.

#include "lpu/compiler/Conversion/Layout.h"

#include <gtest/gtest.h>

#include <map>
#include <tuple>

namespace lpu::compiler {
namespace {

TEST(Layout, PlainFillsVectorAfterVector) {
  Layout layout = Layout::plain(320, 700);
  // 320 + 320 + 60.
  EXPECT_EQ(layout.vectors(), 3);
  EXPECT_EQ(layout.lanesUsed(0), 320);
  EXPECT_EQ(layout.lanesUsed(2), 60);
  EXPECT_EQ(layout.source(0, 0), 0);
  EXPECT_EQ(layout.source(1, 319), 639);
  EXPECT_EQ(layout.source(2, 59), 699);
  EXPECT_EQ(layout.source(2, 60), -1);
}

TEST(Layout, OneVectorIsEnoughForAsManyElementsAsLanes) {
  EXPECT_EQ(Layout::plain(64, 64).vectors(), 1);
  EXPECT_EQ(Layout::plain(64, 65).vectors(), 2);
  EXPECT_EQ(Layout::plain(64, 65).lanesUsed(1), 1);
}

TEST(Layout, HeadsDoNotStraddleVectors) {
  // 64 lanes hold two heads of 24; the lanes 48 to 63 stay empty.
  Layout layout = Layout::heads(64, 5, 24);
  EXPECT_EQ(layout.perVector(), 48);
  EXPECT_EQ(layout.vectors(), 3);
  EXPECT_EQ(layout.lanesUsed(1), 48);
  EXPECT_EQ(layout.lanesUsed(2), 24);
  EXPECT_EQ(layout.source(0, 47), 47);
  EXPECT_EQ(layout.source(0, 48), -1);
  EXPECT_EQ(layout.source(1, 0), 48);
  EXPECT_EQ(layout.source(2, 23), 119);
}

TEST(Layout, GroupedHeadsRepeatTheirSource) {
  // Four query heads of 8, two key heads: 0 and 1 use key head 0, 2 and 3 use key head 1.
  Layout layout = Layout::heads(64, 4, 8, 2);
  EXPECT_EQ(layout.elements, 32);
  EXPECT_EQ(layout.source(0, 3), 3);
  EXPECT_EQ(layout.source(0, 8 + 3), 3);
  EXPECT_EQ(layout.source(0, 16 + 3), 8 + 3);
  EXPECT_EQ(layout.source(0, 24 + 3), 8 + 3);
}

TEST(Layout, SwapExchangesTheElementsOfEachPair) {
  Layout layout = Layout::heads(64, 2, 6, 1, true);
  EXPECT_EQ(layout.source(0, 0), 1);
  EXPECT_EQ(layout.source(0, 1), 0);
  EXPECT_EQ(layout.source(0, 4), 5);
  EXPECT_EQ(layout.source(0, 6), 7);
  // Twice is nothing: a swapped lane's partner comes from the lane itself.
  Layout straight = Layout::heads(64, 2, 6);
  for (std::int64_t lane = 0; lane < 12; ++lane)
    EXPECT_EQ(layout.source(0, lane), straight.source(0, lane ^ 1));
}

TEST(Layout, EveryElementHasExactlyOneLanePerHeadThatUsesIt) {
  for (auto [lanes, heads, headDim, group] :
       {std::tuple{320, 8, 8, 2}, {64, 6, 20, 3}, {64, 1, 64, 1}, {320, 32, 64, 4}}) {
    Layout layout = Layout::heads(lanes, heads, headDim, group);
    std::map<std::int64_t, int> used;
    for (std::int64_t vector = 0; vector < layout.vectors(); ++vector)
      for (std::int64_t lane = 0; lane < lanes; ++lane)
        if (std::int64_t element = layout.source(vector, lane); element >= 0)
          ++used[element];
    EXPECT_EQ(static_cast<int>(used.size()), heads / group * headDim);
    for (auto [element, count] : used)
      EXPECT_EQ(count, group) << "element " << element;
  }
}

} // namespace
} // namespace lpu::compiler
