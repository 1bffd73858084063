// A ring of bit sets, one per cycle: scheduling sets a bit, serving a cycle walks
// its bits. The groups' processes run in any order, which nobody can tell: what
// units do in a cycle depends on timestamps only.
#include "Calendar.h"

#include <algorithm>
#include <cassert>
#include <functional>

namespace lpu::sim {

using isa::Cycle;

Calendar::Calendar(sc_core::sc_module_name name, int capacity)
    : sc_module(name), words((static_cast<std::size_t>(capacity) + 63) / 64), due(kRing * words), busy(kRing / 64) {}

Calendar::Group::Group(sc_core::sc_module_name name, Calendar &calendar)
    : sc_module(name), mask(calendar.words), calendar(calendar) {
  SC_HAS_PROCESS(Group);
  SC_METHOD(serve);
  sensitive << calendar.tick;
  dont_initialize();
}

void Calendar::Group::serve() { calendar.serve(*this); }

int Calendar::add(int group, Wakeable &entry) {
  assert(entries.size() < words * 64);
  while (groups.size() <= static_cast<std::size_t>(group))
    groups.push_back(std::make_unique<Group>(sc_core::sc_gen_unique_name("dispatch"), *this));
  const int number = static_cast<int>(entries.size());
  groups[group]->mask[number / 64] |= std::uint64_t{1} << (number % 64);
  entries.push_back(&entry);
  return number;
}

void Calendar::clear() {
  std::fill(due.begin(), due.end(), 0);
  std::fill(busy.begin(), busy.end(), 0);
  far.clear();
  served = 0;
  planned = kNever;
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
  // While groups are being served, plan() follows and sees this one too.
  if (served == 0 && at < planned) {
    planned = at;
    at == now ? tick.notify(sc_core::SC_ZERO_TIME) : tick.notify(cycles(at - now));
  }
}

void Calendar::serve(const Group &group) {
  const Cycle now = cycleNow();
  std::uint64_t *bits = slot(now);
  for (std::size_t w = 0; w < words; ++w) {
    const std::uint64_t mask = group.mask[w];
    std::uint64_t mine = bits[w] & mask;
    bits[w] &= ~mask;
    for (; mine; mine &= mine - 1)
      entries[w * 64 + std::countr_zero(mine)]->wake(now);
  }
  if (++served == groups.size())
    plan(now);
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

void Calendar::plan(Cycle now) {
  served = 0;
  const std::uint64_t *bits = slot(now);
  if (std::all_of(bits, bits + words, [](std::uint64_t w) { return w == 0; })) {
    const auto index = static_cast<std::size_t>(now & (kRing - 1));
    busy[index / 64] &= ~(std::uint64_t{1} << (index % 64));
  }
  while (!far.empty() && far.front().first - now < kRing) {
    put(far.front().second, far.front().first);
    std::pop_heap(far.begin(), far.end(), std::greater<>());
    far.pop_back();
  }
  planned = nextBusy(now);
  if (planned == kNever && !far.empty())
    planned = far.front().first;
  if (planned == now)
    tick.notify(sc_core::SC_ZERO_TIME);
  else if (planned != kNever)
    tick.notify(cycles(planned - now));
}

} // namespace lpu::sim
