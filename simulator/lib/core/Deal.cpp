// Deals the chips of each stage over all ranks, or cuts the row of chips at the
// places closest to equal shares.
#include "Deal.h"

#include <algorithm>
#include <cstdlib>
#include <numeric>

namespace lpu::sim {

namespace {

/// Where a rank's share begins, for each rank and one past the last: members of `places`, as close to equal as they
/// are.
std::vector<std::size_t> cut(const std::vector<std::size_t> &places, std::size_t total, std::size_t ranks) {
  std::vector<std::size_t> cuts{0};
  for (std::size_t k = 1, j = 0; k < ranks; ++k) {
    const auto distance = [&](std::size_t i) {
      return std::abs(static_cast<long>(places[i] * ranks) - static_cast<long>(k * total));
    };
    // At least one place for each rank to come.
    for (++j; j + 1 + (ranks - k) <= places.size() && distance(j + 1) < distance(j);)
      ++j;
    cuts.push_back(places[j]);
  }
  cuts.push_back(total);
  return cuts;
}

} // namespace

std::vector<int> dealGroups(const isa::Program &program, const std::vector<ChipGroup> &groups, int ranks) {
  std::vector<std::size_t> order(groups.size());
  std::iota(order.begin(), order.end(), 0);
  const auto stageOf = [&](std::size_t group) { return program.chips[groups[group].chips.front()].stage; };
  std::ranges::stable_sort(
      order, {}, [&](std::size_t g) { return std::pair(stageOf(g), program.chips[groups[g].chips.front()].shard); });
  std::vector<std::size_t> everywhere, stages; // where a chip begins, and where a stage does
  std::size_t largest = 0;                     // stage
  for (std::size_t i = 0; i < order.size(); ++i) {
    everywhere.push_back(i);
    if (i == 0 || stageOf(order[i]) != stageOf(order[i - 1]))
      stages.push_back(i);
    largest = std::max(largest, i + 1 - stages.back());
  }
  const std::size_t count = std::min(static_cast<std::size_t>(ranks), order.size());
  std::vector<int> owners(groups.size());
  const auto give = [&](std::size_t begin, std::size_t end, std::size_t rank) {
    for (std::size_t i = begin; i < end; ++i)
      owners[order[i]] = static_cast<int>(rank);
  };
  if (count <= largest) {
    for (std::size_t s = 0; s < stages.size(); ++s) {
      const std::size_t first = stages[s], size = (s + 1 < stages.size() ? stages[s + 1] : order.size()) - first;
      for (std::size_t i = 0; i < size; ++i)
        give(first + i, first + i + 1, i * count / size);
    }
    return owners;
  }
  const std::vector<std::size_t> cuts = cut(stages.size() >= count ? stages : everywhere, order.size(), count);
  for (std::size_t rank = 0; rank < count; ++rank)
    give(cuts[rank], cuts[rank + 1], rank);
  return owners;
}

} // namespace lpu::sim
