// MEM slice. A write takes its row's place at once: reads dispatched before it
// becomes readable are hazards (row-in-flight), so nobody can tell the
// difference, and no write has to be delayed.
#include "Mem.h"

#include <algorithm>
#include <cstring>
#include <fmt/format.h>

namespace lpu::sim {

using isa::Region;

namespace {

constexpr std::uint16_t kNoAccess = 0xFFFF;

} // namespace

MemSlice::MemSlice(ChipContext &chip, Memory &memory, int queue) : Unit(chip, queue), memory(memory) {
  isa::QueueId id = isa::queueAt(chip.machine, queue);
  for (int b = 0; b < 2; ++b)
    banks[b] = memory.bank(id.side, id.index, b);
}

Cycle MemSlice::execute(const Dispatch &d) {
  const isa::Latencies &l = chip.machine.latency;
  switch (d.op->opcode) {
  case isa::Opcode::Gather:
    gather(d, d.op->mapped);
    return d.time + l.MemGather;
  case isa::Opcode::Scatter:
    scatter(d, d.op->mapped);
    return d.time + l.MemScatter;
  default:
    break;
  }
  const MemOp &op = d.op->mem;
  Cycle effect = kNoEffect;
  for (std::int32_t k = 0; k < d.count; ++k)
    effect = executeHalves(d.single(k), op);
  return effect;
}

Cycle MemSlice::executeHalves(const Dispatch &d, const MemOp &op) {
  const isa::Latencies &l = chip.machine.latency;
  if (op.read && op.write && op.readBank == op.writeBank) {
    fault("bank-conflict", d, fmt::format("both halves use bank {} at t={}", op.readBank, relative(d.time)));
    return kNoEffect;
  }
  Cycle effect = kNoEffect;
  if (op.read && readHalf(d, op))
    effect = d.time + l.MemRead;
  if (op.write && writeHalf(d, op))
    effect = std::max(effect, d.time + l.MemWrite);
  return effect;
}

void MemSlice::write(MemRow &row, const VectorValue &value, Cycle at) {
  if (value.hasPayload())
    value.copyTo(memory.storage(row), chip.machine.rowBytes());
  row.written = memory.allWritten();
  row.readyAt = std::max(row.readyAt, at + chip.machine.latency.MemWrite);
}

const MemRow *MemSlice::readable(const Dispatch &d, int bank, int index, std::uint32_t words) {
  if (index < 0 || index >= chip.machine.memRowsPerBank) {
    fault("address-range", d,
          fmt::format("row {} of bank {}; rows are 0..{}", index, bank, chip.machine.memRowsPerBank - 1));
    return nullptr;
  }
  const MemRow &row = banks[bank][index];
  if (row.kind == Region::Kind::Code) {
    fault("read-only-write", d, fmt::format("row {} of bank {} belongs to a code region", index, bank));
    return nullptr;
  }
  if (d.time < row.readyAt) {
    fault("row-in-flight", d,
          fmt::format("row {} of bank {} read at t={} is being written; readable from t={}", index, bank,
                      relative(d.time), relative(row.readyAt)));
    return nullptr;
  }
  if ((row.written & words) != words && !unknownWrites[bank]) {
    fault("read-before-write", d,
          fmt::format("row {} of bank {}: superlane words {:#x} read, {:#x} written", index, bank, words, row.written));
    return nullptr;
  }
  return &row;
}

MemRow *MemSlice::writable(const Dispatch &d, int bank, int index) {
  if (index < 0 || index >= chip.machine.memRowsPerBank) {
    fault("address-range", d,
          fmt::format("row {} of bank {}; rows are 0..{}", index, bank, chip.machine.memRowsPerBank - 1));
    return nullptr;
  }
  MemRow &row = banks[bank][index];
  if (row.kind == Region::Kind::Constant || row.kind == Region::Kind::Code) {
    fault("read-only-write", d,
          fmt::format("row {} of bank {} belongs to a {} region", index, bank,
                      row.kind == Region::Kind::Code ? "code" : "constant"));
    return nullptr;
  }
  return &row;
}

VectorValue MemSlice::valueOf(const MemRow &row) {
  if (!chip.functional)
    return {};
  if (!row.owned)
    return VectorValue::view(row.bytes ? row.bytes : memory.zeros());
  VectorValue copy = VectorValue::allocate(chip.rows);
  std::memcpy(copy.writable(), row.bytes, chip.machine.rowBytes());
  return copy;
}

bool MemSlice::readHalf(const Dispatch &d, const MemOp &op) {
  const MemRow *row = readable(d, op.readBank, op.readRow + d.copy * op.readStep, memory.allWritten());
  return row && drive(d, op.readTo, chip.machine.latency.MemRead, valueOf(*row));
}

bool MemSlice::writeHalf(const Dispatch &d, const MemOp &op) {
  MemRow *row = writable(d, op.writeBank, op.writeRow + d.copy * op.writeStep);
  VectorValue value;
  if (!row || !sample(d, 0, op.writeFrom, value))
    return false;
  write(*row, value, d.time);
  return true;
}

std::uint16_t MemSlice::mapWord(const VectorValue *map, const MappedOp &op, int superlane) const {
  int lane = superlane * chip.machine.lanesPerSuperlane + op.mapLane;
  return static_cast<std::uint16_t>(map[0].data()[lane] | map[1].data()[lane] << 8);
}

bool MemSlice::gather(const Dispatch &d, const MappedOp &op) {
  VectorValue map[2];
  if (!sampleGroup(d, 0, op.map, 2, map))
    return false;
  VectorValue result;
  if (chip.functional) {
    result = VectorValue::allocate(chip.rows);
    const int width = chip.machine.lanesPerSuperlane;
    for (int k = 0; k < chip.machine.superlanes; ++k) {
      std::uint16_t word = mapWord(map, op, k);
      std::uint8_t *to = result.writable() + k * width;
      if (word == kNoAccess) {
        std::memset(to, 0, width);
        continue;
      }
      const MemRow *row = readable(d, op.bank, word, 1u << k);
      if (!row)
        return false;
      std::memcpy(to, (row->bytes ? row->bytes : memory.zeros()) + k * width, width);
    }
  }
  return drive(d, op.data, chip.machine.latency.MemGather, std::move(result));
}

bool MemSlice::scatter(const Dispatch &d, const MappedOp &op) {
  VectorValue map[2], data;
  if (!sampleGroup(d, 0, op.map, 2, map) || !sample(d, 2, op.data, data))
    return false;
  if (!chip.functional) {
    unknownWrites[op.bank] = true;
    return true;
  }
  const int width = chip.machine.lanesPerSuperlane;
  for (int k = 0; k < chip.machine.superlanes; ++k) {
    std::uint16_t word = mapWord(map, op, k);
    if (word == kNoAccess)
      continue;
    MemRow *row = writable(d, op.bank, word);
    if (!row)
      return false;
    std::memcpy(memory.storage(*row) + k * width, data.data() + k * width, width);
    row->written |= 1u << k;
    row->readyAt = std::max(row->readyAt, d.time + chip.machine.latency.MemScatter);
  }
  return true;
}

} // namespace lpu::sim
