// The weight file behind a module.
#pragma once

#include "lpu/compiler/Import/WeightStore.h"

#include "mlir/IR/BuiltinOps.h"

namespace lpu::compiler::llm {

/// Opens the module's llm.source and checks that every llm.weight names one of its tensors with the same shape.
/// On failure an error was emitted and the result is null.
std::shared_ptr<WeightStore> openSource(mlir::ModuleOp module);

} // namespace lpu::compiler::llm
