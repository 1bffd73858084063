// Outputs of lpu-objdump; each writes to stdout.
#pragma once

#include "lpu/isa/Program.h"
#include "lpu/isa/Result.h"

#include <optional>
#include <string>

namespace lpu::tools {

/// Machine, model, memory regions and steps with their counts and cycles.
void printSummary(const isa::Program &program, const std::string &path);

/// Timed listing of one step, or of all, of one chip class, or of all: cycle (of
/// the class's own time), queue, instruction, label.
Status printSchedule(const isa::Program &program, const std::optional<std::string> &step,
                     const std::optional<std::string> &chipClass);

/// Findings of the legality checker; false when there are any.
bool printFindings(const isa::Program &program, const std::string &path);

/// The container byte by byte: offset | bytes | field | meaning. The file must
/// already have been read successfully.
Status printAnnotated(const std::string &path);

} // namespace lpu::tools
