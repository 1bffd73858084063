// A PrecisionPlan applied to the operations of @forward.
#pragma once

#include "lpu/compiler/Dialect/LLM/LLM.h"
#include "lpu/compiler/Support/PrecisionPlan.h"

namespace lpu::compiler::llm {

/// Whether the result of a norm, attention or silu_mul is to be one int8 digit: all linears it feeds are to take a8,
/// and it is no attention in tiles, whose result shares the scale of the cached values (N11).
bool wantsOneDigit(mlir::Operation *op, const PrecisionPlan &plan);

/// How the machine is to store a linear's weights.
WeightType weightTypeFor(const PrecisionPlan &plan, const WeightStore &store, WeightOp weight);

/// PrecisionPlan::checkRules against the linears of @forward.
Status checkRules(mlir::ModuleOp module, const PrecisionPlan &plan);

/// How a linear came out of llm-quantize, for reports: names of PrecisionOptions.
struct LinearPrecision {
  std::string tensor, weights, activations;
};
std::vector<LinearPrecision> precisionsOf(mlir::ModuleOp module);

} // namespace lpu::compiler::llm
