// Verifies a solution without the scheduler's tables: every issue and stream
// slot is expanded, sorted and checked for double use.

#include "lpu/compiler/Scheduling/Problem.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <tuple>

namespace lpu::compiler::sched {

namespace {

using Fault = std::optional<std::string>;

class Verifier {
public:
  Verifier(const isa::Machine &machine, const Problem &problem, const Solution &solution)
      : machine(machine), problem(problem), solution(solution) {}

  Fault run() {
    for (std::size_t p = 0; p < problem.phases.size(); ++p) {
      if (Fault fault = checkPhase(p))
        return fault;
      for (std::size_t f = 0; f < problem.phases[p].flows.size(); ++f)
        expand(problem.phases[p].flows[f], solution.placements[p][f]);
    }
    if (Fault fault = checkIssues())
      return fault;
    if (Fault fault = checkSlots())
      return fault;
    return verifyContents(machine, problem, solution);
  }

private:
  struct Slot {
    int stream;
    Cycle tau;
    int low, high;
    const std::string *label;
    auto key() const { return std::tuple(stream, tau, low); }
  };
  struct Span {
    int queue;
    Cycle from, to;
    const std::string *label;
    auto key() const { return std::tuple(queue, from); }
  };

  Fault checkPhase(std::size_t p) const {
    const Phase &phase = problem.phases[p];
    const auto &placed = solution.placements[p];
    for (const Dependence &d : phase.dependences)
      if (placed[d.to].start < placed[d.from].start + d.distance)
        return fmt::format("phase '{}': flow {} starts at {} but depends on flow {}: {} + {} = {}", phase.label, d.to,
                           placed[d.to].start, d.from, placed[d.from].start, d.distance,
                           placed[d.from].start + d.distance);
    std::vector<bool> hoisted = phase.hoistable();
    for (std::size_t f = 0; f < placed.size(); ++f) {
      if (!hoisted[f] && placed[f].start < solution.phaseStart[p])
        return fmt::format("phase '{}': flow {} starts at {}, before the phase at {}", phase.label, f, placed[f].start,
                           solution.phaseStart[p]);
      if (placed[f].start + phase.flows[f].end > solution.phaseStart[p + 1])
        return fmt::format("phase '{}': flow {} ends at {}, after the phase at {}", phase.label, f,
                           placed[f].start + phase.flows[f].end, solution.phaseStart[p + 1]);
    }
    return std::nullopt;
  }

  void expand(const FlowShape &flow, const Placement &placement) {
    int vxm = isa::queueNumber(machine, {isa::UnitKind::Vxm, isa::Side::East, 0});
    for (const Issue &issue : flow.issues) {
      int queue = issue.queue >= 0 ? issue.queue : vxm + placement.alus[issue.alu];
      Cycle from = placement.start + issue.at;
      if (issue.half != Half::Second)
        issues.push_back({queue, from, from + lastCopy(issue), &flow.label});
      if (issue.half != Half::First)
        seconds.push_back({queue, from, from + lastCopy(issue), &flow.label});
      if (std::optional<int> bank = bankOf(issue))
        banks.push_back({2 * queue + *bank, from, from + lastCopy(issue), &flow.label});
      if (issue.instruction.opcode == isa::Opcode::Send)
        sends.push_back({queue, from, from + machine.c2cVectorInterval - 1, &flow.label});
      if (issue.alu >= 0) {
        Cycle visible = from + effectLatency(machine, issue.instruction);
        results.push_back({placement.alus[issue.alu], visible, visible + lastCopy(issue), &flow.label});
      }
    }
    for (std::size_t a = 0; a < flow.alus.size(); ++a)
      if (flow.alus[a].accTo >= flow.alus[a].accFrom)
        accumulators.push_back({placement.alus[a], placement.start + flow.alus[a].accFrom,
                                placement.start + flow.alus[a].accTo, &flow.label});
    for (const Segment &s : flow.segments)
      for (int i = 0; i < s.count; ++i)
        slots.push_back({static_cast<int>(flow.groups[s.group].direction) * machine.streamsPerDirection +
                             placement.streams[s.group] + s.byte,
                         placement.start + s.tau + i, s.low, s.high, &flow.label});
  }

  static Fault overlap(std::vector<Span> &spans, const char *what) {
    std::sort(spans.begin(), spans.end(), [](const Span &a, const Span &b) { return a.key() < b.key(); });
    for (std::size_t i = 1; i < spans.size(); ++i)
      if (spans[i].queue == spans[i - 1].queue && spans[i].from <= spans[i - 1].to)
        return fmt::format("{} {} used twice at {}: '{}' until {} and '{}'", what, spans[i].queue, spans[i].from,
                           *spans[i - 1].label, spans[i - 1].to, *spans[i].label);
    return std::nullopt;
  }

  Fault checkIssues() {
    for (std::vector<Span> *halves : {&issues, &seconds})
      if (Fault fault = overlap(*halves, "queue"))
        return fault;
    if (Fault fault = overlap(banks, "bank (twice the queue, plus its number)"))
      return fault;
    if (Fault fault = overlap(sends, "link of queue"))
      return fault;
    if (Fault fault = overlap(results, "result of ALU"))
      return fault;
    return overlap(accumulators, "accumulator of ALU");
  }

  Fault checkSlots() {
    std::sort(slots.begin(), slots.end(), [](const Slot &a, const Slot &b) { return a.key() < b.key(); });
    for (std::size_t i = 1; i < slots.size(); ++i) {
      const Slot &a = slots[i - 1], &b = slots[i];
      if (a.stream == b.stream && a.tau == b.tau && b.low <= a.high)
        return fmt::format("stream {} slot {} used twice at position {}: '{}' and '{}'", a.stream, a.tau, b.low,
                           *a.label, *b.label);
    }
    return std::nullopt;
  }

  const isa::Machine &machine;
  const Problem &problem;
  const Solution &solution;
  std::vector<Span> issues, seconds, banks, sends, results, accumulators; // a whole word is in both of the first two
  std::vector<Slot> slots;
};

} // namespace

Fault verify(const isa::Machine &machine, const Problem &problem, const Solution &solution) {
  return Verifier(machine, problem, solution).run();
}

} // namespace lpu::compiler::sched
