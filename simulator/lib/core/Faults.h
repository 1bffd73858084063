// Collects hazards (T9) of one chip. The first one of a system ends the run;
// "first" is by cycle, then by chip, then by queue number, so that it does not
// depend on the order in which processes ran within a cycle, nor on which chips
// ran ahead of others.
#pragma once

#include "Op.h"

#include "lpu/sim/Simulator.h"

#include <array>
#include <atomic>
#include <optional>
#include <string>
#include <string_view>

namespace lpu::sim {

/// The cycle of the earliest hazard that any chip of a system has found in this step. Chips may be in different
/// threads: one that hears of it late has gone further, and what it found there is later.
struct EarliestHazard {
  static constexpr Cycle kNone = INT64_MAX;
  std::atomic<Cycle> at = kNone;
  bool any() const { return at != kNone; }
  void clear() { at = kNone; }
  void note(Cycle cycle) {
    for (Cycle known = at; cycle < known && !at.compare_exchange_weak(known, cycle);)
      ;
  }
};

class FaultLog {
public:
  FaultLog(const isa::Machine &machine, EarliestHazard &system) : machine(machine), system(system) {}

  /// A new step whose cycle 0 is the absolute cycle `zero`, for chip number `chip`.
  void begin(Cycle zero, int chip) {
    origin = zero;
    number = chip;
    found.reset();
  }
  Cycle zero() const { return origin; }
  void report(std::string_view category, Cycle at, int queue, const Op *op, std::string detail) {
    report(category, at, number, queue, op, std::move(detail));
  }
  /// A hazard that another chip's word is to blame for.
  void report(std::string_view category, Cycle at, int chip, int queue, const Op *op, std::string detail);
  /// Nothing later than a hazard found on any chip may dispatch; the rest of its cycle still does.
  bool blocks(Cycle now) const { return now > system.at.load(std::memory_order_relaxed); }
  bool any() const { return found.has_value(); }
  /// Adds to the detail of the hazard found, if it is the one of queue `queue` at `at`.
  void amend(Cycle at, int queue, const std::string &more);
  /// By which hazards are ordered: cycle, chip, queue number; valid if there is one.
  std::array<Cycle, 3> place() const { return {firstAt, firstChip, firstQueue}; }
  const std::optional<Violation> &first() const { return found; }

private:
  const isa::Machine &machine;
  EarliestHazard &system;
  int number = 0;
  Cycle origin = 0;
  Cycle firstAt = 0;
  int firstChip = 0, firstQueue = 0;
  std::optional<Violation> found;
};

} // namespace lpu::sim
