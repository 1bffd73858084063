// ALU execution: collect operands as 32-bit lanes, one call into the machine's
// numerics, keep the result for chaining and split it onto byte streams.
#include "Vxm.h"

#include "Lanes.h"

#include "lpu/isa/Numerics.h"

#include <algorithm>
#include <bit>
#include <fmt/format.h>

namespace lpu::sim {

using isa::OperandKind;

Alu::Alu(ChipContext &chip, const AluArray &alus, int queue)
    : Unit(chip, queue), alus(alus), results(std::bit_ceil(static_cast<std::size_t>(
                                         std::max(chip.machine.latency.VxmSimple, chip.machine.latency.VxmSpecial) +
                                         longestBurst(chip.machine) + 1))) {}

void Alu::reset() {
  for (Result &r : results)
    r = Result();
  accumulator = VectorValue();
  accumulatorWritten = false;
}

const VectorValue *Alu::resultOf(Cycle issued, Cycle latency) const {
  const Result &r = results[static_cast<std::size_t>(issued) & (results.size() - 1)];
  return r.issued == issued && r.latency == latency ? &r.value : nullptr;
}

const VectorValue *Alu::aluOperand(const Dispatch &d, int alu) const {
  const Cycle simple = chip.machine.latency.VxmSimple, special = chip.machine.latency.VxmSpecial;
  const VectorValue *a = alus[alu]->resultOf(d.time - simple, simple);
  const VectorValue *b = simple == special ? nullptr : alus[alu]->resultOf(d.time - special, special);
  if (a && b) {
    fault("issue-conflict", d,
          fmt::format("two results of vxm.{} are visible at t={}, dispatched at {} and {}", alu, relative(d.time),
                      relative(d.time - special), relative(d.time - simple)));
    return nullptr;
  }
  if (!a && !b)
    fault("empty-operand", d,
          fmt::format("no result of vxm.{} is visible at t={}: it dispatched neither a {}-cycle operation at {} nor a "
                      "{}-cycle one at {}",
                      alu, relative(d.time), simple, relative(d.time - simple), special, relative(d.time - special)));
  return a ? a : b;
}

bool Alu::streamOperand(const Dispatch &d, const VxmOperand &o, int index, VectorValue &value) {
  VectorValue parts[4];
  if (!sampleGroup(d, index, {o.dir, o.index}, o.bytes, parts))
    return false;
  if (!chip.functional)
    return true;
  value = joined(parts, o.bytes);
  return true;
}

VectorValue Alu::joined(const VectorValue *parts, int bytes) {
  if (bytes == 4 && VectorValue::areWords(parts))
    return parts[0].wholeWords();
  VectorValue value = VectorValue::allocate(chip.words);
  const std::uint8_t *planes[4];
  for (int b = 0; b < bytes; ++b)
    planes[b] = parts[b].data();
  joinBytes(planes, value.writableWords(), bytes, chip.machine.lanes());
  return value;
}

const VectorValue &Alu::immediate(std::uint32_t bits) {
  if (!immediateValue.hasPayload() || immediateBits != bits) {
    immediateBits = bits;
    immediateValue = VectorValue::allocate(chip.words);
    std::fill_n(immediateValue.writableWords(), chip.machine.lanes(), bits);
  }
  return immediateValue;
}

bool Alu::operand(const Dispatch &d, const VxmOp &op, const VxmOperand &o, int index, VectorValue &value) {
  switch (o.kind) {
  case OperandKind::Stream:
    return streamOperand(d, o, index, value);
  case OperandKind::Alu: {
    const VectorValue *result = aluOperand(d, o.index);
    if (result)
      value = *result;
    return result != nullptr;
  }
  case OperandKind::Accumulator:
    if (!accumulatorWritten) {
      fault("empty-operand", d,
            fmt::format("the accumulator has not been written in this step before t={}", relative(d.time)));
      return false;
    }
    value = accumulator;
    return true;
  default:
    if (chip.functional)
      value = immediate(op.immediate);
    return true;
  }
}

VectorValue Alu::compute(const Dispatch &d, const VxmOp &op, const VectorValue *operands) {
  if (!chip.functional)
    return {};
  VectorValue value = VectorValue::allocate(chip.words);
  isa::vxmOp(d.op->opcode, operands[0].words(), operands[1].words(), operands[2].words(), value.writableWords(),
             chip.machine.lanes());
  return value;
}

void Alu::keepResult(const Dispatch &d, const VxmOp &op, VectorValue value) {
  if (op.accumulate) {
    accumulator = value;
    accumulatorWritten = true;
  }
  results[static_cast<std::size_t>(d.time) & (results.size() - 1)] = Result{d.time, op.latency, std::move(value)};
}

Cycle Alu::execute(const Dispatch &d) {
  Cycle effect = kNoEffect;
  for (std::int32_t k = 0; k < d.count; ++k)
    effect = executeOne(d.single(k));
  return effect;
}

Cycle Alu::executeOne(const Dispatch &d) {
  const VxmOp &op = d.op->vxm;
  VectorValue operands[3];
  for (int i = 0, index = 0; i < op.operandCount; ++i) {
    if (!operand(d, op, op.operands[i], index, operands[i]))
      return kNoEffect;
    if (op.operands[i].kind == OperandKind::Stream)
      index += op.operands[i].bytes;
  }
  VectorValue value = compute(d, op, operands);
  if (op.out && !driveWords(d, op.result, op.outBytes, op.latency, value))
    return kNoEffect;
  keepResult(d, op, std::move(value));
  return d.time + op.latency;
}

} // namespace lpu::sim
