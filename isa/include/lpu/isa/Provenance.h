// What a program file says of the build that wrote it (docs/spec/program-format.md, P7). It stands behind the program
// proper: no hash covers it, and programs that differ in it alone are the same program.
#pragma once

#include "lpu/isa/Program.h"

#include <string>
#include <string_view>

namespace lpu::isa {

/// writeProgram, with a line such as versionLine("lpucc") behind the program; none is written if it is empty.
Status writeProgram(const Program &program, const std::string &path, std::string_view provenance);

/// What a file says of its origin; empty: nothing. The file must have been read by readProgram before.
Result<std::string> readProvenance(const std::string &path);

} // namespace lpu::isa
