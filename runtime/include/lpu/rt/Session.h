// Runs planned steps on the simulated chips and keeps what they cost. The KV
// cache lives in the chips' memory from step to step.
#pragma once

#include "lpu/isa/Program.h"
#include "lpu/rt/StepPlan.h"
#include "lpu/sim/Simulator.h"
#include "lpu/text/Tokenizer.h"

#include <chrono>
#include <functional>
#include <optional>
#include <span>
#include <vector>

namespace lpu::rt {

using text::TokenId;

struct StepRecord {
  PlannedStep step;
  isa::Cycle predictedCycles = 0; ///< from the program
  isa::Cycle simulatedCycles = 0; ///< from the simulator: the last effect on any chip
  std::vector<isa::Cycle>
      classCycles{}; ///< per chip class: of its program from its own start, the longest of its chips; 0: took no part
  isa::Counts counts{}; ///< of all chips, as executed
};

/// What one user is fed in a step: tokens at the positions from `position` on. Without tokens the user is idle: token 0
/// is fed at position 0, and nobody looks at what comes of it.
struct Feed {
  std::uint32_t position = 0;
  std::span<const TokenId> tokens;
};

class Session {
public:
  /// Sees every record as it is made.
  using Observer = std::function<void(const StepRecord &)>;

  /// Both must outlive the session; `program` must have passed checkRunnable.
  Session(const isa::Program &program, sim::Simulator &simulator, sim::Mode mode, Observer observer = {});

  /// Feeds `tokens` (step.tokens of them; token 0 pads the program's further
  /// rows) and returns the valid rows of logits, step.tokens × vocabulary, empty in
  /// timing mode. Error: a violation, see violation().
  Result<std::vector<float>> run(const PlannedStep &step, std::span<const TokenId> tokens);
  /// The same for a step of several users, a feed for each of the first of them; the others are idle. The rows of those
  /// fed follow one another.
  Result<std::vector<float>> run(const PlannedStep &step, std::span<const Feed> feeds);
  /// A new sequence: the KV cache is empty again.
  void reset() { simulator.clearState(); }

  const std::vector<StepRecord> &records() const { return steps; }
  /// For whoever runs steps without end.
  void forgetRecords() { steps.clear(); }
  const std::optional<sim::Violation> &violation() const { return broken; }
  const isa::Program &compiled() const { return program; }
  bool functional() const { return mode == sim::Mode::Functional; }
  /// Host time from the first step's start to the last step's end.
  double runSeconds() const { return std::chrono::duration<double>(lastEnd - firstStart).count(); }
  /// The first recorded step that did not take as many cycles as predicted; null: there is none.
  const StepRecord *firstMismatch() const;

private:
  using Clock = std::chrono::steady_clock;
  void write(std::size_t step, const char *name, const std::vector<std::int32_t> &values);
  void record(const PlannedStep &step, const sim::StepResult &result);
  std::vector<float> readLogits(std::size_t step, std::span<const Feed> feeds) const;

  const isa::Program &program;
  sim::Simulator &simulator;
  sim::Mode mode;
  Observer observer;
  std::vector<StepRecord> steps;
  Clock::time_point firstStart, lastEnd;
  std::optional<sim::Violation> broken;
};

} // namespace lpu::rt
