// Estimates against sums on paper, and the choices they lead to.

#include "lpu/compiler/System/Partition.h"

#include <gtest/gtest.h>

namespace lpu::compiler {
namespace {

ModelSize llama3of8B() { return {32, 4096, 32, 8, 128, 14336, 128256, 512, 4, true}; }
ModelSize llama2of70B() { return {80, 8192, 64, 8, 128, 28672, 32000, 512, 4, true}; }
ModelSize tiny() { return {5, 128, 4, 4, 32, 384, 512, 256, 6, false}; }

std::vector<Partition> tries(const ModelSize &model, const PartitionRequest &request) {
  auto found = partitionsToTry(model, request, isa::Machine(), isa::Machine().memoryBytes());
  if (!found)
    ADD_FAILURE() << found.error().str();
  return found ? *found : std::vector<Partition>{{}};
}

std::string refusal(const ModelSize &model, const PartitionRequest &request) {
  auto found = partitionsToTry(model, request, isa::Machine(), isa::Machine().memoryBytes());
  return found ? "" : found.error().str();
}

TEST(Partition, LayersAreDealtEvenly) {
  EXPECT_EQ(dealLayers(tiny(), {1, 3, 0, 0, {}}, isa::Machine(), isa::Machine().memoryBytes()),
            (std::vector<std::int64_t>{1, 2, 2}));
  EXPECT_EQ(dealLayers(tiny(), {2, 5, 0, 0, {}}, isa::Machine(), isa::Machine().memoryBytes()),
            (std::vector<std::int64_t>{1, 1, 1, 1, 1}));
}

TEST(Partition, StagesWithoutRoomTakeFewerLayers) {
  // TinyLlama: a layer takes 48 MB, the embedding of 32,000 words 143 MB, the head 73 MB; four layers fit a chip alone.
  ModelSize model{22, 2048, 32, 4, 64, 5632, 32000, 512, 4, true};
  auto layers = dealLayers(model, {1, 7, 0, 0, {}}, isa::Machine(), isa::Machine().memoryBytes());
  ASSERT_TRUE(layers);
  EXPECT_EQ(*layers, (std::vector<std::int64_t>{1, 3, 3, 4, 4, 4, 3}));
  EXPECT_FALSE(dealLayers(model, {1, 5, 0, 0, {}}, isa::Machine(), isa::Machine().memoryBytes()));
}

TEST(Partition, WeightsAreCountedInWholeRows) {
  // One layer per chip, embedding and head elsewhere. 4096 = 12.8 vectors: 13 columns of 320 lanes.
  MemoryEstimate one = estimateMemory(llama3of8B(), {1, 32, 5, 3, {}}, isa::Machine());
  std::int64_t q = 4096 * 13 * 320 + 13 * 4 * 320, kv = 1024 * 13 * 320 + 4 * 4 * 320;
  std::int64_t o = 4096 * 13 * 320 + 13 * 4 * 320;
  std::int64_t gateUp = 14336 * 13 * 320 + 45 * 4 * 320, down = 4096 * 45 * 320 + 13 * 4 * 320;
  EXPECT_EQ(one.layer.weights, q + 2 * kv + o + 2 * gateUp + down + 2 * 4 * 13 * 320);
  // Keys take rows of 16 positions, values two tiles of 320; eight key heads in four vectors, two bytes of each.
  EXPECT_EQ(one.layer.cache, (512 + 640) * 4 * 2 * 320);
  EXPECT_EQ(one.stage.weights, 2 * 4 * 103 * 320); // rope: five positions of half a head in a row, 512 / 5 rounded up
  EXPECT_EQ(one.embedding.weights,
            7 * 4096ll * 13 * 2 * 320); // a fifth of the words in seven banks, 13 vectors of fp16
  EXPECT_EQ(one.head.weights, 42752ll * 13 * 320 + 134 * 4 * 320);
}

TEST(Partition, ChipsAloneAreAllUsed) {
  for (std::int64_t chips : {2, 3, 4}) {
    PartitionRequest request;
    request.chips = chips;
    EXPECT_EQ(tries(tiny(), request).front().chips(), chips);
    request.fit = true;
    EXPECT_EQ(tries(tiny(), request).front().chips(), 1);
  }
}

TEST(Partition, ShardsArePadded) {
  // Eight shards of 512 are two vectors each, so a gathered vector has 16 columns instead of 13.
  MemoryEstimate eight = estimateMemory(llama3of8B(), {8, 32, 1, 1, {}}, isa::Machine());
  std::int64_t q = 512 * 16 * 320 + 2 * 4 * 320, kv = 128 * 16 * 320 + 4 * 320, o = 512 * 16 * 320 + 2 * 4 * 320;
  std::int64_t gateUp = 1792 * 16 * 320 + 6 * 4 * 320, down = 512 * 48 * 320 + 2 * 4 * 320;
  EXPECT_EQ(eight.layer.weights, q + 2 * kv + o + 2 * gateUp + down + 2 * 4 * 16 * 320);
}

TEST(Partition, KeyHeadsAreReplicatedWhenFewer) {
  ModelSize model = llama2of70B(); // groups of eight query heads
  auto cache = [&](std::int64_t tp) { return estimateMemory(model, {tp, 80, 1, 1, {}}, isa::Machine()).layer.cache; };
  std::int64_t vector = (512 + 640) * 2 * 320; // 512 positions of keys, two blocks of values; two bytes each
  EXPECT_EQ(cache(8), 1 * vector);             // one key head
  EXPECT_EQ(cache(4), 1 * vector);             // two, in one vector
  EXPECT_EQ(cache(7), 5 * vector);             // ten query heads straddle groups: ten key heads
  model.kvHeads = 2;
  EXPECT_EQ(cache(8), 1 * vector); // the same one on four chips
  model.users = 3, model.cacheBytes = 2;
  EXPECT_EQ(cache(8), 3 * vector / 2); // a cache for each user, in int8
}

TEST(Partition, SmallModelsStayOnOneChip) { EXPECT_EQ(tries(tiny(), {}).front(), (Partition{1, 1, 0, 0, {5}})); }

TEST(Partition, AModelOfEightBillionNeedsItsEmbeddingApart) {
  // 32 layers of one chip each, 1,067 MB of embedding on six in whole banks, 533 MB of head on four of 168 MB of tiles.
  Partition best = tries(llama3of8B(), {0, 1, 32, false}).front();
  EXPECT_EQ(best.embeddingGroups, 6);
  EXPECT_EQ(best.headGroups, 4);
  EXPECT_EQ(best.chips(), 42);
}

TEST(Partition, FewestChipsComeFirst) {
  std::vector<Partition> found = tries(llama3of8B(), {});
  for (std::size_t i = 1; i < found.size(); ++i)
    EXPECT_LE(found[i - 1].chips(), found[i].chips());
  EXPECT_LE(found.front().chips(), 42);
  EXPECT_EQ(*smallestPartition(llama3of8B(), isa::Machine(), isa::Machine().memoryBytes()), found.front());
}

TEST(Partition, FastestTakesShards) {
  PartitionRequest request{576, 0, 0, true};
  std::vector<Partition> found = tries(llama2of70B(), request);
  EXPECT_GE(found.front().tp, 4);
  EXPECT_LE(found.front().chips(), 576);
  double best = estimateTokenCycles(llama2of70B(), found.front(), isa::Machine());
  for (const Partition &partition : found)
    EXPECT_LE(best, estimateTokenCycles(llama2of70B(), partition, isa::Machine()));
}

TEST(Partition, StagesNeedNotDivideTheLayers) {
  EXPECT_EQ(tries(tiny(), {0, 2, 3, false}).front(), (Partition{2, 3, 0, 0, {1, 2, 2}}));
}

TEST(Partition, LessUsableMemoryTakesMoreChips) {
  std::int64_t all = isa::Machine().memoryBytes();
  EXPECT_GT(smallestPartition(llama3of8B(), isa::Machine(), all * 8 / 10)->chips(),
            smallestPartition(llama3of8B(), isa::Machine(), all)->chips());
}

TEST(Partition, Refusals) {
  EXPECT_EQ(refusal(tiny(), {0, 5, 0, false}),
            "error: --tp=5 is more than the model's 4 query heads; take --tp=4 or less");
  EXPECT_EQ(refusal(tiny(), {0, 0, 6, false}), "error: --pp=6 is more than the model's 5 layers; take --pp=5 or less");
  EXPECT_EQ(refusal(tiny(), {7, 2, 4, false}),
            "error: --chips=7 are fewer than the 8 of --tp=2 --pp=4; take --chips=8 or smaller groups");
  std::string few = refusal(llama3of8B(), {4, 0, 0, false});
  EXPECT_NE(few.find("the model does not fit on 4 chips of 'tsp1'; "), std::string::npos) << few;
  EXPECT_NE(few.find(" chips would do (--tp="), std::string::npos) << few;
  ModelSize monster = llama2of70B();
  monster.ffn *= 100;
  EXPECT_NE(refusal(monster, {}).find("a shard of one layer is larger than a chip's memory"), std::string::npos);
}

} // namespace
} // namespace lpu::compiler
