// Which chip of a partition stands at which place of a topology.
#pragma once

#include "lpu/compiler/System/Topology.h"

#include <string>
#include <utility>
#include <vector>

namespace lpu::compiler {

/// The chips of a partition and the wires their programs use; a wire is a pair of chips.
struct PlacementProblem {
  std::vector<std::string> chips; ///< names for errors: "stage 3, shard 1"
  std::vector<std::pair<int, int>> wires;
  int first = 0; ///< the chip that is placed first: of the first stage with layers
};

/// A place per chip so that every wire has a cable of its own. The error names two chips that cannot be joined and
/// the shortest way there is between the places they would take.
Result<std::vector<int>> placeChips(const Topology &topology, const PlacementProblem &problem);

} // namespace lpu::compiler
