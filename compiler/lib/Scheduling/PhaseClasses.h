// Which phases of a problem a scheduler cannot tell apart: the same flows but for rows and objects, with the same
// dependences. Layers of a model are such phases, so each kind has to be scheduled once.
#pragma once

#include "lpu/compiler/Scheduling/Problem.h"

namespace lpu::compiler::sched {

/// A number for each phase; two phases have the same one exactly if all that is reserved for their flows, which loads
/// may run ahead, what these wait for, and all distances are equal.
std::vector<int> classesOf(const isa::Machine &machine, const std::vector<Phase> &phases);

} // namespace lpu::compiler::sched
