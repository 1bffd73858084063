// Values of a table's entry drawn from its band.
#pragma once

#include "lpu/isa/Energy.h"

#include <memory>

namespace lpu::isa {

struct Draws {
  std::vector<double> values; ///< in the order of draws, not of size
  double p5 = 0, p95 = 0;
};

/// Log-triangular between low and high with the mode at typical; triangular if low is 0. Depends on the entry's name
/// and band and on the seed, and on nothing else. Kept, for the next point of a study. Any thread.
std::shared_ptr<const Draws> drawsOf(const EnergyEntry &entry, int draws, std::uint64_t seed);

/// The smallest value that at least the share `p` of `values` does not exceed.
double percentile(std::vector<double> values, double p);

} // namespace lpu::isa
