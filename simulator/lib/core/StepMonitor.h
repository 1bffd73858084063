// What is known about the step that is running on a chip: how far it got, how
// much it dispatched, its first hazard. Units and queues report here.
#pragma once

#include "Faults.h"
#include "OpCounts.h"
#include "Trace.h"
#include "Unit.h"

namespace lpu::sim {

class StepMonitor {
public:
  /// `trace`: this chip's tracks; null: none.
  StepMonitor(const isa::Machine &machine, EarliestHazard &system, ChipTrace *trace)
      : faults(machine, system), trace(trace) {}

  /// `zero`: the absolute cycle of the release; the program of chip `chip` begins `start` cycles later.
  void begin(const isa::StepProgram &step, Cycle zero, int chip, Cycle start) {
    faults.begin(zero, chip);
    instructions = 0;
    counts = {};
    running = 0;
    lastEffect = zero + start;
    if (trace)
      trace->beginStep(step, zero);
  }
  void dispatched(int queue, const Dispatch &d) {
    instructions += static_cast<std::uint64_t>(d.count);
    if (trace && (d.op->kind == OpKind::Unit || d.op->kind == OpKind::IFetch))
      for (std::int32_t k = 0; k < d.count; ++k)
        trace->dispatch(queue, d.op->label, d.time + k * d.interval);
  }
  void effect(Cycle at) { lastEffect = at > lastEffect ? at : lastEffect; }

  FaultLog faults;
  ChipTrace *trace;
  std::uint64_t instructions = 0;
  /// What units have executed word by word, without streams and superlanes; nothing of a wired program, which was
  /// counted when it was wired.
  isa::Counts counts;
  int running = 0;      ///< queues with a word still to dispatch, parked ones excluded
  Cycle lastEffect = 0; ///< absolute (T1.5)
};

} // namespace lpu::sim
