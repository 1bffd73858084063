// Trace in the Chrome/Perfetto JSON format: a process for each chip, one track
// per queue, one slice per run of dispatches that serve the same operation.
// Timestamps are chip cycles. The file is complete and valid JSON after every step.
#pragma once

#include "lpu/isa/Program.h"

#include <cstdio>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace lpu::sim {

class Trace;

/// The tracks of one chip. What it gathers in a step is its own until the step's end: chips may run in several threads.
class ChipTrace {
public:
  ChipTrace(Trace &trace, const isa::Machine &machine, int chip);
  int number() const { return chip; }

  /// `zero`: absolute cycle of the step's cycle 0. `step` outlives the step.
  void beginStep(const isa::StepProgram &step, isa::Cycle zero);
  void dispatch(int queue, std::uint16_t label, isa::Cycle at) {
    Open &open = slices[queue];
    if (open.label == label && at - open.last <= kMergeGap) {
      open.last = at;
      return;
    }
    flush(queue);
    open = {label, at, at};
  }
  void endStep();
  /// The events of the step, ready to be written; forgotten afterwards.
  std::string takeEvents() { return std::exchange(events, {}); }

private:
  /// Dispatches of one label further apart than this are separate slices.
  static constexpr isa::Cycle kMergeGap = 64;
  static constexpr int kNoLabel = -1;
  struct Open {
    int label = kNoLabel;
    isa::Cycle first = 0, last = 0;
  };
  void flush(int queue);
  void nameTracks(const isa::Machine &machine);

  Trace &trace;
  const int chip;
  std::vector<Open> slices; ///< per queue
  std::string events;       ///< of this step so far
  const isa::StepProgram *step = nullptr;
  isa::Cycle zero = 0;
};

class Trace {
public:
  /// Error: the file cannot be written.
  static Result<std::unique_ptr<Trace>> open(const std::string &path, const isa::Machine &machine);
  ~Trace();

  /// Tracks for chip number `chip`; owned by the trace.
  ChipTrace *addChip(const isa::Machine &machine, int chip);
  /// After a step of all chips, which took `cycles`.
  void endStep(const std::string &name, isa::Cycle cycles);

private:
  friend class ChipTrace;
  Trace(std::FILE *file, const isa::Machine &machine);
  void event(const std::string &json);
  std::string slice(int chip, int track, isa::Cycle from, isa::Cycle length, const std::string &name) const;
  void writeTail();

  std::FILE *file;
  std::vector<std::unique_ptr<ChipTrace>> chips;
  isa::Cycle base = 0; ///< where the running step starts in the trace
  bool first = true;
};

} // namespace lpu::sim
