// Progress of a run: rewritten in place, erased before anything else is printed.
#include "Progress.h"

#include <fmt/format.h>

#include <ostream>

namespace lpu::rt {

void Progress::stepDone(const StepRecord &record) {
  ++done;
  cycles += record.simulatedCycles;
  tokens += record.step.tokens;
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
  if (!terminal.errIsTerminal || quiet)
    return;
  shown = true;
  terminal.err << fmt::format("\r\x1b[Kstep {} of {}, position {}, {} cycles; {:.1f} us simulated, {:.2f} tokens a second of host time",
                              done, total, record.step.position, record.simulatedCycles,
                              static_cast<double>(cycles) / (clockGHz * 1e3), static_cast<double>(tokens) / seconds.count())
               << std::flush;
}

void Progress::textStarts() {
  quiet = terminal.outIsTerminal;
  if (quiet)
    clear();
}

void Progress::clear() {
  if (shown)
    terminal.err << "\r\x1b[K" << std::flush;
  shown = false;
}

} // namespace lpu::rt
