// A run as waveforms for GTKWave: what every queue dispatches and while which of its
// work is under way, and, from the clocked engine, chosen stream registers. A
// nanosecond is a cycle. Only changes within a window of cycles are written.
#pragma once

#include "FileSink.h"
#include "Op.h"
#include "VectorValue.h"

#include "lpu/isa/Program.h"
#include "lpu/isa/Result.h"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace lpu::sim {

/// A stream register: "e4@-3", stream 4 eastwards at position −3.
struct StreamProbe {
  StreamRef ref;
  int position = 0;
};
/// Error (place empty): not of that form, or no such register on the machine.
Result<StreamProbe> parseProbe(const isa::Machine &machine, const std::string &text);

struct VcdOptions {
  isa::Cycle from = 0, to = INT64_MAX; ///< cycles of the run, steps one after the other; both inclusive
  std::vector<StreamProbe> probes;
};

/// What one chip does in a step; its own until the step's end.
class ChipVcd {
public:
  ChipVcd(const std::vector<StreamProbe> &probes, int chip);
  int number() const { return chip; }

  /// As ChipTrace::beginStep.
  void beginStep(const isa::StepProgram &step, isa::Cycle zero);
  /// One dispatch of a unit's word.
  void dispatch(int queue, const Op &op, isa::Cycle at) {
    if (at - zero >= from && at - zero <= to)
      words.push_back({queue, &op, at - zero});
  }
  /// Clocked engine, in every cycle: what probe number `probe` sees; null: nothing is there.
  void sample(std::size_t probe, isa::Cycle at, const VectorValue *value);
  const std::vector<StreamProbe> &probed() const { return probes; }

private:
  friend class Vcd;
  struct Word {
    int queue;
    const Op *op;
    isa::Cycle at; ///< from the step's cycle 0 on
  };
  struct Sample {
    std::size_t probe;
    isa::Cycle at;
    std::string value; ///< bits, or "x" where the mode has no values; empty: nothing is there
  };

  const std::vector<StreamProbe> &probes;
  const int chip;
  std::vector<Word> words;
  std::vector<Sample> samples;
  std::vector<std::optional<std::string>> last; ///< per probe
  const isa::StepProgram *step = nullptr;
  isa::Cycle zero = 0;
  isa::Cycle from = 0, to = INT64_MAX; ///< the window, counted from the step's cycle 0
};

class Vcd {
public:
  /// Error: the file cannot be written.
  static Result<std::unique_ptr<Vcd>> open(const std::string &path, const isa::Machine &machine, VcdOptions options);
  /// At the end; no step may follow. Error: something could not be written.
  Status close();

  /// Before the first step.
  ChipVcd *addChip(int chip);
  /// After a step of all chips, which took `cycles`.
  void endStep(isa::Cycle cycles);

private:
  struct Change {
    isa::Cycle at;
    std::string text; ///< a line of the file
  };
  Vcd(std::unique_ptr<FileSink> file, const isa::Machine &machine, VcdOptions options);
  void declare();
  void moveWindow(ChipVcd &chip) const;
  void addWords(const ChipVcd &chip, std::size_t number, std::vector<Change> &changes) const;
  void addQueue(const std::vector<ChipVcd::Word> &words, const ChipVcd &chip, std::size_t first,
                std::vector<Change> &changes) const;
  /// Of a chip by its place in the file: three signals a queue, then two a probe.
  std::size_t signal(std::size_t chip, int queue, int which) const;
  std::size_t probeSignal(std::size_t chip, std::size_t probe, int which) const;
  std::size_t signalsPerChip() const;

  const std::unique_ptr<FileSink> file;
  const isa::Machine &machine;
  const VcdOptions options;
  std::vector<std::unique_ptr<ChipVcd>> chips;
  isa::Cycle base = 0; ///< where the running step starts
  bool declared = false;
};

} // namespace lpu::sim
