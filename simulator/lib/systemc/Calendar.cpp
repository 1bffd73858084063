// A ring of bit sets, one per cycle, beside the sorted timeline. In which order
// units run within a cycle nobody can tell: what they do in a cycle depends on
// timestamps only.
#include "Calendar.h"

#include <algorithm>
#include <bit>
#include <cassert>
#include <functional>

namespace lpu::sim {

using isa::Cycle;

namespace {
constexpr std::size_t kAhead = 8; ///< issues by which words are fetched from memory before they dispatch
} // namespace

Calendar::Calendar(sc_core::sc_module_name name, const isa::Machine &machine, const FaultLog &faults, int capacity)
    : sc_module(name), faults(faults), quantum(machine.latency.Barrier),
      words((static_cast<std::size_t>(capacity) + 63) / 64), due(kRing * words), busy(kRing / 64) {
  SC_HAS_PROCESS(Calendar);
  SC_METHOD(serve);
  sensitive << tick;
  dont_initialize();
}

int Calendar::add(Wakeable &entry) {
  assert(entries.size() < words * 64);
  entries.push_back(&entry);
  return static_cast<int>(entries.size()) - 1;
}

void Calendar::begin(const Timeline *stepTimeline) {
  std::fill(due.begin(), due.end(), 0);
  std::fill(busy.begin(), busy.end(), 0);
  far.clear();
  timeline = stepTimeline;
  next = 0;
  zero = planned = kNever;
  settled = false;
  tick.cancel();
}

void Calendar::put(int entry, Cycle at) {
  slot(at)[entry / 64] |= std::uint64_t{1} << (entry % 64);
  const auto index = static_cast<std::size_t>(at & (kRing - 1));
  busy[index / 64] |= std::uint64_t{1} << (index % 64);
}

void Calendar::schedule(int entry, Cycle now, Cycle at) {
  if (at - now < kRing) {
    put(entry, at);
  } else {
    far.emplace_back(at, entry);
    std::push_heap(far.begin(), far.end(), std::greater<>());
  }
  if (!serving && !settled) // else who runs it looks what is due when it has finished
    notify(at);
}

void Calendar::notify(Cycle at) {
  if (at >= planned)
    return;
  planned = at;
  const Cycle now = cycleNow();
  at == now ? tick.notify(sc_core::SC_ZERO_TIME) : tick.notify(cycles(at - now));
}

void Calendar::serve() {
  const Cycle begin = cycleNow();
  planned = kNever;
  if (faults.blocks(begin - Timeline::kMaxLag)) // nothing can come before the hazard any more
    return;
  if (begin == zero) {
    settled = true;
    return settledCall();
  }
  serving = true;
  Cycle now = nextDue(begin);
  for (; now < begin + quantum && now < zero; now = nextDue(now + 1))
    runCycle(now);
  serving = false;
  now = std::min(now, zero);
  if (now != kNever)
    notify(now);
}

Cycle Calendar::play(Cycle now, Cycle limit) {
  serving = true;
  now = nextDue(now);
  for (; now < limit && !faults.blocks(now - Timeline::kMaxLag); now = nextDue(now + 1))
    runCycle(now);
  serving = false;
  return faults.blocks(now - Timeline::kMaxLag) ? kNever : now;
}

void Calendar::runCycle(Cycle now) {
  const auto index = static_cast<std::size_t>(now & (kRing - 1));
  while (!far.empty() && far.front().first - now < kRing) {
    put(far.front().second, far.front().first);
    std::pop_heap(far.begin(), far.end(), std::greater<>());
    far.pop_back();
  }
  if (busy[index / 64] >> (index % 64) & 1)
    wakeEntries(now);
  if (!settled || !timeline)
    return;
  const std::vector<Issue> &issues = timeline->issues();
  for (; next < issues.size() && zero + issues[next].at == now; ++next) {
    if (next + kAhead < issues.size())
      __builtin_prefetch(issues[next + kAhead].dispatch.op);
    Dispatch d = issues[next].dispatch;
    d.time += zero;
    ports[issues[next].queue]->issue(d);
  }
}

void Calendar::wakeEntries(Cycle now) {
  const auto index = static_cast<std::size_t>(now & (kRing - 1));
  busy[index / 64] &= ~(std::uint64_t{1} << (index % 64));
  std::uint64_t *bits = slot(now);
  for (std::size_t w = 0; w < words; ++w)
    for (; bits[w];) {
      const int entry = static_cast<int>(w) * 64 + std::countr_zero(bits[w]);
      bits[w] &= bits[w] - 1;
      entries[entry]->wake(now);
    }
}

Cycle Calendar::nextBusy(Cycle from) const {
  for (Cycle t = from; t < from + kRing;) {
    const auto index = static_cast<std::size_t>(t & (kRing - 1));
    if (std::uint64_t rest = busy[index / 64] >> (index % 64))
      return t + std::countr_zero(rest);
    t += 64 - static_cast<Cycle>(index % 64);
  }
  return kNever;
}

Cycle Calendar::nextDue(Cycle from) const {
  Cycle at = nextBusy(from);
  if (!far.empty())
    at = std::min(at, std::max(far.front().first, from));
  if (settled && timeline && next < timeline->issues().size())
    at = std::min(at, zero + timeline->issues()[next].at);
  return at;
}

} // namespace lpu::sim
