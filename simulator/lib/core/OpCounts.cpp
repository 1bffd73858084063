// One case per kind of word, from its decoded record.
#include "OpCounts.h"

#include <bit>

namespace lpu::sim {

namespace {

using isa::Count;
using isa::Counts;
using isa::Opcode;

constexpr std::uint64_t kGroup = 16; ///< streams of an lw and of a transpose

void countMem(const Op &op, std::uint64_t bytes, Counts &counts) {
  if (op.opcode == Opcode::Gather) {
    counts[Count::GatheredBytes] += bytes;
  } else if (op.opcode == Opcode::Scatter) {
    counts[Count::ScatteredBytes] += bytes;
  } else {
    counts[Count::SramReadBytes] += op.mem.read ? bytes : 0;
    counts[Count::SramWrittenBytes] += op.mem.write ? bytes : 0;
  }
}

/// Every row of the tile is multiplied, loaded or not. Of the two halves of an fp16 pass the lower plane's counts.
void countPlay(const isa::Machine &machine, isa::QueueId queue, const ActivateOp &op, std::uint64_t bytes,
               Counts &counts) {
  if (!op.play || (op.fp16 && queue.index % 2 == 1))
    return;
  std::uint64_t superlanes = 0;
  for (int k = 0; k < machine.superlanes; ++k)
    superlanes += op.mask >> k & 1;
  counts[op.fp16 ? Count::ProductsFp16 : Count::ProductsInt8] +=
      superlanes * static_cast<std::uint64_t>(machine.lanesPerSuperlane) * bytes;
}

void countSxm(Opcode opcode, std::uint64_t bytes, Counts &counts) {
  if (opcode == Opcode::Transpose)
    counts[Count::SxmTransposeBytes] += kGroup * bytes;
  else
    counts[opcode == Opcode::Shift || opcode == Opcode::Permute ? Count::SxmAcrossBytes : Count::SxmWithinBytes] +=
        bytes;
}

} // namespace

void countOp(const isa::Machine &machine, isa::QueueId queue, const Op &op, std::uint64_t copies, Counts &counts) {
  if (op.kind != OpKind::Unit && op.kind != OpKind::Config && op.kind != OpKind::IFetch)
    return;
  counts[op.opcode] += copies;
  if (op.kind != OpKind::Unit)
    return;
  const std::uint64_t bytes = copies * static_cast<std::uint64_t>(machine.rowBytes()); // of a vector each
  switch (queue.unit) {
  case isa::UnitKind::Mem:
    return countMem(op, bytes, counts);
  case isa::UnitKind::Vxm:
    counts[isa::info(op.opcode).latency == "VxmSpecial" ? Count::VxmSpecial : Count::VxmSimple] += bytes;
    return;
  case isa::UnitKind::MxmW:
    counts[Count::WeightBytes] += kGroup * bytes;
    return;
  case isa::UnitKind::MxmA:
    return countPlay(machine, queue, op.activate, bytes, counts);
  case isa::UnitKind::MxmR:
    return;
  case isa::UnitKind::Sxm:
    return countSxm(op.opcode, bytes, counts);
  case isa::UnitKind::C2c:
    if (op.opcode == Opcode::Send)
      counts.countSent(queue.index, copies);
    else if (op.opcode == Opcode::Receive)
      counts.countReceived(queue.index, copies);
  }
}

} // namespace lpu::sim
