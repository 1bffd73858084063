// Trace in the Chrome/Perfetto JSON format: one track per queue, one slice per
// run of dispatches that serve the same operation. Timestamps are chip cycles.
// The file is complete and valid JSON after every step.
#pragma once

#include "lpu/isa/Program.h"

#include <cstdio>
#include <memory>
#include <string>
#include <vector>

namespace lpu::sim {

class Trace {
public:
  /// Error: the file cannot be written.
  static Result<std::unique_ptr<Trace>> open(const std::string &path, const isa::Machine &machine);
  ~Trace();

  /// `zero`: absolute cycle of the step's cycle 0.
  void beginStep(const std::string &name, const isa::StepProgram &step, isa::Cycle zero);
  void dispatch(int queue, std::uint16_t label, isa::Cycle at) {
    Open &open = slices[queue];
    if (open.label == label && at - open.last <= kMergeGap) {
      open.last = at;
      return;
    }
    flush(queue);
    open = {label, at, at};
  }
  void endStep(isa::Cycle cycles);

private:
  /// Dispatches of one label further apart than this are separate slices.
  static constexpr isa::Cycle kMergeGap = 64;
  static constexpr int kNoLabel = -1;
  struct Open {
    int label = kNoLabel;
    isa::Cycle first = 0, last = 0;
  };

  Trace(std::FILE *file, const isa::Machine &machine);
  void flush(int queue);
  void event(const std::string &json);
  void nameTracks(const isa::Machine &machine);
  void writeTail();

  std::FILE *file;
  std::vector<Open> slices; ///< per queue
  std::string name; ///< of the running step
  const isa::StepProgram *step = nullptr;
  isa::Cycle zero = 0, base = 0; ///< base: where this step starts in the trace
  bool first = true;
};

} // namespace lpu::sim
