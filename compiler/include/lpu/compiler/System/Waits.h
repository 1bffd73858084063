// When the chips of a system may start, from how long they wait for one another.
#pragma once

#include "lpu/isa/Machine.h"

#include <cstddef>
#include <optional>
#include <vector>

namespace lpu::compiler {

/// Start of the chip `to` − start of the chip `from` is at least `cycles`, which may be negative.
struct Wait {
  std::size_t from = 0, to = 0;
  isa::Cycle cycles = 0;
};

/// The earliest start of each of `chips` chips from cycle 0 on: the longest path of waits to it from any chip. Nothing
/// when chips wait for each other in a circle.
std::optional<std::vector<isa::Cycle>> earliestStarts(std::size_t chips, const std::vector<Wait> &waits);

} // namespace lpu::compiler
