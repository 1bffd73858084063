// Where the chips of a system can stand and which of them a cable joins.
#pragma once

#include "lpu/isa/Machine.h"

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace lpu::compiler {

/// Places are numbered from 0. A cable is one full-duplex link between two places; which of a chip's connectors it
/// is plugged into is part of the compiled system, because the cables of a system are laid for its partition.
struct Topology {
  std::string name;
  int places = 0;
  int nodePlaces = 8; ///< places of one node, for names and for placing neighbours close together
  std::vector<std::pair<int, int>> cables;

  int nodeOf(int place) const { return place / nodePlaces; }
  /// "node 3 chip 5".
  std::string placeName(int place) const;
};

/// One node: eight places, every two joined.
Topology nodeTopology();
/// Nodes in a ring; chip j of a node is joined to chip j of the two next and the two previous nodes. Not published.
Topology railTopology(int nodes);
/// At most 33 nodes, every two joined by one cable (32 global links leave a node); published.
Topology dragonflyTopology(int nodes);

/// "node", "rail", "dragonfly".
std::vector<std::string> topologyNames();
/// A preset with room for `nodes` nodes, or a YAML file, whose size is its own. Errors: an unknown name, a preset that
/// ends before that many nodes, and whatever is wrong in a file, at file:line.
Result<Topology> loadTopology(const std::string &nameOrPath, int nodes, const isa::Machine &machine);
/// A YAML description (docs/howto/compile-for-many-chips.md).
Result<Topology> parseTopology(std::string_view yaml, const std::string &fileName, const isa::Machine &machine);

/// A shortest way from one place to another, both included; empty when there is none.
std::vector<int> shortestRoute(const Topology &topology, int from, int to);

} // namespace lpu::compiler
