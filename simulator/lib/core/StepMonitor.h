// What is known about the step that is running on a chip: how far it got, how
// much it dispatched, its first hazard. Units and queues report here.
#pragma once

#include "Faults.h"
#include "OpCounts.h"
#include "Trace.h"
#include "Unit.h"
#include "Vcd.h"

namespace lpu::sim {

class StepMonitor {
public:
  /// `trace`: this chip's tracks; `vcd`: its waveforms; null: none.
  StepMonitor(const isa::Machine &machine, EarliestHazard &system, ChipTrace *trace, ChipVcd *vcd)
      : faults(machine, system), trace(trace), vcd(vcd) {}

  /// `zero`: the absolute cycle of the release; the program of chip `chip` begins `start` cycles later.
  void begin(const isa::StepProgram &step, Cycle zero, int chip, Cycle start) {
    faults.begin(zero, chip);
    instructions = 0;
    counts = {};
    running = 0;
    lastEffect = zero + start;
    if (trace)
      trace->beginStep(step, zero, start);
    if (vcd)
      vcd->beginStep(step, zero);
  }
  void dispatched(int queue, const Dispatch &d) {
    instructions += static_cast<std::uint64_t>(d.count);
    if ((trace || vcd) && (d.op->kind == OpKind::Unit || d.op->kind == OpKind::IFetch))
      for (std::int32_t k = 0; k < d.count; ++k)
        show(queue, d, d.time + k * d.interval);
  }
  void effect(Cycle at) { lastEffect = at > lastEffect ? at : lastEffect; }

  FaultLog faults;
  ChipTrace *trace;
  ChipVcd *vcd;
  std::uint64_t instructions = 0;
  /// What units have executed word by word, without streams and superlanes; nothing of a wired program, which was
  /// counted when it was wired.
  isa::Counts counts;
  int running = 0;      ///< queues with a word still to dispatch, parked ones excluded
  Cycle lastEffect = 0; ///< absolute (T1.5)

private:
  void show(int queue, const Dispatch &d, Cycle at) {
    if (trace)
      trace->dispatch(queue, d.op->label, at);
    if (vcd)
      vcd->dispatch(queue, *d.op, at);
  }
};

} // namespace lpu::sim
