// From a weight file to `llm` IR.
#pragma once

#include "lpu/compiler/Import/WeightStore.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"

namespace lpu::compiler {

/// The float graph of a GGUF model: weight handles, KV caches and @forward (see LLMOps.td). On failure the error
/// went to the context's diagnostics, at the file's location, and the module is null.
mlir::OwningOpRef<mlir::ModuleOp> importGguf(mlir::MLIRContext &context, const std::string &path);
/// The same for a store that is already open.
mlir::OwningOpRef<mlir::ModuleOp> importModel(mlir::MLIRContext &context, const WeightStore &store);

} // namespace lpu::compiler
