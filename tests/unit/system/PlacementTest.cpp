// Partitions find places on which every wire has its cable, or an error names two chips.

#include "lpu/compiler/System/Placement.h"

#include <gtest/gtest.h>

#include <fmt/format.h>

#include <map>
#include <set>

namespace lpu::compiler {
namespace {

/// Stages of `tp` chips, every two of a stage joined, shard i to shard i of the next; `before` and `after` chips feed
/// the first and are fed by the last stage, chip j by shard j mod tp.
PlacementProblem pipeline(int tp, int stages, int before = 0, int after = 0) {
  PlacementProblem problem;
  problem.first = before;
  for (int i = 0; i < before; ++i)
    problem.chips.push_back(fmt::format("embedding {}", i)), problem.wires.emplace_back(i, before + i % tp);
  for (int s = 0; s < stages; ++s)
    for (int i = 0; i < tp; ++i) {
      int chip = before + s * tp + i;
      problem.chips.push_back(fmt::format("stage {} shard {}", s, i));
      for (int j = 0; j < i; ++j)
        problem.wires.emplace_back(before + s * tp + j, chip);
      if (s > 0)
        problem.wires.emplace_back(chip - tp, chip);
    }
  for (int i = 0; i < after; ++i)
    problem.chips.push_back(fmt::format("head {}", i)),
        problem.wires.emplace_back(before + (stages - 1) * tp + i % tp, before + stages * tp + i);
  return problem;
}

/// Places, after checking that no two chips share one and every wire has its own cable.
std::vector<int> placed(const Topology &topology, const PlacementProblem &problem) {
  auto places = placeChips(topology, problem);
  if (!places) {
    ADD_FAILURE() << places.error().str();
    return {};
  }
  EXPECT_EQ(std::set<int>(places->begin(), places->end()).size(), problem.chips.size());
  std::map<std::pair<int, int>, int> cables;
  for (auto [a, b] : topology.cables)
    ++cables[std::minmax(a, b)];
  for (auto [a, b] : problem.wires)
    EXPECT_GE(--cables[std::minmax((*places)[a], (*places)[b])], 0) << problem.chips[a] << " to " << problem.chips[b];
  return *places;
}

TEST(Placement, StagesOfEightTakeANodeEach) {
  std::vector<int> places = placed(railTopology(10), pipeline(8, 10));
  for (int stage = 0; stage < 10; ++stage)
    for (int shard = 1; shard < 8; ++shard)
      EXPECT_EQ(places[stage * 8 + shard] / 8, places[stage * 8] / 8);
}

TEST(Placement, ChainsFillNodes) {
  std::vector<int> places = placed(railTopology(4), pipeline(1, 32));
  for (int chip = 0; chip < 32; ++chip)
    EXPECT_EQ(places[chip] / 8, places[chip / 8 * 8] / 8);
}

TEST(Placement, SizesThatLeavePlacesIdle) {
  for (int tp : {2, 3, 4, 5, 6, 7})
    placed(railTopology(12), pipeline(tp, 8));
}

TEST(Placement, FanInAndFanOut) {
  placed(railTopology(6), pipeline(1, 32, 7, 3));
  placed(railTopology(10), pipeline(8, 5, 16, 16));
  placed(railTopology(5), pipeline(2, 9, 6, 4));
}

TEST(Placement, HundredsOfChips) { placed(railTopology(72), pipeline(8, 70, 8, 8)); }

TEST(Placement, ADragonflyHoldsAChain) { placed(dragonflyTopology(5), pipeline(1, 40)); }

TEST(Placement, TooFewPlaces) {
  auto places = placeChips(nodeTopology(), pipeline(1, 9));
  ASSERT_FALSE(places);
  EXPECT_EQ(places.error().str(),
            "node: error: the partition has 9 chips, this topology 8; take a larger one or fewer chips");
}

TEST(Placement, NoCableWhereOneIsNeeded) {
  Topology line{"line", 4, 1, {{0, 1}, {1, 2}, {2, 3}}};
  placed(line, pipeline(1, 4));
  auto triangle = placeChips(line, pipeline(3, 1)); // a triangle has no place on a line
  ASSERT_FALSE(triangle);
  EXPECT_EQ(triangle.error().str(), "line: error: no link joins the chips of stage 0 shard 2 and stage 0 shard 0: the "
                                    "shortest route between node 2 chip 0 and node 0 chip 0 has 2 hops; "
                                    "choose another --topology, --tp or --pp");
}

TEST(Placement, NoRouteAtAll) {
  Topology islands{"islands", 4, 2, {{0, 1}, {2, 3}}};
  auto chain = placeChips(islands, pipeline(1, 3));
  ASSERT_FALSE(chain);
  EXPECT_NE(chain.error().str().find("there is no route between node"), std::string::npos) << chain.error().str();
}

TEST(Placement, TwoWiresNeedTwoCables) {
  PlacementProblem twice{{"a", "b"}, {{0, 1}, {0, 1}}, 0};
  EXPECT_FALSE(placeChips(Topology{"one", 2, 2, {{0, 1}}}, twice));
  EXPECT_TRUE(placeChips(Topology{"two", 2, 2, {{0, 1}, {0, 1}}}, twice));
}

} // namespace
} // namespace lpu::compiler
