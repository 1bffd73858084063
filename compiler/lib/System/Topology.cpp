// The presets and the shortest routes. A node of eight chips uses seven links of
// each chip for the others; four are left for chips of other nodes, and the
// presets differ in what they do with those.

#include "lpu/compiler/System/Topology.h"

#include <boost/graph/adjacency_list.hpp>
#include <boost/graph/breadth_first_search.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <set>
#include <sstream>

namespace lpu::compiler {

namespace {

constexpr int kNodePlaces = 8, kGlobalLinks = 4;
constexpr int kDragonflyNodes = kNodePlaces * kGlobalLinks + 1;

Topology joinedNodes(std::string name, int nodes) {
  Topology topology{std::move(name), nodes * kNodePlaces, kNodePlaces, {}};
  for (int node = 0; node < nodes; ++node)
    for (int a = 0; a < kNodePlaces; ++a)
      for (int b = a + 1; b < kNodePlaces; ++b)
        topology.cables.emplace_back(node * kNodePlaces + a, node * kNodePlaces + b);
  return topology;
}

struct Preset {
  std::string_view name;
  int mostNodes; ///< 0: any number
  Topology (*make)(int nodes);
};
constexpr Preset kPresets[] = {
    {"node", 1, [](int) { return nodeTopology(); }},
    {"rail", 0, railTopology},
    {"dragonfly", kDragonflyNodes, dragonflyTopology},
};

} // namespace

std::string Topology::placeName(int place) const {
  return fmt::format("node {} chip {}", nodeOf(place), place % nodePlaces);
}

Topology nodeTopology() { return joinedNodes("node", 1); }

Topology railTopology(int nodes) {
  Topology topology = joinedNodes("rail", nodes);
  std::set<std::pair<int, int>> joined; // in a short ring the second next node is also the second previous one
  for (int node = 0; node < nodes; ++node)
    for (int distance : {1, 2})
      if (int next = (node + distance) % nodes; next != node)
        joined.insert(std::minmax(node, next));
  for (auto [a, b] : joined)
    for (int chip = 0; chip < kNodePlaces; ++chip)
      topology.cables.emplace_back(a * kNodePlaces + chip, b * kNodePlaces + chip);
  return topology;
}

Topology dragonflyTopology(int nodes) {
  Topology topology = joinedNodes("dragonfly", nodes);
  // Cable d-1 of a node's 32 leads to the node d further round the full set, so both ends follow from the distance.
  for (int a = 0; a < nodes; ++a)
    for (int b = a + 1; b < nodes; ++b) {
      int out = b - a - 1, in = kDragonflyNodes - (b - a) - 1;
      topology.cables.emplace_back(a * kNodePlaces + out / kGlobalLinks, b * kNodePlaces + in / kGlobalLinks);
    }
  return topology;
}

std::vector<std::string> topologyNames() {
  std::vector<std::string> names;
  for (const Preset &preset : kPresets)
    names.emplace_back(preset.name);
  return names;
}

Result<Topology> loadTopology(const std::string &nameOrPath, int nodes, const isa::Machine &machine) {
  for (const Preset &preset : kPresets) {
    if (preset.name != nameOrPath)
      continue;
    if (preset.mostNodes && nodes > preset.mostNodes)
      return Error{
          nameOrPath,
          fmt::format("this topology ends at {} nodes of {} chips, the partition needs {}; take --topology=rail",
                      preset.mostNodes, kNodePlaces, nodes)};
    if (kNodePlaces - 1 + (preset.mostNodes == 1 ? 0 : kGlobalLinks) > machine.c2cLinks)
      return Error{nameOrPath, fmt::format("this topology joins more chips to one than the {} links of machine '{}' "
                                           "(c2c.links); describe the cables in a file",
                                           machine.c2cLinks, machine.name)};
    return preset.make(nodes);
  }
  std::ifstream file(nameOrPath, std::ios::binary);
  std::ostringstream text;
  if (!file || !(text << file.rdbuf()))
    return Error{nameOrPath,
                 fmt::format("neither a topology ({}) nor a readable file", fmt::join(topologyNames(), ", "))};
  return parseTopology(text.str(), nameOrPath, machine);
}

std::vector<int> shortestRoute(const Topology &topology, int from, int to) {
  using Graph = boost::adjacency_list<boost::vecS, boost::vecS, boost::undirectedS>;
  Graph graph(topology.cables.begin(), topology.cables.end(), static_cast<std::size_t>(topology.places));
  constexpr int kNowhere = -1;
  std::vector<int> before(boost::num_vertices(graph), kNowhere);
  boost::breadth_first_search(
      graph, static_cast<std::size_t>(from),
      boost::visitor(boost::make_bfs_visitor(boost::record_predecessors(before.data(), boost::on_tree_edge()))));
  if (from != to && before[static_cast<std::size_t>(to)] == kNowhere)
    return {};
  std::vector<int> route = {to};
  while (route.back() != from)
    route.push_back(before[static_cast<std::size_t>(route.back())]);
  std::reverse(route.begin(), route.end());
  return route;
}

} // namespace lpu::compiler
