// What a chip does over a step as curves: power, and how much of each kind of unit
// is in use.
#pragma once

#include "lpu/isa/Counts.h"
#include "lpu/isa/Energy.h"
#include "lpu/isa/Program.h"

#include <array>
#include <string>
#include <vector>

namespace lpu::sim {

/// Curves by number; the unit is the last word of a name.
std::vector<std::string> curveNames();
constexpr int kCurves = 6;

struct Activity {
  isa::Cycle bin = 1;                              ///< cycles that a value holds
  std::vector<std::array<double, kCurves>> values; ///< from the program's start on
  std::array<double, kCurves> idle{};              ///< while a chip waits
  isa::Counts total;                               ///< all that the curves are made of
};

/// Typical raw watts of `model`, with `links` powered, and percent of what the chip's units could do.
Result<Activity> activityOf(const isa::Machine &machine, const isa::StepProgram &step, const isa::EnergyModel &model,
                            std::uint64_t links);

} // namespace lpu::sim
