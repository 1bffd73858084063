// Lane movement. Maps are checked also in timing mode, where no bytes move.
#include "Sxm.h"

#include "Lanes.h"

#include <fmt/format.h>

namespace lpu::sim {

using isa::Opcode;

namespace {
constexpr int kSquare = 16;  ///< streams, and lanes of a superlane, of a transpose
constexpr int kNoLane = 128; ///< for shuffleSuperlanes
} // namespace

std::string SxmUnit::mapProblem(const isa::Machine &machine, const isa::ChipClass &chip, const Op &op) {
  const int lanes = machine.lanes(), width = machine.lanesPerSuperlane;
  int entries = 0;
  if (op.opcode == Opcode::Permute || op.opcode == Opcode::SelectLanes)
    entries = lanes;
  else if (op.opcode == Opcode::Distribute)
    entries = width;
  else
    return {};
  const auto &maps = chip.sxmMaps;
  const int number = op.sxm.map;
  if (number >= static_cast<int>(maps.size()))
    return fmt::format("map {}; the program has {}", number, maps.size());
  const std::vector<std::int16_t> &table = maps[number];
  if (static_cast<int>(table.size()) < entries)
    return fmt::format("map {} has {} entries, {} are needed", number, table.size(), entries);
  for (int i = 0; i < entries; ++i)
    if (table[i] >= entries)
      return fmt::format("entry {} of map {} is lane {}; lanes are 0..{}", i, number, table[i], entries - 1);
  return {};
}

/// A wired program's maps have been checked.
bool SxmUnit::checkMap(const Dispatch &d) const {
  if (d.sources)
    return true;
  std::string problem = mapProblem(chip.machine, chip.chipClass, *d.op);
  if (problem.empty())
    return true;
  fault("address-range", d, std::move(problem));
  return false;
}

void SxmUnit::move(const Dispatch &d, const SxmOp &op, const VectorValue *sources, std::uint8_t *out) const {
  const int lanes = chip.machine.lanes();
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
  case Opcode::Rotate: {
    std::uint8_t from[kSquare];
    for (int i = 0; i < kSquare; ++i)
      from[i] =
          static_cast<std::uint8_t>(d.op->opcode == Opcode::Rotate ? ((i - op.amount) % kSquare + kSquare) % kSquare
                                    : table[i] >= 0                ? table[i]
                                                                   : kNoLane);
    shuffleSuperlanes(in, out, from, chip.machine.superlanes);
    break;
  }
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
  if (!checkMap(d) || !sample(d, 0, op.source, sources[0]))
    return kNoEffect;
  if (opcode == Opcode::SelectLanes && !sample(d, 1, op.second, sources[1]))
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
  if (!sampleGroup(d, 0, op.source, kSquare, sources))
    return kNoEffect;
  if (chip.functional) {
    const std::uint8_t *in[kSquare];
    std::uint8_t *out[kSquare];
    for (int j = 0; j < kSquare; ++j) {
      results[j] = VectorValue::allocate(chip.rows);
      in[j] = sources[j].data();
      out[j] = results[j].writable();
    }
    transposeSuperlanes(in, out, chip.machine.superlanes);
  }
  Cycle latency = chip.machine.latency.SxmTranspose;
  for (int j = 0; j < kSquare; ++j)
    if (!drive(d, {op.result.dir, static_cast<std::uint8_t>(op.result.stream + j)}, latency, std::move(results[j]), j))
      return kNoEffect;
  return d.time + latency;
}

} // namespace lpu::sim
