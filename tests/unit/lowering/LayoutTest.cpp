// How elements are dealt over vectors and lanes.

#include "lpu/compiler/Conversion/Layout.h"

#include <gtest/gtest.h>

#include <set>

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

TEST(Layout, TilesPutQueriesWhereTheirKeysAre) {
  // 5 KV heads of 32, two query heads each, 64 lanes: three vectors of 2, 2 and 1 heads, twice.
  Layout key = Layout::keyTiles(64, 5, 2, 2, 32, false), query = Layout::queryTiles(64, 5, 2, 32, false);
  EXPECT_EQ(key.vectors(), 3);
  EXPECT_EQ(query.vectors(), 6);
  EXPECT_EQ(query.lanesUsed(3), 64);
  EXPECT_EQ(query.lanesUsed(4), 32);
  EXPECT_EQ(query.slotsUsed(5), 1);
  EXPECT_EQ(key.source(1, 32 + 7), 3 * 32 + 7);
  EXPECT_EQ(query.source(2, 32 + 7), 6 * 32 + 7); // query heads 6 and 7 share KV head 3
  EXPECT_EQ(query.source(3, 32 + 7), 7 * 32 + 7);
  EXPECT_EQ(query.source(4, 32), -1);
}

TEST(Layout, PiecesOfTilesTakeTheKeysOfTheirQueries) {
  // 12 query heads of 32 in groups of 4, over 6 chips: two query heads and their KV head each.
  Layout key = Layout::keyTiles(64, 1, 2, 4, 32, false).pieceOf(12 * 32, 6),
         query = Layout::queryTiles(64, 1, 2, 32, false).pieceOf(12 * 32, 6);
  EXPECT_EQ(query.source(1, 3, 5), 11 * 32 + 3);
  EXPECT_EQ(key.source(0, 3, 5), 2 * 32 + 3); // query head 10 has KV head 10 / 4
  EXPECT_EQ(query.gather().vectors(), 12);
  EXPECT_EQ(query.gather().source(2, 0, 5), 0 * 32); // the piece behind shard 5's is shard 0's; its second vector comes
  EXPECT_EQ(query.gather().source(7, 0, 5), 1 * 32); // after the first ones of all five others
  // 12 heads over 5 chips: three each, the last chip has none.
  EXPECT_EQ(Layout::keyTiles(64, 3, 1, 4, 32, false).pieceOf(12 * 32, 5).source(0, 0, 4), -1);
}

TEST(Layout, HalvesPutRopePairsInOneLane) {
  // Halves of 16 lanes: four heads would fit, five are dealt as three and two.
  Layout layout = Layout::keyTiles(64, 5, 1, 1, 32, true);
  EXPECT_EQ(layout.vectors(), 4);
  EXPECT_EQ(layout.perVector(), 48);
  EXPECT_EQ(layout.lanesUsed(2), 32);
  EXPECT_EQ(layout.source(2, 16 + 3), 4 * 32 + 6);
  EXPECT_EQ(layout.source(3, 16 + 3), 4 * 32 + 7);
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

TEST(Layout, APieceHoldsItsShardsElementsAndPadding) {
  // 10 elements on 4 shards of 3: 0–2, 3–5, 6–8, 9 and two of padding.
  Layout piece = Layout::plain(64, 3).pieceOf(10, 4);
  EXPECT_EQ(piece.vectors(), 1);
  EXPECT_EQ(piece.source(0, 0, 1), 3);
  EXPECT_EQ(piece.source(0, 2, 2), 8);
  EXPECT_EQ(piece.source(0, 0, 3), 9);
  EXPECT_EQ(piece.source(0, 1, 3), -1);
  EXPECT_EQ(piece.source(0, 3, 0), -1);
}

TEST(Layout, GatheredPiecesStartWithTheOwnOne) {
  // Two vectors of 64 per piece; on shard 2 of 3 the own ones, then the first ones of shards 0 and 1, then their second
  // ones.
  Layout all = Layout::plain(64, 70).pieceOf(200, 3).gather();
  EXPECT_EQ(all.vectors(), 6);
  EXPECT_EQ(all.lanesUsed(3), 64);
  EXPECT_EQ(all.lanesUsed(4), 6);
  EXPECT_EQ(all.gatheredVector(1, 2), 5);
  EXPECT_EQ(all.source(0, 0, 2), 140);
  EXPECT_EQ(all.source(2, 0, 2), 0);
  EXPECT_EQ(all.source(3, 0, 2), 70);
  EXPECT_EQ(all.source(4, 5, 2), 69);
  EXPECT_EQ(all.source(5, 0, 2), 134);
  // The last shard's piece ends at 199.
  EXPECT_EQ(all.source(0, 59, 2), 199);
  EXPECT_EQ(all.source(0, 60, 2), -1);
}

TEST(Layout, EveryShardHoldsEveryElementOnceWhenGathered) {
  for (auto [heads, headDim, shards] : {std::tuple{6, 24, 4}, {8, 8, 8}, {5, 64, 2}}) {
    std::int64_t held = (heads + shards - 1) / shards;
    Layout all = Layout::heads(64, held, headDim).pieceOf(heads * headDim, shards).gather();
    for (std::int64_t shard = 0; shard < shards; ++shard) {
      std::map<std::int64_t, int> used;
      for (std::int64_t vector = 0; vector < all.vectors(); ++vector)
        for (std::int64_t lane = 0; lane < 64; ++lane)
          if (std::int64_t element = all.source(vector, lane, shard); element >= 0)
            ++used[element];
      EXPECT_EQ(static_cast<int>(used.size()), heads * headDim) << "shard " << shard;
    }
  }
}

TEST(Layout, GroupedHeadsOfAPieceFindTheirSource) {
  // Six query heads share two key heads; shard 1 of 3 has query heads 2 and 3, of key heads 0 and 1.
  Layout keys = Layout::heads(64, 2, 8, 3).pieceOf(6 * 8, 3);
  EXPECT_EQ(keys.source(0, 0, 1), 0);
  EXPECT_EQ(keys.source(0, 8, 1), 8);
}

TEST(Layout, PackedTilesFillTheSpareLanes) {
  // 4 KV heads of 128 with 4 query heads each: 8 vectors of 256 lanes, packed into 7, the first 4 of which hold a
  // quarter of the last.
  Layout apart = Layout::queryTiles(320, 4, 4, 128, false), packed = apart.pack();
  ASSERT_TRUE(packed.packed);
  ASSERT_EQ(packed.vectors(), 7);
  std::set<std::int64_t> seen;
  for (std::int64_t v = 0; v < 7; ++v) {
    EXPECT_EQ(packed.lanesUsed(v), v < 4 ? 320 : 256);
    for (std::int64_t lane = 0; lane < packed.lanesUsed(v); ++lane)
      seen.insert(packed.source(v, lane));
  }
  EXPECT_EQ(seen.size(), 2048u); // every element once
  EXPECT_EQ(*seen.begin(), 0);
  EXPECT_EQ(*seen.rbegin(), 2047);
  EXPECT_EQ(packed.source(2, 255), apart.source(2, 255));
  EXPECT_EQ(packed.source(2, 256), apart.source(7, 128));
}

TEST(Layout, PackedOnlyIfWholePiecesComeOut) {
  EXPECT_FALSE(Layout::queryTiles(320, 5, 2, 64, false).pack().packed);  // no lane to spare
  EXPECT_FALSE(Layout::queryTiles(320, 3, 2, 128, false).pack().packed); // a vector that is half empty
  EXPECT_FALSE(Layout::queryTiles(320, 4, 4, 128, false).pieceOf(4096, 2).pack().packed);
}

} // namespace
} // namespace lpu::compiler
