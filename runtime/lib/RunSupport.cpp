// One line an error, whatever is in it.
#include "RunSupport.h"

#include <fmt/format.h>

#include <algorithm>
#include <ostream>
#include <sys/resource.h>

namespace lpu::rt {

int fail(const Terminal &terminal, const Error &error, int code) {
  std::string line = error.str();
  std::replace_if(
      line.begin(), line.end(), [](unsigned char c) { return c < 0x20 || c == 0x7F; }, ' ');
  terminal.err << line << '\n' << std::flush;
  return code;
}

std::uint64_t peakRssBytes() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<std::uint64_t>(usage.ru_maxrss) * 1024; // Linux counts KiB
}

SimulatorFiles::SimulatorFiles(const RunOptions &options) : asked(options) {
  if (!asked.trace.empty())
    trace.emplace(asked.trace);
  if (!asked.vcd.path.empty())
    vcd.emplace(asked.vcd.path);
}

sim::Options SimulatorFiles::options() const {
  sim::Options o;
  o.engine = asked.engine;
  o.mode = asked.mode;
  o.allChips = asked.allChips;
  o.threads = asked.threads;
  o.tracePath = trace ? trace->temporary() : "";
  o.traceFormat = asked.trace.ends_with(".pftrace") ? sim::TraceFormat::Perfetto : sim::TraceFormat::Json;
  o.energyModel = asked.energy;
  o.vcd = asked.vcd;
  o.vcd.path = vcd ? vcd->temporary() : "";
  return o;
}

Status SimulatorFiles::commit(std::unique_ptr<sim::Simulator> simulator) {
  const Status closed = simulator->closeFiles();
  simulator.reset();
  if (!closed) {
    const bool isTrace = trace && closed.error().place == trace->temporary();
    return Error{isTrace ? asked.trace : asked.vcd.path, closed.error().message};
  }
  for (std::optional<PendingFile> *file : {&trace, &vcd})
    if (*file)
      if (Status status = (*file)->commit(); !status)
        return status;
  return Ok{};
}

} // namespace lpu::rt
