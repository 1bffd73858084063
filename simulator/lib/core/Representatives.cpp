// Grouping by key: class, and per link what it leads to and how much later that
// chip starts, in every step.
#include "Representatives.h"

#include <algorithm>
#include <map>

namespace lpu::sim {

using isa::Chip;
using isa::Cycle;

std::vector<std::vector<Peer>> peersOf(const isa::Program &program) {
  std::vector<std::vector<Peer>> peers(program.chips.size(), std::vector<Peer>(program.machine.c2cLinks));
  for (const isa::Wire &w : program.wires) {
    peers[w.chipA][w.linkA] = {w.chipB, w.linkB};
    peers[w.chipB][w.linkB] = {w.chipA, w.linkA};
  }
  return peers;
}

namespace {

std::vector<Cycle> keyOf(const isa::Program &program, const std::vector<Peer> &peers, const Chip &chip) {
  std::vector<Cycle> key{chip.chipClass};
  for (const Peer &peer : peers) {
    key.push_back(peer.link);
    if (peer.chip < 0)
      continue;
    const Chip &other = program.chips[peer.chip];
    key.push_back(other.chipClass);
    for (std::size_t step = 0; step < program.steps.size(); ++step)
      key.push_back(other.start[step] - chip.start[step]);
  }
  return key;
}

} // namespace

std::vector<ChipGroup> groupChips(const isa::Program &program, bool all) {
  const std::vector<std::vector<Peer>> peers = peersOf(program);
  std::vector<ChipGroup> groups;
  std::map<std::vector<Cycle>, std::size_t> known;
  for (std::size_t i = 0; i < program.chips.size(); ++i) {
    std::size_t group = groups.size();
    if (!all)
      group = known.try_emplace(keyOf(program, peers[i], program.chips[i]), group).first->second;
    if (group == groups.size())
      groups.emplace_back();
    groups[group].chips.push_back(static_cast<std::uint16_t>(i));
  }
  return groups;
}

std::uint16_t representative(const isa::Program &program, const ChipGroup &group, std::size_t step) {
  return *std::ranges::min_element(group.chips, {},
                                   [&](std::uint16_t chip) { return program.chips[chip].start[step]; });
}

} // namespace lpu::sim
