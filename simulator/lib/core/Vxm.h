// One ALU of the vector unit (T4). ALUs see each other's results in exactly one
// cycle, so each keeps its recent results in a ring keyed by dispatch cycle.
#pragma once

#include "Unit.h"

#include <algorithm>
#include <vector>

namespace lpu::sim {

class Alu;
/// All ALUs of a chip, by number; filled by the chip before the first step.
using AluArray = std::vector<Alu *>;

class Alu final : public Unit {
public:
  Alu(ChipContext &chip, const AluArray &alus, int queue);
  Cycle execute(const Dispatch &d) override;
  /// Longest burst in cycles: its results are there before anybody can look for them.
  static Cycle longestBurst(const isa::Machine &machine) {
    return std::min(machine.latency.VxmSimple, machine.latency.VxmSpecial);
  }
  /// Accumulator and results of the step before are gone.
  void reset();

private:
  Cycle executeOne(const Dispatch &d);

  struct Result {
    Cycle issued = INT64_MIN;
    Cycle latency = 0;
    VectorValue value;
  };
  /// The result dispatched at `issued` if it has this latency; else null.
  const VectorValue *resultOf(Cycle issued, Cycle latency) const;
  const VectorValue *aluOperand(const Dispatch &d, int alu) const;
  /// Fills `value`; false after reporting.
  bool operand(const Dispatch &d, const VxmOp &op, const VxmOperand &o, int index, VectorValue &value);
  /// `index`: of its lowest byte among what the word samples.
  bool streamOperand(const Dispatch &d, const VxmOperand &o, int index, VectorValue &value);
  const VectorValue &immediate(std::uint32_t bits);
  VectorValue compute(const Dispatch &d, const VxmOp &op, const VectorValue *operands);
  void keepResult(const Dispatch &d, const VxmOp &op, VectorValue value);

  VectorValue joined(const VectorValue *parts, int bytes);

  const AluArray &alus;
  std::vector<Result> results; ///< ring by dispatch cycle
  VectorValue accumulator;
  bool accumulatorWritten = false;
  VectorValue immediateValue; ///< last immediate, broadcast: loops repeat it
  std::uint32_t immediateBits = 0;
};

} // namespace lpu::sim
