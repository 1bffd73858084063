// The maps of SXM permutes and distributes that compiled programs use: one fixed
// table per machine, so that an instruction can name a map before any is made.
#pragma once

#include "lpu/isa/Machine.h"

#include <cstdint>
#include <string_view>
#include <vector>

namespace lpu::compiler {

/// Number of the map that pattern `kind` of stream.lanes with parameter `n` (modulo its range) needs.
std::int64_t sxmMap(const isa::Machine &machine, std::string_view kind, std::int64_t n);
/// All maps in the order of their numbers, a source lane per lane.
std::vector<std::vector<std::int16_t>> sxmMaps(const isa::Machine &machine);

} // namespace lpu::compiler
