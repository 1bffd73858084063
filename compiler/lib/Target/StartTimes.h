// When the chips of a system begin a step.
#pragma once

#include "lpu/compiler/Dialect/Lpu/Lpu.h"
#include "lpu/isa/Program.h"

#include <map>

namespace lpu::compiler {

/// Cycles at which a program sends and receives on each link, in order.
struct LinkTraffic {
  std::vector<isa::Cycle> sends, receives;
};
using ProgramTraffic = std::map<int, LinkTraffic>;
ProgramTraffic trafficOf(timed::ProgramOp program);

/// The earliest start of each chip, so that nothing is received before it is there; `traffic` is that of one step, by
/// class. An error when chips wait for each other in a circle.
Result<std::vector<isa::Cycle>> startTimes(const isa::Machine &machine, const std::vector<isa::Chip> &chips,
                                           const std::vector<isa::Wire> &wires,
                                           const std::vector<ProgramTraffic> &traffic);

} // namespace lpu::compiler
