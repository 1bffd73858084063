// The weight file behind a module.
#pragma once

#include "lpu/compiler/Import/WeightStore.h"

#include "mlir/IR/BuiltinOps.h"

namespace lpu::compiler::llm {

/// The module's llm.source, or, with llm.rounding, what attachRounded() gave it.
Result<std::shared_ptr<WeightStore>> storeOf(mlir::ModuleOp module);
/// From here on, in this context, `store` stands for the module's source: some of its weights were rounded by `method`.
void attachRounded(mlir::ModuleOp module, llvm::StringRef method, std::shared_ptr<WeightStore> store);

/// storeOf(), and checks that every llm.weight names one of its tensors with the same shape.
/// On failure an error was emitted and the result is null.
std::shared_ptr<WeightStore> openSource(mlir::ModuleOp module);

} // namespace lpu::compiler::llm
