// Two schedules side by side: systems that are reserved, and those that are shared.
#include "lpu/serve/Schedule.h"

#include <algorithm>
#include <array>
#include <optional>

namespace lpu::serve {
namespace {

class TieredSchedule final : public Schedule {
public:
  TieredSchedule(const Timing &timing, unsigned systems, unsigned reserved)
      : timing(timing), reservedSystems(reserved) {
    parts[kReserved].schedule = createSchedule(timing, reserved);
    parts[kShared].schedule = createSchedule(timing, systems - reserved);
  }
  TieredSchedule(const TieredSchedule &other)
      : timing(other.timing), reservedSystems(other.reservedSystems), reachedNow(other.reachedNow) {
    for (std::size_t i = 0; i < parts.size(); ++i)
      parts[i] = {other.parts[i].schedule->clone(), other.parts[i].active};
  }

  Ticket admit(Cycle arrival, const Work &work) override {
    lastArrival = std::max(lastArrival, arrival);
    const std::size_t part = partFor(arrival, work);
    ++parts[part].active;
    return parts[part].schedule->admit(arrival, work) * parts.size() + part;
  }
  void progress(Ticket ticket, std::uint64_t steps) override { of(ticket).progress(inner(ticket), steps); }
  void finish(Ticket ticket, std::uint64_t steps) override {
    of(ticket).finish(inner(ticket), steps);
    --parts[ticket % parts.size()].active;
  }
  void cancel(Ticket ticket, std::uint64_t steps) override {
    of(ticket).cancel(inner(ticket), steps);
    --parts[ticket % parts.size()].active;
  }
  void release(Ticket ticket) override { of(ticket).release(inner(ticket)); }

  std::optional<Placement> placement(Ticket ticket) const override {
    auto found = of(ticket).placement(inner(ticket));
    if (found && ticket % parts.size() == kShared)
      found->system += reservedSystems;
    return found;
  }
  Cycle stepEnd(Ticket ticket, std::uint64_t step) const override { return of(ticket).stepEnd(inner(ticket), step); }
  Cycle tokenEnd(Ticket ticket, std::uint64_t index) const override {
    return of(ticket).tokenEnd(inner(ticket), index);
  }

  StartBound bound(Cycle arrival) const override { return parts[kShared].schedule->bound(arrival); }

  std::vector<StartBound> bounds(Cycle arrival, std::span<const Work> works) const override {
    if (std::ranges::none_of(works, [](const Work &work) { return work.tier == Tier::Reserved; }))
      return parts[kShared].schedule->bounds(arrival, works);
    std::vector<StartBound> out;
    TieredSchedule imagined(*this);
    for (const Work &work : works) {
      const std::size_t part = imagined.partFor(arrival, work);
      out.push_back(imagined.parts[part].schedule->bounds(arrival, {&work, 1}).front());
      imagined.parts[part].schedule->admit(arrival, work);
    }
    return out;
  }

  /// Of the reserved tier by sequences that take as long as any may.
  Cycle freeBy(Cycle arrival, unsigned count, Tier tier) const override {
    if (tier != Tier::Reserved)
      return parts[kShared].schedule->freeBy(arrival, count, tier);
    const Work longest = timing.isEncoder() ? Work{timing.context(), 1, tier} : Work{1, timing.context(), tier};
    return bounds(arrival, std::vector<Work>(count, longest)).back().start;
  }

  std::vector<Cycle> waitingStarts(Cycle at) const override {
    std::vector<Cycle> starts = parts[kReserved].schedule->waitingStarts(at);
    const std::vector<Cycle> shared = parts[kShared].schedule->waitingStarts(at);
    starts.insert(starts.end(), shared.begin(), shared.end());
    std::ranges::sort(starts);
    return starts;
  }
  std::size_t waiting(Cycle at) const override {
    return parts[kReserved].schedule->waiting(at) + parts[kShared].schedule->waiting(at);
  }
  std::size_t running(Cycle at) const override {
    return parts[kReserved].schedule->running(at) + parts[kShared].schedule->running(at);
  }

  /// What is slower holds back the others, as long as it is at work.
  Cycle now() const override {
    std::optional<Cycle> least;
    Cycle most = 0;
    for (const Part &part : parts) {
      const Cycle own = part.schedule->now();
      most = std::max(most, own);
      if (part.active > 0)
        least = std::min(least.value_or(own), own);
    }
    return reachedNow = std::max({reachedNow, lastArrival, least.value_or(most)});
  }

  std::optional<Cycle> certainUntil() const override {
    std::optional<Cycle> least;
    for (const Part &part : parts)
      if (const auto own = part.schedule->certainUntil())
        least = std::min(least.value_or(*own), *own);
    return least;
  }

  unsigned systems() const override {
    return parts[kReserved].schedule->systems() + parts[kShared].schedule->systems();
  }
  unsigned slots(Tier tier) const override {
    const unsigned shared = parts[kShared].schedule->slots(tier);
    return tier == Tier::Reserved ? shared + parts[kReserved].schedule->slots(tier) : shared;
  }
  std::unique_ptr<Schedule> clone() const override { return std::make_unique<TieredSchedule>(*this); }

private:
  static constexpr std::size_t kReserved = 0, kShared = 1;
  struct Part {
    std::unique_ptr<Schedule> schedule;
    std::size_t active = 0; ///< sequences that have not ended
  };

  Schedule &of(Ticket ticket) { return *parts[ticket % parts.size()].schedule; }
  const Schedule &of(Ticket ticket) const { return *parts[ticket % parts.size()].schedule; }
  Ticket inner(Ticket ticket) const { return ticket / parts.size(); }

  /// Reserved work goes where it starts first by bounds, and stays there.
  std::size_t partFor(Cycle arrival, const Work &work) const {
    if (work.tier != Tier::Reserved)
      return kShared;
    const auto start = [&](std::size_t part) {
      return parts[part].schedule->bounds(arrival, {&work, 1}).front().start;
    };
    return start(kShared) < start(kReserved) ? kShared : kReserved;
  }

  const Timing &timing;
  unsigned reservedSystems;
  std::array<Part, 2> parts;
  Cycle lastArrival = 0;
  mutable Cycle reachedNow = 0;
};

} // namespace

std::unique_ptr<Schedule> createTieredSchedule(const Timing &timing, unsigned systems, unsigned reserved) {
  if (reserved == 0)
    return createSchedule(timing, systems);
  return std::make_unique<TieredSchedule>(timing, systems, reserved);
}

} // namespace lpu::serve
