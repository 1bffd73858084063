// Internal to ImportModel.
#pragma once

#include "lpu/compiler/Import/WeightStore.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"

namespace lpu::compiler {

/// The llm graph of a store with an encoder; null after an emitted error.
mlir::OwningOpRef<mlir::ModuleOp> importEncoder(mlir::MLIRContext &context, const WeightStore &store);

} // namespace lpu::compiler
