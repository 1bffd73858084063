// List scheduling, phase by phase. Tables are absolute in time, so a hoisted
// tile load of a phase fills gaps the earlier phases left, as soon as its weight
// buffer was emptied by the install before it.

#include "lpu/compiler/Scheduling/ListScheduler.h"

#include "Reservations.h"

#include <algorithm>
#include <map>
#include <queue>

namespace lpu::compiler::sched {

namespace {

class Scheduler {
public:
  Scheduler(const isa::Machine &machine, const Problem &problem) : problem(problem), reservations(machine) {}

  Solution run() {
    Cycle begin = 0;
    for (const Phase &phase : problem.phases) {
      solution.phaseStart.push_back(begin);
      reservations.forgetAccumulatorsBefore(begin);
      solution.placements.push_back(schedule(phase, begin));
      if (!solution.impossible.empty())
        return std::move(solution);
      begin = phaseEnd(phase, solution.placements.back(), begin);
    }
    solution.phaseStart.push_back(begin);
    return std::move(solution);
  }

private:
  std::vector<Placement> schedule(const Phase &phase, Cycle begin) {
    std::size_t count = phase.flows.size();
    std::vector<bool> hoisted = phase.hoistable();
    std::vector<Cycle> priority = longestPathToEnd(phase, Paths::All), ready(count, begin);
    for (std::size_t i = 0; i < count; ++i)
      priority[i] += phase.flows[i].lead;
    std::vector<int> waiting(count, 0);
    std::vector<std::vector<const Dependence *>> out(count);
    for (const Dependence &d : phase.dependences)
      ++waiting[d.to], out[d.from].push_back(&d);

    // Highest priority first; program order among equals keeps results reproducible.
    auto later = [&](int a, int b) { return priority[a] != priority[b] ? priority[a] < priority[b] : a > b; };
    std::priority_queue<int, std::vector<int>, decltype(later)> open(later);
    for (std::size_t i = 0; i < count; ++i) {
      if (hoisted[i])
        ready[i] = earliestLoad(phase.flows[i]);
      if (!waiting[i])
        open.push(static_cast<int>(i));
    }
    std::vector<Placement> placements(count);
    while (!open.empty()) {
      int flow = open.top();
      open.pop();
      auto placed = place(phase.flows[flow], ready[flow]);
      if (!placed) {
        solution.impossible = phase.flows[flow].label;
        return placements;
      }
      placements[flow] = *placed;
      for (const Dependence *d : out[flow]) {
        ready[d->to] = std::max(ready[d->to], placements[flow].start + d->distance);
        if (--waiting[d->to] == 0)
          open.push(d->to);
      }
    }
    noteInstalls(phase, placements);
    return placements;
  }

  /// Nothing: the flow does not even fit behind everything else, because it asks for too much at once.
  std::optional<Placement> place(const FlowShape &flow, Cycle earliest) {
    // Streams are reserved by slots, which lie up to their length before and behind the issues.
    Cycle start = std::max<Cycle>(earliest, 0), last = std::max(start, busyUntil + flow.end + kAfterglow);
    for (; start <= last; ++start)
      if (auto placement = reservations.tryPlace(flow, start)) {
        busyUntil = std::max(busyUntil, start + flow.end);
        return placement;
      }
    return std::nullopt;
  }

  /// A load may write a weight buffer from the cycle after the last install of its plane (or planes).
  Cycle earliestLoad(const FlowShape &load) const {
    Cycle earliest = 0;
    for (const Access &access : load.accesses)
      if (access.kind == Access::Kind::WeightBuffer)
        if (auto install = lastInstall.find(access.where); install != lastInstall.end())
          earliest = std::max(earliest, install->second + 1 - access.first);
    return earliest;
  }

  void noteInstalls(const Phase &phase, const std::vector<Placement> &placements) {
    for (std::size_t i = 0; i < phase.flows.size(); ++i)
      for (const Access &access : phase.flows[i].accesses)
        if (access.kind == Access::Kind::Array && access.write)
          lastInstall[access.where] = std::max(lastInstall[access.where], placements[i].start + access.first);
  }

  static Cycle phaseEnd(const Phase &phase, const std::vector<Placement> &placements, Cycle begin) {
    Cycle end = begin;
    for (std::size_t i = 0; i < placements.size(); ++i)
      end = std::max(end, placements[i].start + phase.flows[i].end);
    return end;
  }

  const Problem &problem;
  Reservations reservations;
  Solution solution;
  static constexpr Cycle kAfterglow = 256; ///< more than four times the positions of any machine
  Cycle busyUntil = 0;                     ///< end of all flows placed so far
  std::map<int, Cycle> lastInstall;        ///< per plane
};

} // namespace

Solution scheduleList(const isa::Machine &machine, const Problem &problem) { return Scheduler(machine, problem).run(); }

} // namespace lpu::compiler::sched
