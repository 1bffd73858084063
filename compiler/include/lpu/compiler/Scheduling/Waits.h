// When things may happen, from how long they wait for one another: the chips of a system, the operations of a flow.
#pragma once

#include "lpu/isa/Machine.h"

#include <cstddef>
#include <optional>
#include <vector>

namespace lpu::compiler {

/// Time of `to` − time of `from` is at least `cycles`, which may be negative.
struct Wait {
  std::size_t from = 0, to = 0;
  isa::Cycle cycles = 0;
};

/// The earliest time of each of `count` things from cycle 0 on: the longest path of waits to it from any of them.
/// Nothing when they wait for each other in a circle.
std::optional<std::vector<isa::Cycle>> earliestTimes(std::size_t count, const std::vector<Wait> &waits);

} // namespace lpu::compiler
