// The generated instruction reference.
#pragma once

#include <string>

namespace lpu::tools {
/// docs/isa.md, from the instruction table and the tsp1 preset.
std::string isaDocument();
} // namespace lpu::tools
