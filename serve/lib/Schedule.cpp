// First come, first served over slots. A sequence is placed when the earliest
// start among all slots is certain: slots whose users still run count with the
// end of the step they are in, before which they cannot be free.
#include "lpu/serve/Schedule.h"

#include <algorithm>
#include <deque>
#include <limits>
#include <map>
#include <vector>

namespace lpu::serve {
namespace {

/// When a slot is free: exactly then, or not before.
struct SlotView {
  Cycle free = 0;
  bool known = true;
};

struct SystemView {
  Cycle origin = 0; ///< a frame began then
  std::vector<SlotView> slots;
};

struct Choice {
  Placement placement;
  bool known = false; ///< else the start is a lower bound
};

class Chooser {
public:
  Chooser(const std::vector<SystemView> &systems, Cycle frame) : systems(systems), frame(frame) {}

  /// The slot with the earliest start; of equal ones a known one, and of those the first.
  Choice earliest(Cycle arrival) const {
    Choice best;
    bool any = false;
    for (unsigned system = 0; system < systems.size(); ++system)
      for (unsigned slot = 0; slot < systems[system].slots.size(); ++slot) {
        Choice choice = at(system, slot, arrival);
        if (!any || before(choice, best))
          best = choice, any = true;
      }
    return best;
  }

private:
  static bool before(const Choice &a, const Choice &b) {
    // A bound that equals a known start may turn out to be the start of an earlier slot: it is waited for.
    return a.placement.start < b.placement.start;
  }

  Choice at(unsigned system, unsigned slot, Cycle arrival) const {
    const SystemView &own = systems[system];
    const Cycle ready = std::max(arrival, own.slots[slot].free);
    const bool known = own.slots[slot].known;
    if (frame == 0)
      return {{system, slot, ready}, known};
    bool busy = false, certain = true;
    for (unsigned other = 0; other < own.slots.size(); ++other) {
      if (other == slot)
        continue;
      busy |= own.slots[other].free > ready;
      certain &= own.slots[other].known || own.slots[other].free > ready;
    }
    if (!busy)
      return {{system, slot, ready}, known && certain};
    const Cycle into = ((ready - own.origin) % frame + frame) % frame;
    return {{system, slot, into ? ready + frame - into : ready}, known};
  }

  const std::vector<SystemView> &systems;
  Cycle frame;
};

class FirstComeFirstServed final : public Schedule {
public:
  FirstComeFirstServed(const Timing &timing, unsigned count)
      : timing(timing), systemCount(count), places(count, System{0, std::vector<Slot>(timing.users())}) {}

  Ticket admit(Cycle arrival, const Work &work) override {
    lastArrival = std::max(lastArrival, arrival);
    entries[next] = {lastArrival, work, 0, false, false, std::nullopt};
    queue.push_back(next);
    forgetEnded();
    place();
    return next++;
  }

  void progress(Ticket ticket, std::uint64_t steps) override {
    entries.at(ticket).done = steps;
    place();
  }

  void finish(Ticket ticket, std::uint64_t steps) override {
    Entry &entry = entries.at(ticket);
    entry.done = std::max<std::uint64_t>(steps, 1);
    entry.finished = true;
    place();
  }

  void cancel(Ticket ticket, std::uint64_t steps) override {
    if (entries.at(ticket).placed)
      return finish(ticket, steps);
    std::erase(queue, ticket);
    entries.erase(ticket);
    place();
  }

  void release(Ticket ticket) override {
    if (auto found = entries.find(ticket); found != entries.end())
      found->second.released = true;
    forgetEnded();
  }

  std::optional<Placement> placement(Ticket ticket) const override { return entries.at(ticket).placed; }

  Cycle stepEnd(Ticket ticket, std::uint64_t step) const override {
    const Entry &entry = entries.at(ticket);
    return entry.placed->start + timing.stepEnd(entry.work.prompt, step);
  }

  Cycle tokenEnd(Ticket ticket, std::uint64_t index) const override {
    const Entry &entry = entries.at(ticket);
    return entry.placed->start + timing.tokenEnd(entry.work.prompt, index);
  }

  StartBound bound(Cycle arrival) const override { return startsOf(arrival, {0}).asked.front(); }

  std::vector<StartBound> bounds(Cycle arrival, std::span<const Work> works) const override {
    std::vector<Cycle> lengths;
    for (const Work &work : works)
      lengths.push_back(longest(work));
    return startsOf(arrival, lengths).asked;
  }

  std::vector<Cycle> waitingStarts(Cycle at) const override {
    std::vector<Cycle> starts = startsOf(at, {}).waiting;
    std::ranges::sort(starts);
    return starts;
  }

  Cycle freeBy(Cycle arrival, unsigned count, Tier) const override {
    constexpr Cycle kForever = std::numeric_limits<Cycle>::max() / 2;
    return startsOf(arrival, std::vector<Cycle>(count, kForever)).asked.back().start;
  }

  std::size_t waiting(Cycle at) const override {
    return std::ranges::count_if(entries, [&](const auto &item) { return startsAfter(item.second, at); });
  }

  std::size_t running(Cycle at) const override {
    return std::ranges::count_if(entries, [&](const auto &item) {
      return !startsAfter(item.second, at) && !(item.second.finished && endOf(item.second) <= at);
    });
  }

  Cycle now() const override {
    Cycle known = latestEnd;
    bool idle = true;
    for (const auto &[ticket, entry] : entries) {
      if (!entry.placed)
        continue;
      const Cycle reached = entry.done ? endOf(entry) : entry.placed->start;
      if (entry.finished)
        known = idle ? std::max(known, reached) : known;
      else
        known = idle ? reached : std::min(known, reached), idle = false;
    }
    return reachedNow = std::max({reachedNow, lastArrival, known});
  }

  std::optional<Cycle> certainUntil() const override {
    std::optional<Cycle> least;
    for (const auto &[ticket, entry] : entries)
      if (entry.placed && !entry.finished) {
        const Cycle reached = entry.done ? endOf(entry) : entry.placed->start;
        least = std::min(least.value_or(reached), reached);
      }
    return least;
  }

  unsigned systems() const override { return systemCount; }
  unsigned slots(Tier) const override { return systemCount * timing.users(); }
  std::unique_ptr<Schedule> clone() const override { return std::make_unique<FirstComeFirstServed>(*this); }

private:
  struct Entry {
    Cycle arrival = 0;
    Work work;
    std::uint64_t done = 0;
    bool finished = false, released = false;
    std::optional<Placement> placed;
  };
  struct Slot {
    std::optional<Ticket> user; ///< who was given it last
    Cycle freed = 0;            ///< when that ended, where the entry is gone
  };
  struct System {
    Cycle origin = 0;
    std::vector<Slot> slots;
  };

  bool startsAfter(const Entry &entry, Cycle at) const { return !entry.placed || entry.placed->start > at; }
  /// End of the last step done; at least one is.
  Cycle endOf(const Entry &entry) const {
    return entry.placed->start + timing.stepEnd(entry.work.prompt, entry.done - 1);
  }
  Cycle longest(const Work &work) const {
    return timing.stepEnd(work.prompt, timing.steps(work.prompt, work.maxTokens) - 1);
  }

  struct Starts {
    std::vector<Cycle> waiting; ///< of those that were admitted and have not started, in their order
    std::vector<StartBound> asked;
  };
  Starts startsOf(Cycle arrival, const std::vector<Cycle> &lengths) const;

  SlotView viewOf(const Slot &slot) const {
    const auto found = slot.user ? entries.find(*slot.user) : entries.end();
    if (found == entries.end())
      return {slot.freed, true};
    const Entry &entry = found->second;
    if (entry.finished)
      return {endOf(entry), true};
    return {entry.placed->start + timing.stepEnd(entry.work.prompt, entry.done), false};
  }

  std::vector<SystemView> views() const {
    std::vector<SystemView> out;
    for (const System &system : places) {
      SystemView &view = out.emplace_back(SystemView{system.origin, {}});
      for (const Slot &slot : system.slots)
        view.slots.push_back(viewOf(slot));
    }
    return out;
  }

  void place() {
    while (!queue.empty()) {
      Entry &entry = entries.at(queue.front());
      const Choice choice = Chooser(views(), timing.frame()).earliest(entry.arrival);
      if (!choice.known)
        return;
      System &system = places[choice.placement.system];
      system.origin = choice.placement.start;
      system.slots[choice.placement.slot] = {queue.front(), 0};
      entry.placed = choice.placement;
      queue.pop_front();
    }
  }

  /// Whoever ended before the last arrival is of no further use to bounds; slots remember when they were freed.
  void forgetEnded() {
    for (auto item = entries.begin(); item != entries.end();) {
      const Entry &entry = item->second;
      if (!entry.released || !entry.finished || !entry.placed || endOf(entry) > lastArrival) {
        ++item;
        continue;
      }
      latestEnd = std::max(latestEnd, endOf(entry));
      Slot &slot = places[entry.placed->system].slots[entry.placed->slot];
      if (slot.user == item->first)
        slot = {std::nullopt, endOf(entry)};
      item = entries.erase(item);
    }
  }

  const Timing &timing;
  unsigned systemCount;
  std::vector<System> places;
  std::map<Ticket, Entry> entries;
  std::deque<Ticket> queue; ///< admitted and not placed
  Ticket next = 0;
  Cycle lastArrival = 0, latestEnd = 0;
  mutable Cycle reachedNow = 0;
};

/// Starts at the latest of sequences of these lengths. Everyone who runs then, or waits, takes as long as possible.
/// Waiting is monotone in the lengths of those before, so nobody starts later than this.
FirstComeFirstServed::Starts FirstComeFirstServed::startsOf(Cycle arrival, const std::vector<Cycle> &lengths) const {
  std::vector<SystemView> state;
  for (const System &system : places)
    state.push_back({system.origin, std::vector<SlotView>(system.slots.size())});
  std::vector<const Entry *> later;
  for (const auto &[ticket, entry] : entries) {
    if (startsAfter(entry, arrival)) {
      later.push_back(&entry);
      continue;
    }
    if (entry.finished && endOf(entry) <= arrival)
      continue;
    SystemView &system = state[entry.placed->system];
    system.slots[entry.placed->slot] = {entry.placed->start + longest(entry.work), false};
    system.origin = entry.placed->start;
  }
  // Choices here are between bounds, so all of them count as known; what is certain is told apart by the flag.
  auto choose = [&](Cycle when) {
    std::vector<SystemView> bounds = state;
    for (SystemView &system : bounds)
      for (SlotView &slot : system.slots)
        slot.known = true;
    return Chooser(bounds, timing.frame()).earliest(when).placement;
  };
  auto occupy = [&](const Placement &placement, Cycle length) {
    state[placement.system].slots[placement.slot] = {placement.start + length, false};
    state[placement.system].origin = placement.start;
  };
  Starts out;
  for (const Entry *entry : later) {
    const Placement placement = choose(entry->arrival);
    out.waiting.push_back(placement.start);
    occupy(placement, longest(entry->work));
  }
  for (const Cycle length : lengths) {
    const Placement placement = choose(arrival);
    // Until the end of a frame, a slot of another system may become free.
    const bool soonest = placement.start == arrival || systemCount == 1;
    out.asked.push_back(
        {placement.start, later.empty() && soonest && state[placement.system].slots[placement.slot].known});
    occupy(placement, length);
  }
  return out;
}

} // namespace

std::unique_ptr<Schedule> createSchedule(const Timing &timing, unsigned systems) {
  return std::make_unique<FirstComeFirstServed>(timing, systems);
}

} // namespace lpu::serve
