// Lengths are those of Timing, and so is the time to load; systems come and go, which a Schedule's do not.
#include "Autoscale.h"

#include <algorithm>
#include <deque>

namespace lpu::serve {
namespace {

struct Given {
  Cycle start = 0, end = 0;
  Cycle longest = 0; ///< that it may take
};

/// One system while it is up.
struct Up {
  Cycle since = 0;           ///< its loading began
  Cycle free = 0;            ///< when it is loaded, and its last request has ended
  std::deque<Given> given{}; ///< requests that had not ended at the last look
};

class Fleet {
public:
  explicit Fleet(const Timing &timing) : timing(timing) {}

  /// Serves a request on a system; `open`: not before then.
  Served serve(Up &system, const Arrival &request, Cycle arrival) {
    const Work &work = request.work;
    Served served{
        .arrival = arrival, .prompt = work.prompt, .tokens = request.tokens ? request.tokens : work.maxTokens};
    served.start = std::max(arrival, system.free);
    served.first = served.start + timing.tokenEnd(work.prompt, 0);
    served.end = served.start + timing.tokenEnd(work.prompt, served.tokens - 1);
    system.free = served.end;
    system.given.push_back({served.start, served.end, timing.tokenEnd(work.prompt, work.maxTokens - 1)});
    return served;
  }

  void giveUp(const Up &system, Cycle at) { cycles += at - system.since; }
  double chipSeconds() const {
    constexpr double kNsPerSecond = 1e9;
    return static_cast<double>(timing.clock().nanoseconds(cycles)) / kNsPerSecond * timing.chips();
  }

private:
  const Timing &timing;
  Cycle cycles = 0;
};

/// When it is free at the latest, from what has happened by then: who runs or waits may take as long as it can.
Cycle freeBy(Up &system, Cycle at) {
  while (!system.given.empty() && system.given.front().end <= at)
    system.given.pop_front();
  if (system.given.empty())
    return std::max(system.free, at);
  Cycle free = system.given.front().start; // nobody is before it any more
  for (const Given &one : system.given)
    free += one.longest;
  return free;
}

} // namespace

Scaled scaleReactively(const Timing &timing, const std::vector<Arrival> &arrivals, unsigned most) {
  const Cycle reload = timing.reloadCycles();
  Scaled out;
  Fleet fleet(timing);
  std::vector<Up> systems;
  for (const Arrival &request : arrivals) {
    const Cycle arrival = timing.clock().cycles(request.ns);
    std::erase_if(systems, [&](const Up &system) {
      const bool idle = system.free + reload < arrival;
      if (idle)
        fleet.giveUp(system, system.free + reload);
      return idle;
    });
    auto best = std::ranges::min_element(systems, {}, [&](Up &system) { return freeBy(system, arrival); });
    const bool sooner = best == systems.end() || freeBy(*best, arrival) > arrival + reload;
    if (sooner && systems.size() < most) {
      systems.push_back({arrival, arrival + reload});
      best = systems.end() - 1;
      ++out.loads;
    }
    out.requests.push_back(fleet.serve(*best, request, arrival));
    out.mostSystems = std::max(out.mostSystems, static_cast<unsigned>(systems.size()));
  }
  for (const Up &system : systems)
    fleet.giveUp(system, system.free + reload);
  out.chipSeconds = fleet.chipSeconds();
  return out;
}

Scaled scaleByOracle(const Timing &timing, const std::vector<Arrival> &arrivals) {
  const Cycle reload = timing.reloadCycles();
  Scaled out;
  Fleet fleet(timing);
  std::vector<Up> systems;
  for (const Arrival &request : arrivals) {
    const Cycle arrival = timing.clock().cycles(request.ns);
    // The one that was used last: others come to gaps that are long enough to be given up.
    auto best = systems.end();
    for (auto system = systems.begin(); system != systems.end(); ++system)
      if (system->free <= arrival && (best == systems.end() || system->free > best->free))
        best = system;
    if (best != systems.end() && arrival - best->free > reload) {
      fleet.giveUp(*best, best->free);
      systems.erase(best);
      best = systems.end();
    }
    if (best == systems.end()) {
      systems.push_back({arrival - reload, arrival});
      best = systems.end() - 1;
      ++out.loads;
    }
    out.requests.push_back(fleet.serve(*best, request, arrival));
    const auto up = std::ranges::count_if(systems, [&](const Up &system) { return system.free > arrival; });
    out.mostSystems = std::max(out.mostSystems, static_cast<unsigned>(up));
  }
  for (const Up &system : systems)
    fleet.giveUp(system, system.free);
  out.chipSeconds = fleet.chipSeconds();
  return out;
}

} // namespace lpu::serve
