// Which process simulates which chips.
#pragma once

#include "Representatives.h"

namespace lpu::sim {

/// Per group of chips the rank that simulates it: neighbouring ones in order of (stage, shard), equally many for each
/// rank, cut between stages if there are enough of them, since little passes from one to the next.
std::vector<int> dealGroups(const isa::Program &program, const std::vector<ChipGroup> &groups, int ranks);

} // namespace lpu::sim
