// Models that are not compiled yet.
#pragma once

#include "lpu/isa/Result.h"

#include <string>
#include <vector>

namespace lpu::serve {

/// Whether a file is a compiled program, by its name.
bool isProgram(const std::string &path);

/// Runs lpucc, which lies beside this executable, and lets it show its progress on stderr. Error: it failed, and has
/// said why.
Status compileModel(const std::string &model, const std::vector<std::string> &flags, const std::string &program);

} // namespace lpu::serve
