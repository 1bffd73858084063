// Dependences between the flows of a phase, from what they access in program
// order: a read waits for the writes before it, a write for reads and writes
// before it, on overlapping rows.

#include "lpu/compiler/Scheduling/Problem.h"

#include <map>
#include <set>
#include <tuple>

namespace lpu::compiler::sched {

namespace {

struct Past {
  int flow;
  const Access *access;
};

bool overlap(const Access &a, const Access &b) { return a.low <= b.high && b.low <= a.high; }
bool covers(const Access &outer, const Access &inner) { return outer.low <= inner.low && inner.high <= outer.high; }

/// Cycles between the starts of two flows that keep `later` behind `earlier`.
Cycle distance(const Access &earlier, const Access &later) {
  Cycle gap = earlier.write && !later.write ? earlier.visible : 1;
  return earlier.last + gap - later.first;
}

} // namespace

void Phase::connect() {
  dependences.clear();
  std::map<std::pair<Access::Kind, int>, std::vector<Past>> history;
  std::map<std::pair<int, int>, Dependence> found;
  for (int flow = 0; flow < static_cast<int>(flows.size()); ++flow) {
    for (const Access &access : flows[flow].accesses) {
      for (const Past &past : history[{access.kind, access.where}]) {
        if (past.flow == flow || !(past.access->write || access.write) || !overlap(*past.access, access))
          continue;
        Cycle d = distance(*past.access, access);
        Dependence &entry =
            found.try_emplace({past.flow, flow}, Dependence{past.flow, flow, d, std::nullopt}).first->second;
        entry.distance = std::max(entry.distance, d);
        if (past.access->write && !access.write &&
            access.kind != Access::Kind::SharedRow) // its value is another object's
          entry.flow = std::max(entry.flow.value_or(d), d);
      }
    }
    for (const Access &access : flows[flow].accesses) {
      auto &past = history[{access.kind, access.where}];
      // A write hides everything it covers: later accesses are ordered behind it, and it behind those.
      if (access.write)
        std::erase_if(past, [&](const Past &p) { return p.flow != flow && covers(access, *p.access); });
      past.push_back({flow, &access});
    }
  }
  for (const auto &[pair, dependence] : found)
    dependences.push_back(dependence);
}

std::vector<bool> Phase::hoistable() const {
  std::vector<bool> result(flows.size(), false);
  std::set<int> seen;
  for (std::size_t i = 0; i < flows.size(); ++i) {
    bool first = flows[i].tileLoad;
    for (const Access &access : flows[i].accesses)
      if (access.kind == Access::Kind::WeightBuffer)
        first &= seen.insert(access.where).second;
    result[i] = first;
  }
  return result;
}

} // namespace lpu::compiler::sched
