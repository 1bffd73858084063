// One whole run: what lpu-run does after its options are read.
#pragma once

#include "lpu/rt/CommandLine.h"

#include <functional>
#include <iosfwd>

namespace lpu::rt {

/// sim::Simulator::create, or a stand-in.
using SimulatorFactory =
    std::function<Result<std::unique_ptr<sim::Simulator>>(const isa::Program &, const sim::Options &)>;

/// Where a run talks to.
struct Terminal {
  std::ostream &out; ///< generated text only
  std::ostream &err; ///< progress, table, errors
  bool outIsTerminal = false, errIsTerminal = false;
};

enum ExitCode { kSuccess = 0, kFailure = 1, kUsage = 2, kViolation = 3 };

/// Runs `program` (which has passed checkRunnable). Writes the files asked for,
/// or none of them if the run fails before its end. Returns an exit code;
/// kFailure as well when a step's cycles differ from the prediction (reported).
int runProgram(const isa::Program &program, const RunOptions &options, const SimulatorFactory &create,
               Terminal terminal);

/// Loads options.program and runs it. `ranks`: processes that do so together; all but the first say nothing and write
/// nothing, and all return the same. Null: alone.
int runFile(const RunOptions &options, const SimulatorFactory &create, Terminal terminal, sim::Ranks *ranks = nullptr);

} // namespace lpu::rt
