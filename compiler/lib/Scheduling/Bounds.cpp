// Lower bounds of a phase, read from its flows and dependences and never from a
// schedule. Within a phase every slot used by a flow that may not be hoisted
// lies between the phase's barriers, so the use of the busiest resource and the
// longest chain are both unavoidable.

#include "lpu/compiler/Scheduling/Problem.h"

#include <boost/graph/adjacency_list.hpp>
#include <boost/graph/topological_sort.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>

namespace lpu::compiler::sched {

namespace {

using Graph = boost::adjacency_list<boost::vecS, boost::vecS, boost::directedS, boost::no_property,
                                    boost::property<boost::edge_weight_t, Cycle>>;

/// Dispatches of every queue: of words that have a first half or are whole, of those that have a second half or are
/// whole, and of halves at either bank.
using QueueUse = std::vector<std::array<double, 4>>;

void addFlow(const isa::Machine &machine, const FlowShape &flow, QueueUse &queues, std::map<int, Cycle> &links,
             double &alus, std::vector<double> &cuts) {
  for (const Issue &issue : flow.issues) {
    // The first send waits for nothing, each other one for the interval, and the last vector has to arrive.
    if (issue.instruction.opcode == isa::Opcode::Send)
      links[issue.queue] += links.count(issue.queue) ? machine.c2cVectorInterval : machine.latency.C2cSend;
    // A windowed issue repeats the words before it too, which were counted once already.
    double copies = issue.window == 1 ? issue.count : 1 + (issue.count - 1.0) * issue.window;
    if (issue.queue < 0) {
      alus += copies;
      continue;
    }
    for (Half half : {Half::First, Half::Second})
      queues[issue.queue][half == Half::Second] += issue.half == Half::Whole || issue.half == half ? copies : 0;
    if (std::optional<int> bank = bankOf(issue))
      queues[issue.queue][2 + *bank] += copies;
  }
  int positions = 2 * machine.maxPosition() + 1;
  for (const Segment &segment : flow.segments)
    for (int p = segment.low; p <= segment.high; ++p)
      cuts[static_cast<int>(flow.groups[segment.group].direction) * positions + p + machine.maxPosition()] +=
          segment.count;
}

} // namespace

std::vector<Cycle> longestPathToEnd(const Phase &phase, Paths paths) {
  Graph graph(phase.flows.size());
  for (const Dependence &d : phase.dependences)
    if (paths == Paths::All)
      boost::add_edge(d.from, d.to, d.distance, graph);
    else if (d.flow)
      boost::add_edge(d.from, d.to, *d.flow, graph);
  std::vector<std::size_t> order; // reverse topological: sinks first
  boost::topological_sort(graph, std::back_inserter(order));
  auto weight = boost::get(boost::edge_weight, graph);
  std::vector<Cycle> toEnd(phase.flows.size());
  for (std::size_t flow : order) {
    toEnd[flow] = phase.flows[flow].end;
    for (auto [e, last] = boost::out_edges(flow, graph); e != last; ++e)
      toEnd[flow] = std::max(toEnd[flow], weight[*e] + toEnd[boost::target(*e, graph)]);
  }
  return toEnd;
}

Bounds boundPhase(const isa::Machine &machine, const Phase &phase) {
  std::vector<bool> hoisted = phase.hoistable();
  QueueUse queues(isa::queueCount(machine));
  std::vector<double> cuts(2 * (2 * machine.maxPosition() + 1), 0.0);
  std::map<int, Cycle> links; ///< cycles that sends keep a link's queue busy
  double alus = 0;
  for (std::size_t i = 0; i < phase.flows.size(); ++i)
    if (!hoisted[i])
      addFlow(machine, phase.flows[i], queues, links, alus, cuts);
  Bounds bounds;
  auto consider = [&](double cycles, const std::string &name) {
    if (Cycle whole = static_cast<Cycle>(std::ceil(cycles)); whole > bounds.resource)
      bounds.resource = whole, bounds.busiest = name;
  };
  for (std::size_t q = 0; q < queues.size(); ++q)
    consider(*std::max_element(queues[q].begin(), queues[q].end()),
             isa::queueName(isa::queueAt(machine, static_cast<int>(q))));
  for (auto [queue, cycles] : links)
    consider(static_cast<double>(cycles), isa::queueName(isa::queueAt(machine, queue)));
  consider(alus / machine.vxmAlus, "vxm");
  for (double cut : cuts)
    consider(cut / machine.streamsPerDirection, "streams");

  // Hoistable loads have no predecessor in the phase, so ignoring them means starting from the others.
  // A negative distance may let a flow start before its predecessor, never before the phase: every
  // non-hoisted flow starts at 0 or later, so its own path to the end counts.
  std::vector<Cycle> toEnd = longestPathToEnd(phase, Paths::Values);
  for (std::size_t i = 0; i < phase.flows.size(); ++i)
    if (!hoisted[i])
      bounds.criticalPath = std::max(bounds.criticalPath, toEnd[i]);
  return bounds;
}

} // namespace lpu::compiler::sched
