// Progress of a run: rewritten in place, erased before anything else is printed.
#include "Progress.h"

#include <fmt/format.h>

#include <ostream>

namespace lpu::rt {

void Progress::stepDone(const StepRecord &record) {
  ++done;
  if (!terminal.errIsTerminal || quiet)
    return;
  shown = true;
  terminal.err << fmt::format("\r\x1b[Kstep {} of {}, position {}, {} cycles", done, total, record.step.position,
                              record.simulatedCycles)
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
