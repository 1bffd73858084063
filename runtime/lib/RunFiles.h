// What a run reads and writes, compared before anything is written.
#pragma once

#include "lpu/isa/FileUses.h"
#include "lpu/rt/CommandLine.h"

namespace lpu::rt {

/// Refuses an output that is also read, or written twice. `encoded`: files of an encoder's outputs, whose names the
/// program tells.
Status checkFiles(const RunOptions &options, const std::vector<std::string> &encoded = {});

} // namespace lpu::rt
