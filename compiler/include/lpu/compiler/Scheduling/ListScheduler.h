// List scheduler: flows in order of their longest path to the end, each at the
// earliest start at which all its slots are free.
#pragma once

#include "lpu/compiler/Scheduling/Problem.h"

namespace lpu::compiler::sched {

Solution scheduleList(const isa::Machine &machine, const Problem &problem);

} // namespace lpu::compiler::sched
