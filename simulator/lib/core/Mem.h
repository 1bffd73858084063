// A MEM slice (T3): read and write halves, gather and scatter.
#pragma once

#include "Memory.h"
#include "Unit.h"

namespace lpu::sim {

class MemSlice final : public Unit {
public:
  MemSlice(ChipContext &chip, Memory &memory, int queue);
  Cycle execute(const Dispatch &d) override;

private:
  void write(MemRow &row, const VectorValue &value, Cycle at);
  Cycle executeHalves(const Dispatch &d, const MemOp &op);
  bool readHalf(const Dispatch &d, const MemOp &op);
  bool writeHalf(const Dispatch &d, const MemOp &op);
  bool gather(const Dispatch &d, const MappedOp &op);
  bool scatter(const Dispatch &d, const MappedOp &op);

  /// Row `index` of a bank for reading `words`; null after reporting.
  const MemRow *readable(const Dispatch &d, int bank, int index, std::uint32_t words);
  /// Row `index` of a bank for writing; null after reporting.
  MemRow *writable(const Dispatch &d, int bank, int index);
  std::uint16_t mapWord(const VectorValue *map, const MappedOp &op, int superlane) const;
  VectorValue valueOf(const MemRow &row);

  Memory &memory;
  MemRow *banks[2];
  /// Timing mode: a scatter wrote rows that only its data names, so written-ness is unknown.
  bool unknownWrites[2] = {false, false};
};

} // namespace lpu::sim
