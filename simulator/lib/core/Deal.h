// Which process simulates which chips.
#pragma once

#include "Representatives.h"

namespace lpu::sim {

/// Per group of chips the rank that simulates it. A token visits one stage after the other, so as long as there are
/// shards enough each rank takes its share of those of every stage and all work on the same token. More ranks than the
/// largest stage has chips take neighbouring ones in order of (stage, shard), equally many each, cut between stages if
/// there are enough of them, since little passes from one to the next.
std::vector<int> dealGroups(const isa::Program &program, const std::vector<ChipGroup> &groups, int ranks);

} // namespace lpu::sim
