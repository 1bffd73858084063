// Phases are compared in full; a hash only says which are worth it.

#include "PhaseClasses.h"

#include <algorithm>
#include <map>

namespace lpu::compiler::sched {

namespace {

/// Of accesses a scheduler looks at those of weight buffers and arrays alone: dependences hold what the others mean.
bool isSeen(const Access &access) {
  return access.kind == Access::Kind::WeightBuffer || access.kind == Access::Kind::Array;
}

bool same(const StreamGroup &a, const StreamGroup &b) { return a.direction == b.direction && a.width == b.width; }
bool same(const Segment &a, const Segment &b) {
  return a.group == b.group && a.byte == b.byte && a.low == b.low && a.high == b.high && a.tau == b.tau &&
         a.count == b.count;
}
bool same(const AluUse &a, const AluUse &b) { return a.accFrom == b.accFrom && a.accTo == b.accTo; }
bool same(const Access &a, const Access &b) {
  return a.kind == b.kind && a.where == b.where && a.write == b.write && a.first == b.first && a.last == b.last;
}
bool same(const Dependence &a, const Dependence &b) {
  return a.from == b.from && a.to == b.to && a.distance == b.distance;
}

class Comparison {
public:
  explicit Comparison(const isa::Machine &machine) : machine(machine) {}

  bool same(const Phase &a, const Phase &b) const {
    return equal(a.flows, b.flows, [&](const FlowShape &x, const FlowShape &y) { return sameFlow(x, y); }) &&
           equal(a.dependences, b.dependences,
                 [](const Dependence &x, const Dependence &y) { return sched::same(x, y); });
  }

  std::uint64_t hash(const Phase &phase) const {
    std::uint64_t state = 1469598103934665603u;
    auto add = [&](std::int64_t value) { state = (state ^ static_cast<std::uint64_t>(value)) * 1099511628211u; };
    add(static_cast<std::int64_t>(phase.flows.size()));
    for (const FlowShape &flow : phase.flows) {
      add(flow.end), add(flow.lead), add(static_cast<std::int64_t>(flow.issues.size()));
      for (const Issue &issue : flow.issues)
        add(issue.queue), add(issue.at), add(issue.count), add(bankOf(issue).value_or(2));
    }
    for (const Dependence &d : phase.dependences)
      add(d.from), add(d.to), add(d.distance);
    return state;
  }

private:
  template <typename T, typename Same>
  static bool equal(const std::vector<T> &a, const std::vector<T> &b, Same sameElement) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end(), sameElement);
  }

  bool sameIssue(const Issue &a, const Issue &b) const {
    return a.queue == b.queue && a.alu == b.alu && a.at == b.at && a.count == b.count && a.window == b.window &&
           a.half == b.half && a.instruction.opcode == b.instruction.opcode && bankOf(a) == bankOf(b) &&
           effectLatency(machine, a.instruction) == effectLatency(machine, b.instruction);
  }

  static bool sameSeen(const std::vector<Access> &a, const std::vector<Access> &b) {
    std::vector<Access> left, right;
    std::copy_if(a.begin(), a.end(), std::back_inserter(left), isSeen);
    std::copy_if(b.begin(), b.end(), std::back_inserter(right), isSeen);
    return equal(left, right, [](const Access &x, const Access &y) { return sched::same(x, y); });
  }

  bool sameFlow(const FlowShape &a, const FlowShape &b) const {
    auto sameOf = [](const auto &x, const auto &y) { return sched::same(x, y); };
    return a.tileLoad == b.tileLoad && a.lead == b.lead && a.end == b.end && equal(a.groups, b.groups, sameOf) &&
           equal(a.segments, b.segments, sameOf) && equal(a.alus, b.alus, sameOf) &&
           equal(a.issues, b.issues, [&](const Issue &x, const Issue &y) { return sameIssue(x, y); }) &&
           sameSeen(a.accesses, b.accesses);
  }

  const isa::Machine &machine;
};

} // namespace

std::vector<int> classesOf(const isa::Machine &machine, const std::vector<Phase> &phases) {
  Comparison comparison(machine);
  std::vector<int> classes, first; ///< of each phase; the first phase of each class
  std::multimap<std::uint64_t, int> byHash;
  for (const Phase &phase : phases) {
    std::uint64_t hash = comparison.hash(phase);
    auto [begin, end] = byHash.equal_range(hash);
    auto known = std::find_if(begin, end, [&](const auto &entry) {
      return comparison.same(phase, phases[static_cast<std::size_t>(first[static_cast<std::size_t>(entry.second)])]);
    });
    if (known == end) {
      known = byHash.emplace(hash, static_cast<int>(first.size()));
      first.push_back(static_cast<int>(classes.size()));
    }
    classes.push_back(known->second);
  }
  return classes;
}

} // namespace lpu::compiler::sched
