// List scheduling, phase by phase. Tables are absolute in time, so a hoisted tile load of a phase fills gaps the
// earlier phases left, as soon as its weight buffer was emptied by the install before it.
//
// A phase that the scheduler cannot tell from an earlier one, behind phases that were placed alike as far back as any
// of its flows may reach, gets the earlier one's placements: they are what a search would find. What such a phase takes
// is entered in the tables when a later phase is searched that may reach so far back.

#include "lpu/compiler/Scheduling/ListScheduler.h"

#include "PhaseClasses.h"
#include "Reservations.h"

#include <algorithm>
#include <map>
#include <queue>

namespace lpu::compiler::sched {

namespace {

/// More than four times the positions of machines of tsp1's size: streams are reserved by slots, which lie up to their
/// length before and behind the issues.
constexpr Cycle kAfterglow = 256;

class Scheduler {
public:
  Scheduler(const isa::Machine &machine, const Problem &problem, Repetitions repetitions)
      : problem(problem), repetitions(repetitions), reservations(machine), classes(classesOf(machine, problem.phases)),
        margin(std::max<Cycle>(kAfterglow, Cycle{8} * machine.maxPosition())) {}

  Solution run() {
    Cycle begin = 0;
    for (std::size_t p = 0; p < problem.phases.size(); ++p) {
      const Phase &phase = problem.phases[p];
      solution.phaseStart.push_back(begin);
      past.push_back({});
      past.back().reach = reachOf(phase, begin);
      if (const std::size_t *like = earlierLike(p)) {
        repeat(p, *like);
      } else {
        enterWhatReaches(p);
        reservations.forgetAccumulatorsBefore(begin);
        solution.placements.push_back(schedule(phase, begin));
        if (!solution.impossible.empty())
          return std::move(solution);
        noteSolved(p);
      }
      noteInstalls(phase, solution.placements.back());
      begin = phaseEnd(phase, solution.placements.back(), begin);
    }
    solution.phaseStart.push_back(begin);
    return std::move(solution);
  }

private:
  /// What the search of a phase depends on beside the phase, all relative to its begin.
  struct Reach {
    std::vector<Cycle> loads; ///< from when on each load that may run ahead has its turn
    Cycle earliest = 0;       ///< nothing before is looked at
    bool operator==(const Reach &) const = default;
  };
  struct Past {
    Reach reach;
    int kind = 0;         ///< phases of one kind are of one class and were placed alike
    bool entered = false; ///< its placements are in the tables
  };

  Reach reachOf(const Phase &phase, Cycle begin) const {
    Reach reach;
    std::vector<bool> hoisted = phase.hoistable();
    for (std::size_t i = 0; i < hoisted.size(); ++i)
      if (hoisted[i]) {
        reach.loads.push_back(std::max<Cycle>(earliestLoad(phase.flows[i]), 0) - begin);
        reach.earliest = std::min(reach.earliest, reach.loads.back());
      }
    reach.earliest -= margin;
    return reach;
  }

  /// Whether all that phase q takes lies before what phase p looks at.
  bool isOutOfReach(std::size_t q, std::size_t p) const {
    return solution.phaseStart[q + 1] + margin < solution.phaseStart[p] + past[p].reach.earliest;
  }

  /// Whether the search of phase p would find what that of phase r did.
  bool searchesAlike(std::size_t p, std::size_t r) const {
    if (past[p].reach != past[r].reach)
      return false;
    for (std::size_t back = 1;; ++back) {
      bool endP = back > p || isOutOfReach(p - back, p), endR = back > r || isOutOfReach(r - back, r);
      if (endP || endR)
        return endP == endR;
      if (past[p - back].kind != past[r - back].kind || solution.phaseStart[p] - solution.phaseStart[p - back] !=
                                                            solution.phaseStart[r] - solution.phaseStart[r - back])
        return false;
    }
  }

  /// An earlier phase whose placements, moved, are those of phase p; null if there is none.
  const std::size_t *earlierLike(std::size_t p) {
    for (const std::size_t &r : solved[classes[p]])
      if (repetitions == Repetitions::Reuse && searchesAlike(p, r))
        return &r;
    return nullptr;
  }

  void repeat(std::size_t p, std::size_t like) {
    std::vector<Placement> placements = solution.placements[like];
    for (Placement &placement : placements)
      placement.start += solution.phaseStart[p] - solution.phaseStart[like];
    solution.placements.push_back(std::move(placements));
    past[p].kind = past[like].kind;
  }

  /// Gives a phase that was searched its kind: that of one of its class that came out alike, or one of its own.
  void noteSolved(std::size_t p) {
    ++solution.phasesSolved;
    past[p].entered = true;
    auto &alike = solved[classes[p]];
    auto known = std::find_if(alike.begin(), alike.end(), [&](std::size_t r) { return placedAlike(p, r); });
    past[p].kind = known == alike.end() ? static_cast<int>(p) : past[*known].kind;
    alike.push_back(p);
  }

  bool placedAlike(std::size_t p, std::size_t r) const {
    Cycle later = solution.phaseStart[p] - solution.phaseStart[r];
    const auto &a = solution.placements[p], &b = solution.placements[r];
    return std::equal(a.begin(), a.end(), b.begin(), b.end(), [&](const Placement &x, const Placement &y) {
      return x.start == y.start + later && x.streams == y.streams && x.alus == y.alus;
    });
  }

  void enterWhatReaches(std::size_t p) {
    for (std::size_t q = p; q-- > 0 && !isOutOfReach(q, p);) {
      if (past[q].entered)
        continue;
      for (std::size_t f = 0; f < problem.phases[q].flows.size(); ++f)
        reservations.enter(problem.phases[q].flows[f], solution.placements[q][f]);
      past[q].entered = true;
    }
  }

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
    busyUntil = begin;
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
    return placements;
  }

  /// Nothing: the flow does not even fit behind everything else, because it asks for too much at once.
  std::optional<Placement> place(const FlowShape &flow, Cycle earliest) {
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
  Repetitions repetitions;
  Reservations reservations;
  std::vector<int> classes;                       ///< of phases
  Cycle margin;                                   ///< by which slots may lie before or behind what takes them
  std::map<int, std::vector<std::size_t>> solved; ///< by class, the phases that were searched
  std::vector<Past> past;                         ///< of each phase so far
  Solution solution;
  Cycle busyUntil = 0;              ///< end of all flows placed so far
  std::map<int, Cycle> lastInstall; ///< per plane
};

} // namespace

Solution scheduleList(const isa::Machine &machine, const Problem &problem, Repetitions repetitions) {
  return Scheduler(machine, problem, repetitions).run();
}

} // namespace lpu::compiler::sched
