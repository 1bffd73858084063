// A PrecisionPlan applied to the operations of @forward.
#pragma once

#include "lpu/compiler/Dialect/LLM/LLM.h"
#include "lpu/compiler/Support/HalfType.h"
#include "lpu/compiler/Support/ModelConstants.h"
#include "lpu/compiler/Support/PrecisionPlan.h"

namespace lpu::compiler::llm {

/// Whether the result of a norm, attention or silu_mul is to be one int8 digit: all linears it feeds are to take a8,
/// and it is no attention in tiles, whose result shares the scale of the cached values (N11).
bool wantsOneDigit(mlir::Operation *op, const PrecisionPlan &plan);

/// Whether attention is to be in tiles, which multiply integers: neither its result nor its keys and values are to be
/// fp16.
bool wantsTiles(AttentionOp op, const PrecisionPlan &plan);

/// Whether that result is to be fp16: all linears it feeds are to take it. Attention is by sweeps then.
bool wantsHalf(mlir::Operation *op, const PrecisionPlan &plan);
/// Whether a linear's weights are to be fp16.
bool wantsHalf(const PrecisionPlan &plan, WeightOp weight);

/// How the machine is to store a linear's weights.
WeightType weightTypeFor(const PrecisionPlan &plan, const WeightStore &store, WeightOp weight);

/// PrecisionPlan::checkRules against the linears of @forward.
Status checkRules(mlir::ModuleOp module, const PrecisionPlan &plan);

/// A linear's weights in fp16.
inline bool isHalf(WeightOp weight) { return weight.getTensorType().getElementType().isF16(); }
/// Attribute of attention by sweeps: keys and values are cached as "int8" or as "fp16" (N16); without it keys are int16
/// and values fp16.
inline constexpr llvm::StringLiteral kKVAttr = "llm.kv";
enum class KVType { Int16, Int8, Half };
KVType kvType(AttentionOp op);
/// r of N16: the step of int8 values in units of the result's scale.
double valueStep(AttentionOp op);

/// The factors of a score (N7) of an attention's queries and keys.
ScoreConstants scoreConstantsOf(AttentionOp op);

/// How a linear came out of llm-quantize, for reports: names of PrecisionOptions.
struct LinearPrecision {
  std::string tensor, weights, activations;
};
std::vector<LinearPrecision> precisionsOf(mlir::ModuleOp module);

} // namespace lpu::compiler::llm
