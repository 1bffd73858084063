// From a model to `llm` IR.
#pragma once

#include "lpu/compiler/Import/WeightStore.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"

namespace lpu::compiler {

/// The float graph of the model WeightStore::open() finds under `name`: weight handles, KV caches and @forward (see
/// LLMOps.td). On failure the error went to the context's diagnostics, at the file's location, and the module is null.
mlir::OwningOpRef<mlir::ModuleOp> importModel(mlir::MLIRContext &context, const std::string &name);
/// The same for a store that is already open.
mlir::OwningOpRef<mlir::ModuleOp> importModel(mlir::MLIRContext &context, const WeightStore &store);

} // namespace lpu::compiler
