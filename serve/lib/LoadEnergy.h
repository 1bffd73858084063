// What a study costs in energy: counts of the steps that ran times a table (isa/energy), and static power of all chips
// from the first arrival to the last end.
#pragma once

#include "lpu/isa/Energy.h"
#include "lpu/serve/Load.h"

namespace lpu::serve {

class LoadEnergy {
public:
  /// `table`: a preset of isa/energy or a file. Error: there is none of that name, or it does not fit the machine.
  static Result<LoadEnergy> create(const isa::Program &program, const Timing &timing, const std::string &table);

  /// Joules for each token that was generated (of encoders: for each sequence), raw, without the table's calibration
  /// factor and without the hosts; none: nothing was served. Works are those of the requests in `served`.
  std::optional<JoulesPerToken> perToken(const std::vector<Served> &served, unsigned systems) const;

private:
  explicit LoadEnergy(const Timing &timing) : timing(timing) {}
  std::vector<std::uint64_t> stepsOf(const std::vector<Served> &served, unsigned systems) const;

  const Timing &timing;
  std::vector<isa::Estimate> dynamic; ///< joules of each step program
  isa::Estimate staticWatts;          ///< of one system
};

} // namespace lpu::serve
