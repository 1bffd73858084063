// The presets as they are drawn, the file format with its errors, shortest routes.

#include "lpu/compiler/System/Topology.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

namespace lpu::compiler {
namespace {

std::map<int, int> degrees(const Topology &topology) {
  std::map<int, int> count;
  for (auto [a, b] : topology.cables)
    ++count[a], ++count[b];
  return count;
}

bool joined(const Topology &topology, int a, int b) {
  return std::count(topology.cables.begin(), topology.cables.end(), std::pair(std::min(a, b), std::max(a, b))) == 1;
}

std::string parseError(const std::string &yaml) {
  auto topology = parseTopology(yaml, "t.yaml", isa::Machine());
  return topology ? "" : topology.error().str();
}

TEST(Topology, ANodeJoinsEveryTwoOfEight) {
  Topology node = nodeTopology();
  EXPECT_EQ(node.places, 8);
  EXPECT_EQ(node.cables.size(), 28u); // 8 · 7 / 2
  for (auto [place, degree] : degrees(node))
    EXPECT_EQ(degree, 7) << place;
}

TEST(Topology, RailsUseFourGlobalLinksOfEveryChip) {
  Topology rail = railTopology(6);
  for (auto [place, degree] : degrees(rail))
    EXPECT_EQ(degree, 7 + 4) << place;
  EXPECT_TRUE(joined(rail, 3, 11));  // chip 3 of nodes 0 and 1
  EXPECT_TRUE(joined(rail, 3, 19));  // of nodes 0 and 2
  EXPECT_TRUE(joined(rail, 3, 43));  // of nodes 0 and 5: a ring
  EXPECT_FALSE(joined(rail, 3, 27)); // of nodes 0 and 3
  EXPECT_FALSE(joined(rail, 3, 12));
}

TEST(Topology, ShortRingsHaveNoSecondCable) {
  for (int nodes : {1, 2, 3, 4}) {
    Topology rail = railTopology(nodes);
    std::set<std::pair<int, int>> once(rail.cables.begin(), rail.cables.end());
    EXPECT_EQ(once.size(), rail.cables.size()) << nodes;
    for (auto [place, degree] : degrees(rail))
      EXPECT_EQ(degree, 7 + nodes - 1) << nodes;
  }
}

TEST(Topology, ADragonflyJoinsEveryTwoNodesOnce) {
  Topology all = dragonflyTopology(33);
  EXPECT_EQ(all.places, 264);
  std::set<std::pair<int, int>> nodes;
  for (auto [a, b] : all.cables)
    if (all.nodeOf(a) != all.nodeOf(b)) {
      EXPECT_TRUE(nodes.insert({all.nodeOf(a), all.nodeOf(b)}).second);
    }
  EXPECT_EQ(nodes.size(), 33u * 32 / 2);
  for (auto [place, degree] : degrees(all))
    EXPECT_EQ(degree, 7 + 4) << place;
}

TEST(Topology, PresetsEndSomewhere) {
  isa::Machine machine;
  EXPECT_FALSE(loadTopology("node", 2, machine));
  EXPECT_FALSE(loadTopology("dragonfly", 34, machine));
  EXPECT_TRUE(loadTopology("rail", 72, machine));
  auto unknown = loadTopology("torus", 1, machine);
  ASSERT_FALSE(unknown);
  EXPECT_EQ(unknown.error().str(), "torus: error: neither a topology (node, rail, dragonfly) nor a readable file");
  machine.c2cLinks = 8;
  EXPECT_TRUE(loadTopology("node", 1, machine));
  EXPECT_FALSE(loadTopology("rail", 2, machine));
}

TEST(Topology, RoutesAreShortest) {
  Topology rail = railTopology(8);
  EXPECT_EQ(shortestRoute(rail, 5, 5), std::vector<int>{5});
  EXPECT_EQ(shortestRoute(rail, 0, 7).size(), 2u);         // one hop inside the node
  EXPECT_EQ(shortestRoute(rail, 0, 4 * 8).size(), 3u);     // two times two nodes along the rail
  EXPECT_EQ(shortestRoute(rail, 0, 4 * 8 + 1).size(), 4u); // and one hop to the other rail
  EXPECT_EQ(shortestRoute(rail, 0, 7 * 8).size(), 2u);     // round the ring
  Topology apart{"apart", 4, 8, {{0, 1}, {2, 3}}};
  EXPECT_TRUE(shortestRoute(apart, 0, 3).empty());
}

TEST(Topology, FilesAreRead) {
  auto topology =
      parseTopology("name: line\nchips: 3\nnode_chips: 1\nwires: [[0, 1], [1, 2]]\n", "t.yaml", isa::Machine());
  ASSERT_TRUE(topology) << topology.error().str();
  EXPECT_EQ(topology->name, "line");
  EXPECT_EQ(topology->places, 3);
  EXPECT_EQ(topology->cables, (std::vector<std::pair<int, int>>{{0, 1}, {1, 2}}));
  EXPECT_EQ(topology->placeName(2), "node 2 chip 0");
}

TEST(Topology, FilesAreChecked) {
  EXPECT_EQ(parseError("[1]"),
            "t.yaml:1: error: a topology must be a map with the keys name, chips, node_chips and wires");
  EXPECT_EQ(parseError("name: x\nwires: []\n"), "t.yaml:1: error: missing key 'chips'");
  EXPECT_EQ(parseError("name: x\nchips: 2\nchip: 2\nwires: []\n"),
            "t.yaml:3: error: unknown key 'chip'; there are name, chips, node_chips and wires");
  EXPECT_EQ(parseError("name: x\nchips: many\nwires: []\n"), "t.yaml:2: error: 'chips' must be a whole number");
  EXPECT_EQ(parseError("name: x\nchips: 0\nwires: []\n"), "t.yaml:2: error: 'chips' is 0, outside of 1 to 65535");
  EXPECT_EQ(parseError("name: x\nchips: 2\nwires:\n  - [0, 2]\n"),
            "t.yaml:4: error: 'chip of a wire' is 2, outside of 0 to 1");
  EXPECT_EQ(parseError("name: x\nchips: 2\nwires:\n  - [1, 1]\n"), "t.yaml:4: error: a wire joins chip 1 to itself");
  EXPECT_EQ(parseError("name: x\nchips: 2\nwires:\n  - [1]\n"), "t.yaml:4: error: a wire is a pair of chips: [0, 1]");
  std::string many = "name: x\nchips: 2\nwires:\n";
  for (int i = 0; i < 12; ++i)
    many += "  - [0, 1]\n";
  EXPECT_EQ(parseError(many), "t.yaml:15: error: chip 0 has more wires than the 11 links of machine 'tsp1'");
  EXPECT_NE(parseError("name: [x").find("not valid YAML"), std::string::npos);
}

} // namespace
} // namespace lpu::compiler
