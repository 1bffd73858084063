// Slot table as one ring per stream. A slot can be sampled or driven only while
// τ lies within [now − lag − P, now + P + longest latency], so a ring longer than
// that window never holds two live slots in one place and pruning is a tag
// compare. Runs stand in a short list per stream: few are alive at any time.
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
    : streams(machine.streamsPerDirection), keep(longestDrive(machine) + 2 * machine.maxPosition() + kMaxLag + 2),
      ring(std::bit_ceil(static_cast<std::size_t>(keep))), taus(2 * streams * ring, kNoTau),
      entries(2 * streams * ring), lines(2 * streams) {}

void SlotStreamFile::Line::grow() {
  std::vector<ValueRun> larger(2 * ring.size());
  for (std::size_t i = head; i != tail; ++i)
    larger[i & (larger.size() - 1)] = std::move(at(i));
  ring = std::move(larger);
}

const Producer *SlotStreamFile::singleAt(StreamRef ref, int position, Cycle tau) const {
  const std::size_t slot = indexOf(ref, tau);
  if (taus[slot] == tau)
    for (const Entry &entry : entries[slot])
      if (entry.position == position)
        return &entry.producer;
  return nullptr;
}

const Producer *SlotStreamFile::drive(StreamRef ref, int position, Cycle time, VectorValue value, const Producer &by) {
  const Cycle tau = tauOf(ref, position, time);
  if (const Producer *single = singleAt(ref, position, tau))
    return single;
  Line &line = lines[lineOf(ref)];
  for (std::size_t i = line.tail, end = line.oldest(tau); i != end;)
    if (const ValueRun &run = line.at(--i); run.position == position && run.covers(tau))
      return &(other = run.producer(static_cast<std::int32_t>((tau - run.tau) / run.interval)));
  const std::size_t slot = indexOf(ref, tau);
  if (taus[slot] != tau) {
    taus[slot] = tau;
    entries[slot].clear();
  }
  entries[slot].push_back({position, std::move(value), by});
  line.lastSingle = std::max(line.lastSingle, tau);
  return nullptr;
}

bool SlotStreamFile::sample(StreamRef ref, int position, Cycle now, VectorValue *value) const {
  const Cycle tau = tauOf(ref, position, now);
  const std::size_t slot = indexOf(ref, tau);
  const Entry *single = nullptr;
  int nearest = INT32_MAX;
  if (taus[slot] == tau)
    for (const Entry &entry : entries[slot])
      if (int hops = behind(ref, entry.position, position); hops >= 0 && hops < nearest)
        nearest = hops, single = &entry;
  const Line &line = lines[lineOf(ref)];
  const ValueRun *run = nullptr;
  for (std::size_t i = line.tail, end = line.oldest(tau); i != end;) {
    const ValueRun &r = line.at(--i);
    if (int hops = behind(ref, r.position, position); hops >= 0 && hops < nearest && r.covers(tau))
      nearest = hops, run = &r;
  }
  if (value && run)
    *value = run->value(static_cast<std::int32_t>((tau - run->tau) / run->interval));
  else if (value && single)
    *value = single->value;
  return run || single;
}

ValueRun &SlotStreamFile::driveRun(StreamRef ref, int position, Cycle time, std::int32_t count, Cycle interval,
                                   const Producer &by, Cycle now, std::vector<Collision> &collisions) {
  const Cycle tau = tauOf(ref, position, time), lastTau = tau + (count - 1) * interval;
  Line &line = lines[lineOf(ref)];
  while (line.head != line.tail && line.at(line.head).lastTau < tauOf(ref, position, now) - keep)
    ++line.head;
  for (std::size_t i = line.head; i != line.tail; ++i) {
    const ValueRun &run = line.at(i);
    if (run.position != position || run.lastTau < tau || run.tau > lastTau)
      continue;
    for (std::int32_t k = 0; k < count; ++k)
      if (Cycle t = tau + k * interval; run.covers(t))
        collisions.push_back({k, run.producer(static_cast<std::int32_t>((t - run.tau) / run.interval))});
  }
  if (line.lastSingle >= tau)
    for (std::int32_t k = 0; k < count; ++k)
      if (const Producer *single = singleAt(ref, position, tau + k * interval))
        collisions.push_back({k, *single});
  if (line.tail - line.head == line.ring.size())
    line.grow();
  line.lastRun = std::max(line.lastRun, lastTau);
  ValueRun &run = line.at(line.tail++);
  run.tau = tau, run.lastTau = lastTau, run.interval = interval;
  run.count = count;
  run.position = position;
  run.first = by;
  run.bytes = nullptr;
  run.values.clear();
  return run;
}

const ValueRun *SlotStreamFile::runAt(StreamRef ref, int position, Cycle time, std::int32_t count, Cycle interval,
                                      std::int32_t &offset) const {
  const Cycle tau = tauOf(ref, position, time), lastTau = tau + (count - 1) * interval;
  const Line &line = lines[lineOf(ref)];
  if (line.lastSingle >= tau)
    return nullptr;
  const ValueRun *found = nullptr;
  for (std::size_t i = line.tail; i != line.head;) {
    const ValueRun &run = line.at(--i);
    if (run.lastTau < tau || run.tau > lastTau || behind(ref, run.position, position) < 0)
      continue;
    if (found)
      return nullptr;
    found = &run;
  }
  if (!found || !found->covers(tau) || !found->covers(lastTau) || (count > 1 && found->interval != interval))
    return nullptr;
  offset = static_cast<std::int32_t>((tau - found->tau) / found->interval);
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

void SlotStreamFile::reset() {
  std::fill(taus.begin(), taus.end(), kNoTau);
  for (Line &line : lines) {
    line.head = line.tail = 0;
    line.lastSingle = line.lastRun = kNoTau;
  }
}

} // namespace lpu::sim
