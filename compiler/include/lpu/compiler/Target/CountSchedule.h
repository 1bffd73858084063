// Counts of a schedule (docs/spec/counts.md), for the report.
#pragma once

#include "lpu/isa/Counts.h"

#include "mlir/IR/BuiltinOps.h"

#include <vector>

namespace lpu::compiler {

/// Per chip class and step of a module in the lpu dialect: what one chip of the class does.
std::vector<std::vector<isa::Counts>> countSchedules(mlir::ModuleOp module, const isa::Machine &machine);

} // namespace lpu::compiler
