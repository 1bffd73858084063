// One queue of a switch unit (T6): lane movement across and inside superlanes.
#pragma once

#include "Unit.h"

namespace lpu::sim {

class SxmUnit final : public Unit {
public:
  SxmUnit(ChipContext &chip, int queue) : Unit(chip, queue) {}
  Cycle execute(const Dispatch &d) override;
  /// What is wrong with the map that a word uses; empty: nothing.
  static std::string mapProblem(const isa::Machine &machine, const isa::ChipClass &chip, const Op &op);

private:
  Cycle transpose(const Dispatch &d, const SxmOp &op);
  /// Fills `out` from one source (two for selectlanes); the map has been checked.
  void move(const Dispatch &d, const SxmOp &op, const VectorValue *sources, std::uint8_t *out) const;
  /// False after reporting.
  bool checkMap(const Dispatch &d) const;
};

} // namespace lpu::sim
