// llm-verify-quantized: the gate at the end of the llm stage. The lowering relies
// on every point checked here.

#include "lpu/compiler/Dialect/LLM/LLM.h"
#include "lpu/compiler/Dialect/LLM/Passes.h"
#include "lpu/compiler/Dialect/LLM/Precisions.h"

#include "llvm/ADT/TypeSwitch.h"

#include <cmath>

namespace lpu::compiler::llm {
#define GEN_PASS_DEF_VERIFYQUANTIZED
#include "lpu/compiler/Dialect/LLM/Passes.h.inc"

namespace {

using mlir::LogicalResult;
using mlir::success;

LogicalResult needInt16(mlir::Operation *op, mlir::Value value, llvm::StringRef what) {
  if (activationScale(value))
    return success();
  return op->emitOpError("has a float ") << what << ", run llm-quantize first";
}

/// The consumer's reciprocal scale must have been folded into the linear before it (N6, N8, N11).
LogicalResult needFactor(mlir::Operation *op, mlir::Value operand, mlir::Value result) {
  auto linear = operand.getDefiningOp<LinearOp>();
  double expected = 1.0 / *activationScale(result);
  if (linear && linear.getFactor().convertToDouble() == expected)
    return success();
  auto diagnostic = op->emitOpError("needs an operand made by llm.linear with factor 1/scale = ") << expected;
  if (linear)
    diagnostic << ", found " << linear.getFactor().convertToDouble();
  return diagnostic;
}

LogicalResult check(EmbeddingOp op) {
  if (lookupWeight(op, op.getWeightAttr()).getTensorType().getElementType().isF16())
    return success();
  return op.emitOpError("has a float table, run llm-quantize first");
}
LogicalResult check(RmsNormOp op) { return normsBranch(op) ? success() : needInt16(op, op.getResult(), "result"); }
LogicalResult check(QuantizeOp op) { return needInt16(op, op.getResult(), "result"); }
LogicalResult check(LinearOp op) { return needInt16(op, op.getInput(), "input"); }
LogicalResult check(AttentionOp op) {
  if (mlir::failed(needInt16(op, op.getResult(), "result")))
    return mlir::failure();
  return op.getTiles() || kvType(op) == KVType::Int8 ? needFactor(op, op.getValue(), op.getResult()) : success();
}
LogicalResult check(RopeOp op) {
  if (mlir::failed(needInt16(op, op.getResult(), "result")))
    return mlir::failure();
  auto norm = op.getInput().getDefiningOp<HeadNormOp>();
  if (!norm)
    return needFactor(op, op.getInput(), op.getResult());
  if (norm.getScale().convertToDouble() == *activationScale(op.getResult()))
    return success();
  return op.emitOpError("needs an operand made by llm.head_norm with scale ")
         << *activationScale(op.getResult()) << ", found " << norm.getScale().convertToDouble();
}
LogicalResult check(SiluMulOp op) {
  return mlir::failed(needInt16(op, op.getResult(), "result")) ? mlir::failure()
                                                               : needFactor(op, op.getUp(), op.getResult());
}

LogicalResult check(SelfAttentionOp op) { return needInt16(op, op.getResult(), "result"); }
LogicalResult check(EmbeddingSumOp op) {
  for (mlir::FlatSymbolRefAttr symbol : {op.getWordsAttr(), op.getPositionsAttr(), op.getTypesAttr()})
    if (symbol && !lookupWeight(op, symbol).getTensorType().getElementType().isF16())
      return op.emitOpError("has a float table, run llm-quantize first");
  return success();
}

/// Ids and types of tokens to f32 vectors, as many as llm.outputs names.
LogicalResult checkEncoder(mlir::ModuleOp module, mlir::func::FuncOp forward) {
  mlir::FunctionType type = forward.getFunctionType();
  mlir::Builder builder(module.getContext());
  auto ids = mlir::RankedTensorType::get({mlir::ShapedType::kDynamic}, builder.getI32Type());
  auto names = module->getAttrOfType<mlir::ArrayAttr>(kOutputsAttr);
  bool real = llvm::all_of(type.getResults(), [](mlir::Type result) {
    auto tensor = llvm::dyn_cast<mlir::RankedTensorType>(result);
    return tensor && tensor.getRank() == 2 && tensor.getElementType().isF32();
  });
  if (type.getNumInputs() != 2 || type.getInput(0) != ids || type.getInput(1) != ids || !names ||
      names.size() != type.getNumResults() || !real || names.empty())
    return forward.emitOpError(
               "must be (tensor<?xi32>, tensor<?xi32>) -> f32 tensors of rank 2, as many as llm.outputs names, found ")
           << type;
  return success();
}

LogicalResult checkSignature(mlir::ModuleOp module, mlir::func::FuncOp forward) {
  if (!forward || forward.isExternal())
    return module.emitError("there is no function @") << kForward;
  if (!llvm::hasSingleElement(forward.getBody()))
    return forward.emitOpError("must be one block");
  if (isEncoder(module))
    return checkEncoder(module, forward);
  mlir::Builder builder(module.getContext());
  auto ids = mlir::RankedTensorType::get({mlir::ShapedType::kDynamic}, builder.getI32Type());
  mlir::FunctionType type = forward.getFunctionType();
  auto logits =
      type.getNumResults() == 1 ? llvm::dyn_cast<mlir::RankedTensorType>(type.getResult(0)) : mlir::RankedTensorType();
  bool inputs = type.getNumInputs() == 2 && type.getInput(0) == ids && type.getInput(1) == ids;
  if (!inputs || !logits || logits.getRank() != 2 || !logits.getElementType().isF32())
    return forward.emitOpError("must be (tensor<?xi32>, tensor<?xi32>) -> tensor<?xVxf32>, found ") << type;
  return success();
}

struct VerifyQuantizedPass : impl::VerifyQuantizedBase<VerifyQuantizedPass> {
  void runOnOperation() override {
    mlir::ModuleOp module = getOperation();
    mlir::func::FuncOp forward = forwardFunction(module);
    if (mlir::failed(checkSignature(module, forward)))
      return signalPassFailure();
    for (mlir::Operation &op : forward.front()) {
      auto result =
          llvm::TypeSwitch<mlir::Operation *, LogicalResult>(&op)
              .Case<EmbeddingOp, RmsNormOp, LinearOp, RopeOp, AttentionOp, SiluMulOp, EmbeddingSumOp, SelfAttentionOp,
                    QuantizeOp>([](auto o) { return check(o); })
              .Case<AddOp, HeadNormOp, LayerNormOp, GeluOp, ReluOp, SigmoidOp, SiluOp, TanhOp, FirstOp, MeanOp,
                    NormalizeOp, mlir::func::ReturnOp>([](auto) { return success(); })
              .Default([](mlir::Operation *o) { return o->emitOpError("does not belong into a quantized model"); });
      if (mlir::failed(result))
        return signalPassFailure();
    }
    if (module.getOps<StepOp>().empty()) {
      module.emitError("no llm.step is planned, run llm-plan-steps first");
      return signalPassFailure();
    }
    markAllAnalysesPreserved();
  }
};

} // namespace
} // namespace lpu::compiler::llm
