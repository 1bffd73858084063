// Creation and registration of the llm passes.
#pragma once

#include "mlir/IR/BuiltinOps.h"
#include "mlir/Pass/Pass.h"

namespace lpu::compiler::llm {

#define GEN_PASS_DECL
#define GEN_PASS_REGISTRATION
#include "lpu/compiler/Dialect/LLM/Passes.h.inc"

} // namespace lpu::compiler::llm
