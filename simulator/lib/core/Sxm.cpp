// Lane movement. Maps are checked also in timing mode, where no bytes move.
#include "Sxm.h"

#include <fmt/format.h>

namespace lpu::sim {

using isa::Opcode;

namespace {
constexpr int kSquare = 16; ///< streams, and lanes of a superlane, of a transpose
} // namespace

const std::int16_t *SxmUnit::map(const Dispatch &d, const SxmOp &op, int entries, int limit) const {
  const auto &maps = chip.chipClass.sxmMaps;
  if (op.map >= maps.size()) {
    fault("address-range", d, fmt::format("map {}; the program has {}", op.map, maps.size()));
    return nullptr;
  }
  const std::vector<std::int16_t> &table = maps[op.map];
  if (static_cast<int>(table.size()) < entries) {
    fault("address-range", d, fmt::format("map {} has {} entries, {} are needed", op.map, table.size(), entries));
    return nullptr;
  }
  for (int i = 0; i < entries; ++i)
    if (table[i] >= limit) {
      fault("address-range", d,
            fmt::format("entry {} of map {} is lane {}; lanes are 0..{}", i, op.map, table[i], limit - 1));
      return nullptr;
    }
  return table.data();
}

bool SxmUnit::checkMap(const Dispatch &d, const SxmOp &op) const {
  const int lanes = chip.machine.lanes(), width = chip.machine.lanesPerSuperlane;
  switch (d.op->opcode) {
  case Opcode::Permute:
  case Opcode::SelectLanes:
    return map(d, op, lanes, lanes) != nullptr;
  case Opcode::Distribute:
    return map(d, op, width, width) != nullptr;
  default:
    return true;
  }
}

void SxmUnit::move(const Dispatch &d, const SxmOp &op, const VectorValue *sources, std::uint8_t *out) const {
  const int lanes = chip.machine.lanes(), width = chip.machine.lanesPerSuperlane;
  const std::uint8_t *in = sources[0].data();
  const std::int16_t *table = op.map < chip.chipClass.sxmMaps.size() ? chip.chipClass.sxmMaps[op.map].data() : nullptr;
  switch (d.op->opcode) {
  case Opcode::Shift:
    for (int l = 0; l < lanes; ++l) {
      const int from = l - op.amount;
      out[l] = from >= 0 && from < lanes ? in[from] : 0;
    }
    break;
  case Opcode::Permute:
    for (int l = 0; l < lanes; ++l)
      out[l] = table[l] >= 0 ? in[table[l]] : 0;
    break;
  case Opcode::Distribute:
    for (int base = 0; base < lanes; base += width)
      for (int i = 0; i < width; ++i)
        out[base + i] = table[i] >= 0 ? in[base + table[i]] : 0;
    break;
  case Opcode::Rotate:
    for (int i = 0; i < width; ++i)
      for (int base = 0, from = ((i - op.amount) % width + width) % width; base < lanes; base += width)
        out[base + i] = in[base + from];
    break;
  default: { // selectlanes
    const std::uint8_t *other = sources[1].data();
    for (int l = 0; l < lanes; ++l)
      out[l] = table[l] >= 0 ? in[l] : other[l];
  }
  }
}

Cycle SxmUnit::execute(const Dispatch &d) {
  const SxmOp &op = d.op->sxm;
  const Opcode opcode = d.op->opcode;
  if (opcode == Opcode::Transpose)
    return transpose(d, op);
  VectorValue sources[2], result;
  if (!checkMap(d, op) || !sampleGroup(d, op.source, 1, &sources[0]))
    return kNoEffect;
  if (opcode == Opcode::SelectLanes && !sampleGroup(d, op.second, 1, &sources[1]))
    return kNoEffect;
  if (chip.functional) {
    result = VectorValue::allocate(chip.rows);
    move(d, op, sources, result.writable());
  }
  Cycle latency = isa::latencyOf(chip.machine, opcode);
  return drive(d, op.result, latency, std::move(result)) ? d.time + latency : kNoEffect;
}

Cycle SxmUnit::transpose(const Dispatch &d, const SxmOp &op) {
  VectorValue sources[kSquare], results[kSquare];
  if (!sampleGroup(d, op.source, kSquare, sources))
    return kNoEffect;
  for (int j = 0; j < kSquare && chip.functional; ++j) {
    results[j] = VectorValue::allocate(chip.rows);
    std::uint8_t *out = results[j].writable();
    for (int base = 0; base < chip.machine.lanes(); base += kSquare)
      for (int i = 0; i < kSquare; ++i)
        out[base + i] = sources[i].data()[base + j];
  }
  Cycle latency = chip.machine.latency.SxmTranspose;
  for (int j = 0; j < kSquare; ++j)
    if (!drive(d, {op.result.dir, static_cast<std::uint8_t>(op.result.stream + j)}, latency, std::move(results[j])))
      return kNoEffect;
  return d.time + latency;
}

} // namespace lpu::sim
