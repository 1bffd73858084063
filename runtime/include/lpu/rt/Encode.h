// Runs of encoders: one sequence through the program of the smallest bucket that holds it.
#pragma once

#include "lpu/rt/Run.h"

namespace lpu::rt {

/// Whether a program's steps are those of an encoder.
bool isEncoder(const isa::Program &program);
/// Inputs and outputs of an encoder's steps are what encodeSequence expects.
Status checkEncoder(const isa::Program &program, const std::string &path);

/// Encodes options.inputIds with `program` (which has passed checkRunnable) and writes the outputs and the report, or
/// nothing if something fails before. Returns an exit code, as runProgram.
int encodeSequence(const isa::Program &program, const RunOptions &options, const SimulatorFactory &create,
                   Terminal terminal);

} // namespace lpu::rt
