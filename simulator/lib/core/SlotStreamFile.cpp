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
      taus(2 * streams * ring, kNoTau), entries(2 * streams * ring) {}

const Producer *SlotStreamFile::drive(StreamRef ref, int position, Cycle time, VectorValue value, const Producer &by) {
  const Cycle tau = tauOf(ref, position, time);
  const std::size_t slot = indexOf(ref, tau);
  if (taus[slot] != tau) {
    taus[slot] = tau;
    entries[slot].clear();
  }
  for (const Entry &entry : entries[slot])
    if (entry.position == position)
      return &entry.producer;
  entries[slot].push_back({position, std::move(value), by});
  return nullptr;
}

bool SlotStreamFile::sample(StreamRef ref, int position, Cycle now, VectorValue *value) const {
  const Cycle tau = tauOf(ref, position, now);
  const std::size_t slot = indexOf(ref, tau);
  if (taus[slot] != tau)
    return false;
  const Entry *found = nullptr;
  int nearest = INT32_MAX;
  for (const Entry &entry : entries[slot])
    if (int hops = behind(ref, entry.position, position); hops >= 0 && hops < nearest)
      nearest = hops, found = &entry;
  if (found && value)
    *value = found->value;
  return found;
}

int SlotStreamFile::nearest(StreamRef ref, int position, Cycle now, int reach) const {
  for (int d = 1; d <= reach; ++d) {
    if (sample(ref, position, now - d, nullptr))
      return -d;
    if (sample(ref, position, now + d, nullptr))
      return d;
  }
  return 0;
}

void SlotStreamFile::reset() { std::fill(taus.begin(), taus.end(), kNoTau); }

} // namespace lpu::sim
