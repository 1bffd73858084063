// The one line that moves while a run is under way, on terminals only.
#pragma once

#include "lpu/rt/Run.h"
#include "lpu/rt/Session.h"

#include <string>

namespace lpu::rt {

class Progress {
public:
  /// Shown until text starts to stream to the same terminal.
  Progress(const Terminal &terminal, std::size_t totalSteps) : terminal(terminal), total(totalSteps) {}
  ~Progress() { clear(); }
  void stepDone(const StepRecord &record);
  /// Generated text follows on stdout.
  void textStarts();
  void clear();

private:
  Terminal terminal;
  std::size_t total, done = 0;
  bool shown = false, quiet = false;
};

} // namespace lpu::rt
