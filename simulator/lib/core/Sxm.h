// One queue of a switch unit (T6): lane movement across and inside superlanes.
#pragma once

#include "Unit.h"

namespace lpu::sim {

class SxmUnit final : public Unit {
public:
  SxmUnit(ChipContext &chip, int queue) : Unit(chip, queue) {}
  Cycle execute(const Dispatch &d) override;

private:
  Cycle transpose(const Dispatch &d, const SxmOp &op);
  /// The program's map `op.map`, its first `entries` values below `limit`; null after reporting.
  const std::int16_t *map(const Dispatch &d, const SxmOp &op, int entries, int limit) const;
  /// Fills `out` from one source (two for selectlanes); the map has been checked.
  void move(const Dispatch &d, const SxmOp &op, const VectorValue *sources, std::uint8_t *out) const;
  bool checkMap(const Dispatch &d, const SxmOp &op) const;
};

} // namespace lpu::sim
