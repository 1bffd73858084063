// Internal to llm-quantize.
#pragma once

#include "lpu/compiler/Dialect/LLM/LLM.h"
#include "lpu/compiler/Import/WeightStore.h"

namespace lpu::compiler::llm {

/// llm-quantize for an encoder. On failure an error was emitted.
mlir::LogicalResult quantizeEncoder(mlir::ModuleOp module, WeightStore &store);

} // namespace lpu::compiler::llm
