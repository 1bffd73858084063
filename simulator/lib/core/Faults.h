// Collects hazards (T9). The first one ends the run; "first" is by cycle, then
// by queue number, so that it does not depend on the order in which processes
// ran within a cycle.
#pragma once

#include "Op.h"

#include "lpu/sim/Simulator.h"

#include <optional>
#include <string>
#include <string_view>

namespace lpu::sim {

class FaultLog {
public:
  explicit FaultLog(const isa::Machine &machine) : machine(machine) {}

  /// A new step whose cycle 0 is the absolute cycle `zero`.
  void begin(Cycle zero) {
    origin = zero;
    found.reset();
  }
  Cycle zero() const { return origin; }
  void report(std::string_view category, Cycle at, int queue, const Op *op, std::string detail);
  /// Nothing later than a found hazard may dispatch; the rest of its cycle still does.
  bool blocks(Cycle now) const { return found && now > firstAt; }
  bool any() const { return found.has_value(); }
  Cycle at() const { return firstAt; }
  const std::optional<Violation> &first() const { return found; }

private:
  const isa::Machine &machine;
  Cycle origin = 0;
  Cycle firstAt = 0;
  int firstQueue = 0;
  std::optional<Violation> found;
};

} // namespace lpu::sim
