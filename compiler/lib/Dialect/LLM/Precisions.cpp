// What a precision plan means for operations, and what became of it.

#include "lpu/compiler/Dialect/LLM/Precisions.h"

#include "lpu/compiler/Import/WeightStore.h"

namespace lpu::compiler::llm {

bool wantsOneDigit(mlir::Operation *op, const PrecisionPlan &plan) {
  if (!mlir::isa<RmsNormOp, QuantizeOp, AttentionOp, SiluMulOp>(op))
    return false;
  if (auto attention = mlir::dyn_cast<AttentionOp>(op); attention && wantsTiles(attention, plan))
    return false;
  return llvm::all_of(op->getUsers(), [&](mlir::Operation *user) {
    auto linear = mlir::dyn_cast<LinearOp>(user);
    return linear && plan.activations(lookupWeight(linear, linear.getWeightAttr()).getSource().str()) == "a8";
  });
}

bool wantsHalf(mlir::Operation *op, const PrecisionPlan &plan) {
  return mlir::isa<RmsNormOp, QuantizeOp, AttentionOp, SiluMulOp>(op) &&
         llvm::all_of(op->getUsers(), [&](mlir::Operation *user) {
           auto linear = mlir::dyn_cast<LinearOp>(user);
           return linear && plan.activations(lookupWeight(linear, linear.getWeightAttr()).getSource().str()) == "fp16";
         });
}

bool wantsTiles(AttentionOp op, const PrecisionPlan &plan) {
  return prefersTiles(lookupCache(op, op.getCacheAttr())) && plan.kv() != "fp16" && !wantsHalf(op, plan);
}

bool wantsHalf(const PrecisionPlan &plan, WeightOp weight) { return plan.weights(weight.getSource().str()) == "fp16"; }

KVType kvType(AttentionOp op) {
  auto name = op->getAttrOfType<mlir::StringAttr>(kKVAttr);
  return !name ? KVType::Int16 : name.getValue() == "int8" ? KVType::Int8 : KVType::Half;
}

double valueStep(AttentionOp op) {
  auto linear = op.getValue().getDefiningOp<LinearOp>();
  // A bias does not spread as the rest of the bound does.
  double part = linear.getBiasAttr() ? 1.0 : valueRange(static_cast<std::uint32_t>(width(linear.getInput())));
  return part * (activationBits(op.getResult()) == 8 ? 127 : 32639) / 127;
}

ScoreConstants scoreConstantsOf(AttentionOp op) {
  double query = *activationScale(op.getQuery()), key = *activationScale(op.getKey());
  if (op.getScale())
    return scaledScores(query, key, op.getScale()->convertToDouble());
  return scoreConstants(query, key, static_cast<std::uint32_t>(lookupCache(op, op.getCacheAttr()).getHeadDim()));
}

WeightType weightTypeFor(const PrecisionPlan &plan, const WeightStore &store, WeightOp weight) {
  const std::string &chosen = plan.weights(weight.getSource().str());
  if (chosen == "int8")
    return WeightType::Int8;
  bool four = chosen == "int4-group" || (chosen == "keep" && store.typeName(weight.getSource()) == "Q4_0");
  return four ? WeightType::Int4Group : WeightType::Int8Group;
}

Status checkRules(mlir::ModuleOp module, const PrecisionPlan &plan) {
  std::vector<std::string> tensors;
  if (mlir::func::FuncOp forward = forwardFunction(module))
    for (auto linear : forward.getOps<LinearOp>())
      tensors.push_back(lookupWeight(linear, linear.getWeightAttr()).getSource().str());
  return plan.checkRules(tensors);
}

std::vector<LinearPrecision> precisionsOf(mlir::ModuleOp module) {
  std::vector<LinearPrecision> out;
  for (auto linear : forwardFunction(module).getOps<LinearOp>()) {
    WeightOp weight = lookupWeight(linear, linear.getWeightAttr());
    std::optional<WeightType> type = weight.quantization();
    int bits = activationBits(linear.getInput());
    out.push_back({weight.getSource().str(),
                   type             ? std::string(weightTypeName(*type))
                   : isHalf(weight) ? "fp16"
                                    : "float",
                   bits == 8           ? "a8"
                   : bits == kHalfBits ? "fp16"
                                       : "a16"});
  }
  return out;
}

} // namespace lpu::compiler::llm
