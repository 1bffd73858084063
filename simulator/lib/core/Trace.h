// A run as a timeline: a process for each chip, one track per queue, one slice per
// run of dispatches that serve the same operation, and curves of power and use.
// Timestamps are chip cycles. The file is complete after every step.
#pragma once

#include "Activity.h"
#include "TraceWriter.h"

#include "lpu/isa/Program.h"

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace lpu::sim {

class Trace;

/// The tracks of one chip. What it gathers in a step is its own until the step's end: chips may run in several threads.
class ChipTrace {
public:
  ChipTrace(const isa::Machine &machine, int chip);
  int number() const { return chip; }

  /// `zero`: absolute cycle of the step's cycle 0; the program begins `start` cycles later. `step` outlives the step.
  void beginStep(const isa::StepProgram &step, isa::Cycle zero, isa::Cycle start);
  void dispatch(int queue, std::uint16_t label, isa::Cycle at) {
    Open &open = slices[queue];
    if (open.label == label && at - open.last <= kMergeGap) {
      open.last = at;
      return;
    }
    flush(queue);
    open = {label, at, at};
  }

private:
  friend class Trace;
  /// Dispatches of one label further apart than this are separate slices.
  static constexpr isa::Cycle kMergeGap = 64;
  static constexpr int kNoLabel = -1;
  struct Open {
    int label = kNoLabel;
    isa::Cycle first = 0, last = 0;
  };
  struct Slice {
    int queue, label;
    isa::Cycle first, length; ///< from the step's cycle 0 on
  };
  void flush(int queue);
  std::string nameOf(int label) const;

  const int chip;
  std::vector<Open> slices; ///< per queue
  std::vector<Slice> done;  ///< of this step so far
  const isa::StepProgram *step = nullptr;
  isa::Cycle zero = 0, start = 0;
};

class Trace {
public:
  /// `model`: of the curve of power.
  Trace(std::unique_ptr<TraceWriter> writer, const isa::Program &program, isa::EnergyModel model);
  /// At the end; no step may follow. Error: something could not be written.
  Status close();

  /// Tracks for chip number `chip`; owned by the trace.
  ChipTrace *addChip(int chip);
  /// After a step of all chips, which took `cycles`. `step`: its number; `whole`: no hazard ended it.
  void endStep(std::size_t step, isa::Cycle cycles, bool whole);

private:
  void writeSlices(ChipTrace &chip);
  void writeCurves(const ChipTrace &chip, std::size_t step);

  const std::unique_ptr<TraceWriter> writer;
  const isa::Program &program;
  const isa::EnergyModel model;
  std::vector<std::uint64_t> links;                           ///< powered, per chip
  std::map<std::pair<int, std::size_t>, Activity> activities; ///< by chip and step
  std::vector<std::unique_ptr<ChipTrace>> chips;
  isa::Cycle base = 0; ///< where the running step starts in the trace
};

} // namespace lpu::sim
