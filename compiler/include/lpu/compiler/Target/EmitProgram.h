// From lpu IR to a program container.
#pragma once

#include "lpu/isa/Program.h"

#include "mlir/IR/BuiltinOps.h"

#include <string>

namespace lpu::compiler {

/// Words, regions, image, model and tokenizer of a module in the lpu dialect. Constants are made from the
/// module's llm.source file. Error: weight file gone or changed, region contents that do not fit.
Result<isa::Program> emitProgram(mlir::ModuleOp module, const isa::Machine &machine);

/// The same of a module that was only bounded: no program does anything, and constants have no contents.
Result<isa::Program> emitBounds(mlir::ModuleOp module, const isa::Machine &machine);

} // namespace lpu::compiler
