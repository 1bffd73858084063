// Compiled anew with every commit, and nothing else is: see cmake/WriteCommit.cmake.
#include "lpu/isa/Version.h"

#include "lpu/isa/Program.h"

#include "Commit.inc"

#include <fmt/format.h>

namespace lpu::isa {

std::string_view version() { return LPU_VERSION; }

std::string_view commit() { return LPU_COMMIT; }

std::string versionLine(std::string_view tool) {
  return fmt::format("{} {}, commit {}, instruction set {:016x}", tool, version(), commit(), isaHash());
}

} // namespace lpu::isa
