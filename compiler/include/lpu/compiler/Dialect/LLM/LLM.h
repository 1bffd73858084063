// The llm dialect: operations, and the quantized types they use.
#pragma once

#include "lpu/compiler/Support/WeightType.h"

#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Quant/IR/Quant.h"
#include "mlir/Dialect/Quant/IR/QuantTypes.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Dialect.h"
#include "mlir/IR/OpDefinition.h"
#include "mlir/IR/SymbolTable.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

#include <map>
#include <memory>
#include <string>

namespace lpu::compiler {
class WeightStore;
}

#include "lpu/compiler/Dialect/LLM/LLMDialect.h.inc"
#include "lpu/compiler/Dialect/LLM/LLMEnums.h.inc"
#define GET_ATTRDEF_CLASSES
#include "lpu/compiler/Dialect/LLM/LLMAttrs.h.inc"
#define GET_OP_CLASSES
#include "lpu/compiler/Dialect/LLM/LLMOps.h.inc"

namespace lpu::compiler::llm {

/// Module attributes: path of the weight file, name of the model.
inline constexpr llvm::StringLiteral kSourceAttr = "llm.source", kModelAttr = "llm.model";
/// Names of an encoder's results, in their order; a module without it is a decoder.
inline constexpr llvm::StringLiteral kOutputsAttr = "llm.outputs";
/// Tokens of the longest sequence an encoder takes, where its position table does not say it.
inline constexpr llvm::StringLiteral kSequenceAttr = "llm.sequence";
/// The function that is the model.
inline constexpr llvm::StringLiteral kForward = "forward";

/// !quant.uniform<i16<-32639:32639>:f32, scale>, or with 8 bits !quant.uniform<i8<-127:127>:f32, scale>
mlir::quant::UniformQuantizedType activationType(mlir::MLIRContext *context, double scale, int bits = 16);
/// !quant.any<i8<-127:127>:f32>
mlir::quant::AnyQuantizedType weightType(mlir::MLIRContext *context);
/// The same by kind: groups of 32 columns are !quant.any<i8<-128:127>:f32> and !quant.any<i4<-8:7>:f32>.
mlir::quant::AnyQuantizedType weightType(mlir::MLIRContext *context, WeightType type);

/// Scale of an int16 activation tensor, or nothing when `type` is not one.
std::optional<double> activationScale(mlir::Type type);
inline std::optional<double> activationScale(mlir::Value value) { return activationScale(value.getType()); }
/// 16 or 8 for a quantized activation, else 0.
int activationBits(mlir::Value value);
/// Attribute of operations whose results are quantized: the largest magnitude to represent, from calibration.
inline constexpr llvm::StringLiteral kRangeAttr = "llm.range";
/// Module attribute: how weights were rounded, when not each to the nearest value; see LLMDialect::roundedSources.
inline constexpr llvm::StringLiteral kRoundingAttr = "llm.rounding";
/// Width (last dimension) of an activation.
int64_t width(mlir::Value value);
/// The linear that makes queries, keys or values, behind the norm and the rope that they may have passed; null if it is
/// none.
LinearOp projectionOf(mlir::Value headed);

/// Whether a norm is that of a branch on its way to the residual: its result stays f32.
bool normsBranch(RmsNormOp op);

/// The divisors of a rope's frequencies, by how many positions its cache has; null: ones.
mlir::FlatSymbolRefAttr freqsOf(RopeOp op);
/// Whether a norm of heads is one over all of them.
bool isWide(HeadNormOp op);

/// The declaration a symbol names, looked up in the module around `user`; null when it is not there.
WeightOp lookupWeight(mlir::Operation *user, mlir::FlatSymbolRefAttr symbol);
KVCacheOp lookupCache(mlir::Operation *user, mlir::FlatSymbolRefAttr symbol);
/// KV heads that a piece of `held` query heads needs when `group` successive ones share one: as many as have all of
/// their query heads here, one for the whole piece, or, without a common pattern, one for each query head.
inline int64_t heldKVHeads(int64_t held, int64_t group) {
  return held % group == 0 ? held / group : group % held == 0 ? 1 : held;
}
/// Whether attention over a cache is faster in tiles than by sweeps (N11, N7): decided by the model's shape alone, so
/// that results do not depend on how it is built.
bool prefersTiles(KVCacheOp cache);
inline bool isEncoder(mlir::ModuleOp module) { return module->hasAttr(kOutputsAttr); }
/// @forward of a module; null when absent.
mlir::func::FuncOp forwardFunction(mlir::ModuleOp module);

} // namespace lpu::compiler::llm
