// Where the objects of a module lie, slice by slice, for nets that ask whose rows a row is.
#pragma once

#include "FlowTiming.h"
#include "lpu/compiler/Scheduling/Problem.h"

namespace lpu::compiler {

/// The rows each object has in each of its slices; objects by the numbers of `objects`.
std::vector<sched::Block> blocksOf(const isa::Machine &machine, const ObjectMap &objects);

/// Every object has a place inside of the machine.
mlir::LogicalResult checkPlaced(const isa::Machine &machine, mlir::ModuleOp module);

/// Scratch objects may share rows, for a step needs each of them for a while only. Constants, caches, inputs and
/// outputs live longer than a step's flows say: an error at the object that has rows of another.
mlir::LogicalResult checkAlone(const isa::Machine &machine, const ObjectMap &objects,
                               llvm::ArrayRef<sched::Block> blocks);

} // namespace lpu::compiler
