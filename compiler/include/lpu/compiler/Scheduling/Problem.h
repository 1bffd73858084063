// A scheduling problem: phases of flows with dependences, its bounds, and the
// conditions a solution must meet. Solvers live elsewhere and are checked here.
#pragma once

#include "lpu/compiler/Scheduling/Flow.h"

#include <optional>

namespace lpu::compiler::sched {

struct Dependence {
  int from = 0, to = 0; ///< flow numbers inside the phase
  Cycle distance = 0;   ///< start(to) − start(from) ≥ distance
  /// Least distance because `to` takes a value that `from` makes; the rest of `distance` comes from places being
  /// used again, which more places would avoid. Nothing when no value passes.
  std::optional<Cycle> flow;
};

struct Phase {
  /// Flows from `firstFlow` up to the next part's, all of which may overlap with other parts'.
  struct Part {
    std::string label;
    std::size_t firstFlow = 0;
  };
  std::string label;
  std::vector<FlowShape> flows;
  std::vector<Part> parts; ///< in program order; none: the phase is one
  std::vector<Dependence> dependences;
  /// Derives `dependences` from the flows' accesses in program order.
  void connect();
  /// Tile loads that may run ahead of the phase: the first of each plane.
  std::vector<bool> hoistable() const;
};

struct Bounds {
  Cycle resource = 0; ///< busiest resource
  Cycle criticalPath =
      0;               ///< longest chain of values with unlimited resources: units, streams and places to keep things
  std::string busiest; ///< name of the resource that binds
};

/// Rows that an object has in one bank of one slice.
struct Block {
  int object = 0;
  int queue = 0, bank = 0; ///< queue of the slice
  std::int64_t row = 0, rows = 0;
};

struct Problem {
  std::vector<Phase> phases;
  std::vector<Block> blocks;        ///< of all objects that issues name
  std::vector<std::string> objects; ///< their names
};

/// Bounds of one phase. Hoistable tile loads count for neither, because another phase may pay for them.
Bounds boundPhase(const isa::Machine &machine, const Phase &phase);

/// Longest path from each flow's start to the end of the phase (Boost.Graph): over all dependences (the priority of
/// the list scheduler), or only over those that pass values (the critical path).
enum class Paths { All, Values };
std::vector<Cycle> longestPathToEnd(const Phase &phase, Paths paths);

struct Solution {
  std::vector<std::vector<Placement>> placements; ///< [phase][flow]
  std::vector<Cycle> phaseStart;                  ///< one more entry than phases: the end
  std::string impossible;       ///< label of a flow that no cycle has room for; the rest is then missing
  std::size_t phasesSolved = 0; ///< by search; the others repeat one of those
  /// Largest effect cycle; the step's length is this + superlanes − 1.
  Cycle end() const { return phaseStart.back(); }
};

/// Re-checks a solution from scratch: dependences, phase barriers, double use of
/// queues, stream slots, accumulators, and what places hold. The first fault found, in words, or nothing.
std::optional<std::string> verify(const isa::Machine &machine, const Problem &problem, const Solution &solution);

/// Follows what memory rows and weight buffers hold in the course of a solution. A row is read for the object that
/// was written to it last, so no two live objects are in one row; a weight buffer is loaded between the install of the
/// tile before and its own. The first fault found, in words, or nothing.
std::optional<std::string> verifyContents(const isa::Machine &machine, const Problem &problem,
                                          const Solution &solution);

} // namespace lpu::compiler::sched
