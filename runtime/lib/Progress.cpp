// Progress of a run. On a terminal one line rewritten in place, erased before
// anything else is printed; elsewhere lines, at most one a second.
#include "Progress.h"

#include <fmt/format.h>

#include <ostream>

namespace lpu::rt {

namespace {
constexpr std::chrono::seconds kBetweenLines{1};
} // namespace

void Progress::stepDone(const StepRecord &record) {
  ++done;
  cycles += record.simulatedCycles;
  tokens += record.step.tokens;
  const Clock::time_point now = Clock::now();
  const bool due = terminal.errIsTerminal || (asked && (done == 1 || now - lastLine >= kBetweenLines));
  if (!due || quiet)
    return;
  const std::chrono::duration<double> seconds = now - start;
  const std::string line =
      fmt::format("step {} of {}, position {}, {} cycles; {:.1f} us simulated, {:.2f} tokens a second of host time",
                  done, total, record.step.position, record.simulatedCycles,
                  static_cast<double>(cycles) / (clockGHz * 1e3), static_cast<double>(tokens) / seconds.count());
  shown = terminal.errIsTerminal;
  if (shown)
    terminal.err << "\r\x1b[K" << line << std::flush;
  else
    terminal.err << line << '\n' << std::flush;
  lastLine = now;
}

void Progress::textStarts() {
  quiet = terminal.outIsTerminal && terminal.errIsTerminal;
  if (quiet)
    clear();
}

void Progress::clear() {
  if (shown)
    terminal.err << "\r\x1b[K" << std::flush;
  shown = false;
}

} // namespace lpu::rt
