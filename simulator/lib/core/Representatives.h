// Which chips need to be simulated. In timing mode what a chip does at its own
// time depends on its class alone, and what arrives there on the classes at the
// other ends of its links and on how far apart the chips start. Chips for which
// all of these are equal behave alike: one of them stands for all.
#pragma once

#include "lpu/isa/Program.h"

#include <cstdint>
#include <vector>

namespace lpu::sim {

/// Chips that behave alike, by number.
struct ChipGroup {
  std::vector<std::uint16_t> chips;
};

/// `all`: each chip is a group of its own.
std::vector<ChipGroup> groupChips(const isa::Program &program, bool all);

/// The chip of a group that stands for it in a step: of those that start first the lowest number.
std::uint16_t representative(const isa::Program &program, const ChipGroup &group, std::size_t step);

/// What a chip's links lead to: per link the chip and link at the other end; none: not wired.
struct Peer {
  int chip = -1;
  int link = -1;
};
std::vector<std::vector<Peer>> peersOf(const isa::Program &program);

} // namespace lpu::sim
