// What is shown while a run is under way: on terminals, and where it is asked for.
#pragma once

#include "lpu/rt/Run.h"
#include "lpu/rt/Session.h"

#include <chrono>
#include <string>

namespace lpu::rt {

class Progress {
public:
  /// Shown until text starts to stream to the same terminal. `asked`: also if stderr is no terminal.
  Progress(const Terminal &terminal, bool asked, std::size_t totalSteps, double clockGHz)
      : terminal(terminal), asked(asked), total(totalSteps), clockGHz(clockGHz) {}
  ~Progress() { clear(); }
  void stepDone(const StepRecord &record);
  /// Generated text follows on stdout.
  void textStarts();
  void clear();

private:
  using Clock = std::chrono::steady_clock;
  Terminal terminal;
  const bool asked;
  std::size_t total, done = 0;
  const double clockGHz;
  isa::Cycle cycles = 0;    ///< of the steps done
  std::uint64_t tokens = 0; ///< fed by them
  Clock::time_point start = Clock::now(), lastLine;
  bool shown = false, quiet = false;
};

} // namespace lpu::rt
