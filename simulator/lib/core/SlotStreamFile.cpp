// Slot table as one ring per stream. A slot can be sampled or driven only while
// τ lies within [now − P, now + P + longest latency], so a ring longer than that
// window never holds two live slots in one place and pruning is a tag compare.
#include "SlotStreamFile.h"

#include <algorithm>
#include <bit>

namespace lpu::sim {

namespace {

Cycle longestDrive(const isa::Machine &machine) {
  const isa::Latencies &l = machine.latency;
  return std::max({l.MemRead, l.MemGather, l.VxmSimple, l.VxmSpecial, l.MxmEmit, l.SxmWithin, l.SxmAcross,
                   l.SxmTranspose, l.C2cReceive});
}

} // namespace

SlotStreamFile::SlotStreamFile(const isa::Machine &machine)
    : streams(machine.streamsPerDirection),
      ring(std::bit_ceil(static_cast<std::size_t>(longestDrive(machine) + 2 * machine.maxPosition() + 2))),
      slots(2 * streams * ring) {}

const Producer *SlotStreamFile::drive(StreamRef ref, int position, Cycle time, VectorValue value, const Producer &by) {
  Cycle tau = tauOf(ref, position, time);
  Slot &slot = slots[indexOf(ref, tau)];
  if (slot.tau != tau) {
    slot.tau = tau;
    slot.entries.clear();
  }
  for (const Entry &entry : slot.entries)
    if (entry.position == position)
      return &entry.producer;
  slot.entries.push_back({position, std::move(value), by});
  return nullptr;
}

const VectorValue *SlotStreamFile::sample(StreamRef ref, int position, Cycle now) const {
  Cycle tau = tauOf(ref, position, now);
  const Slot &slot = slots[indexOf(ref, tau)];
  if (slot.tau != tau)
    return nullptr;
  const Entry *best = nullptr;
  int sign = ref.dir == Direction::East ? 1 : -1;
  for (const Entry &entry : slot.entries) {
    int behind = sign * (position - entry.position);
    if (behind >= 0 && (!best || behind < sign * (position - best->position)))
      best = &entry;
  }
  return best ? &best->value : nullptr;
}

int SlotStreamFile::nearest(StreamRef ref, int position, Cycle now, int reach) const {
  for (int d = 1; d <= reach; ++d) {
    if (sample(ref, position, now - d))
      return -d;
    if (sample(ref, position, now + d))
      return d;
  }
  return 0;
}

void SlotStreamFile::reset() {
  for (Slot &slot : slots) {
    slot.tau = kNoTau;
    slot.entries.clear();
  }
}

} // namespace lpu::sim
