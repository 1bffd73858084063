// What the compiler's report says of a job, as far as a study needs it.
#pragma once

#include "lpu/isa/Counts.h"
#include "lpu/isa/Energy.h"
#include "lpu/isa/Result.h"

#include <cstdint>
#include <map>
#include <optional>
#include <string>

namespace lpu::explore {

struct Measured {
  std::uint64_t chips = 1, tp = 1, pp = 1, links = 0;
  std::string step, kind; ///< the decode step with the largest context; else encode, else prefill
  std::uint64_t context = 0, tokens = 1, users = 1;
  /// Of the step on the whole system, and of its busiest chip. 0 where only bounds were asked for.
  isa::Cycle cycles = 0, interval = 0;
  isa::Cycle boundCycles = 0, intervalBound = 0; ///< neither can be below these
  /// Sums over the stages of the system.
  isa::Cycle weightStream = 0, resources = 0, criticalPath = 0;
  std::map<std::string, isa::Cycle> cyclesByBound; ///< of its phases: "critical path", or the resource that binds
  isa::Counts counts;                              ///< of all chips
  std::optional<double> ttftUs;
  std::map<std::string, std::uint64_t> memory; ///< bytes of the fullest chip by kind, and "capacity"

  /// One user's tokens of a step: what a user waits a step for.
  std::uint64_t userTokens() const { return kind == "decode" ? 1 : tokens; }
  isa::StepUse use() const;
};

/// From a report of `lpucc`. Error (place empty): something is not there.
Result<Measured> measuredFromReport(const std::string &json);
/// As a store keeps it.
std::string writeMeasured(const Measured &measured);
Result<Measured> readMeasured(const std::string &json);

} // namespace lpu::explore
