// List scheduler: flows in order of their longest path to the end, each at the
// earliest start at which all its slots are free.
#pragma once

#include "lpu/compiler/Scheduling/Problem.h"

namespace lpu::compiler::sched {

/// What to do with a phase that repeats an earlier one, behind the same phases as far as it reaches: the solution is
/// the same, the time it takes is not.
enum class Repetitions { Reuse, Search };

Solution scheduleList(const isa::Machine &machine, const Problem &problem,
                      Repetitions repetitions = Repetitions::Reuse);

} // namespace lpu::compiler::sched
