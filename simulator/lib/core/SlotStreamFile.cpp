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
    : reach(machine.maxPosition()), streams(machine.streamsPerDirection),
      ring(std::bit_ceil(static_cast<std::size_t>(longestDrive(machine) + 2 * machine.maxPosition() + 2))),
      taus(2 * streams * ring, kNoTau), entries(2 * streams * ring) {}

const Producer *SlotStreamFile::drive(StreamRef ref, int position, Cycle time, VectorValue value, const Producer &by) {
  const Cycle tau = tauOf(ref, position, time);
  const std::size_t slot = indexOf(ref, tau);
  if (taus[slot] != tau) {
    taus[slot] = tau;
    entries[slot].clear();
  }
  int way = reach - behind(ref, 0, position); // to the edge, unless somebody drives on the way
  bool ends = false;                          // a value from upstream ends before this one
  for (const Entry &entry : entries[slot]) {
    const int ahead = behind(ref, position, entry.position);
    if (ahead == 0)
      return &entry.producer;
    ends |= ahead < 0;
    if (ahead > 0)
      way = std::min(way, ahead - 1);
  }
  // What came from upstream loses the way from here on, which is this one's, and the step to here.
  passed.whole += ends ? std::uint64_t(-1) : static_cast<std::uint64_t>(way);
  entries[slot].push_back({position, std::move(value), by});
  return nullptr;
}

const SlotStreamFile::Entry *SlotStreamFile::find(StreamRef ref, int position, Cycle now) const {
  const Cycle tau = tauOf(ref, position, now);
  const std::size_t slot = indexOf(ref, tau);
  if (taus[slot] != tau)
    return nullptr;
  const Entry *found = nullptr;
  int nearest = INT32_MAX;
  for (const Entry &entry : entries[slot])
    if (int hops = behind(ref, entry.position, position); hops >= 0 && hops < nearest)
      nearest = hops, found = &entry;
  return found;
}

bool SlotStreamFile::sample(StreamRef ref, int position, Cycle now, VectorValue *value) {
  auto *found = const_cast<Entry *>(find(ref, position, now));
  if (!found)
    return false;
  if (const int hops = behind(ref, found->position, position); hops > found->taken) {
    passed.taken += static_cast<std::uint64_t>(hops - found->taken);
    found->taken = hops;
  }
  if (value)
    *value = found->value;
  return true;
}

int SlotStreamFile::nearest(StreamRef ref, int position, Cycle now, int reach) const {
  for (int d = 1; d <= reach; ++d) {
    if (find(ref, position, now - d))
      return -d;
    if (find(ref, position, now + d))
      return d;
  }
  return 0;
}

void SlotStreamFile::reset() {
  std::fill(taus.begin(), taus.end(), kNoTau);
  passed = {};
}

} // namespace lpu::sim
