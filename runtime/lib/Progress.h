// The one line that moves while a run is under way, on terminals only.
#pragma once

#include "lpu/rt/Run.h"
#include "lpu/rt/Session.h"

#include <chrono>
#include <string>

namespace lpu::rt {

class Progress {
public:
  /// Shown until text starts to stream to the same terminal.
  Progress(const Terminal &terminal, std::size_t totalSteps, double clockGHz)
      : terminal(terminal), total(totalSteps), clockGHz(clockGHz) {}
  ~Progress() { clear(); }
  void stepDone(const StepRecord &record);
  /// Generated text follows on stdout.
  void textStarts();
  void clear();

private:
  Terminal terminal;
  std::size_t total, done = 0;
  const double clockGHz;
  isa::Cycle cycles = 0;    ///< of the steps done
  std::uint64_t tokens = 0; ///< fed by them
  std::chrono::steady_clock::time_point start = std::chrono::steady_clock::now();
  bool shown = false, quiet = false;
};

} // namespace lpu::rt
