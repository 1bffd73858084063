// Runs another executable of the project to its end.
#pragma once

#include "lpu/isa/TemporaryFolder.h"

#include <string>
#include <vector>

namespace lpu::rt {

/// `command` is the path of an executable and its arguments; its stdout is dropped. A child that fails gives the last
/// line it wrote to stderr as the error, taken apart into place and message.
Status runChild(const std::vector<std::string> &command, const TemporaryFolder &scratch);

} // namespace lpu::rt
