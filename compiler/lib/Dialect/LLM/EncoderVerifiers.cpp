// Constraints of the operations of encoders, as LLMVerifiers.cpp has those of the others.

#include "lpu/compiler/Dialect/LLM/LLM.h"

#include "lpu/isa/Numerics.h"

namespace lpu::compiler::llm {
namespace {

using mlir::LogicalResult;
using mlir::success;

bool isFloat(mlir::Value value) { return mlir::getElementTypeOrSelf(value.getType()).isF32(); }
bool isInt16(mlir::Value value) { return activationScale(value).has_value(); }
bool sameShape(mlir::Value a, mlir::Value b) {
  return llvm::cast<mlir::RankedTensorType>(a.getType()).getShape() ==
         llvm::cast<mlir::RankedTensorType>(b.getType()).getShape();
}
bool positive(const llvm::APFloat &value) { return value.isFinite() && !value.isZero() && !value.isNegative(); }

WeightOp lookup(mlir::SymbolTableCollection &tables, mlir::Operation *user, mlir::FlatSymbolRefAttr symbol) {
  return tables.lookupNearestSymbolFrom<WeightOp>(user, symbol);
}

LogicalResult needFloat(mlir::Operation *op, mlir::Value value) {
  return isFloat(value) ? success() : op->emitOpError("C1: input and result must be f32, found ") << value.getType();
}

} // namespace

LogicalResult EmbeddingSumOp::verify() { return success(); }

LogicalResult EmbeddingSumOp::verifySymbolUses(mlir::SymbolTableCollection &tables) {
  for (mlir::FlatSymbolRefAttr symbol : {getWordsAttr(), getPositionsAttr(), getTypesAttr()}) {
    if (!symbol)
      continue;
    auto weight = lookup(tables, *this, symbol);
    if (!weight || weight.getTensorType().getRank() != 2 || weight.isQuantized())
      return emitOpError("C1: ") << symbol << " is not an llm.weight of rank 2 with f32 or f16 elements";
    if (!isFloat(getResult()) || width(getResult()) != weight.getCols())
      return emitOpError("C2: result must be f32 and ")
             << weight.getCols() << " wide like table " << symbol << ", found " << getResult().getType();
  }
  return success();
}

LogicalResult LayerNormOp::verify() {
  if (!positive(getEps()))
    return emitOpError("C2: eps must be positive and finite, found ") << getEpsAttr();
  return isFloat(getInput()) ? success() : emitOpError("C3: needs an f32 input, found ") << getInput().getType();
}

LogicalResult LayerNormOp::verifySymbolUses(mlir::SymbolTableCollection &tables) {
  for (mlir::FlatSymbolRefAttr symbol : {getWeightAttr(), getBiasAttr()}) {
    auto weight = lookup(tables, *this, symbol);
    if (!weight || weight.getTensorType().getRank() != 1 || weight.getCols() != width(getInput()))
      return emitOpError("C1: ") << symbol << " is not an llm.weight of rank 1 with " << width(getInput())
                                 << " elements";
  }
  return success();
}

LogicalResult QuantizeOp::verify() {
  bool rounds = activationBits(getResult()) != 0 || (isFloat(getInput()) && isFloat(getResult()));
  if (!(isFloat(getInput()) || isInt16(getInput())) || !rounds || !sameShape(getInput(), getResult()))
    return emitOpError("C1: needs an f32 or int16 input and an int16 result of its shape, found ")
           << getInput().getType() << " and " << getResult().getType();
  if (!getLow() && !getHigh())
    return success();
  auto low = static_cast<std::int32_t>(getLow().value_or(1)), high = static_cast<std::int32_t>(getHigh().value_or(-1));
  if (low > 0 || high < 0 || low < -isa::kDigit16Max || high > isa::kDigit16Max)
    return emitOpError("C2: low and high must come together, around 0 and within 32639 of it");
  return success();
}

LogicalResult GeluOp::verify() { return needFloat(*this, getInput()); }
LogicalResult TanhOp::verify() { return needFloat(*this, getInput()); }
LogicalResult ReluOp::verify() { return needFloat(*this, getInput()); }
LogicalResult SigmoidOp::verify() { return needFloat(*this, getInput()); }
LogicalResult NormalizeOp::verify() { return needFloat(*this, getInput()); }
LogicalResult SiluOp::verify() {
  if (!positive(getSlope()))
    return emitOpError("C2: slope must be positive and finite, found ") << getSlopeAttr();
  return needFloat(*this, getInput());
}
LogicalResult MeanOp::verify() {
  auto type = llvm::cast<mlir::RankedTensorType>(getResult().getType());
  if (type.getDimSize(0) != 1 || !isFloat(getInput()) || !isFloat(getResult()) ||
      width(getInput()) != width(getResult()))
    return emitOpError("C1: input and result must be f32 and equally wide, the result with one row, found ")
           << getInput().getType() << " and " << type;
  return success();
}
LogicalResult FirstOp::verify() {
  auto type = llvm::cast<mlir::RankedTensorType>(getResult().getType());
  if (type.getDimSize(0) != 1 || type.getElementType() != mlir::getElementTypeOrSelf(getInput().getType()) ||
      width(getInput()) != width(getResult()))
    return emitOpError("C1: result must be the input's type with one row, found ")
           << getInput().getType() << " and " << type;
  return success();
}
LogicalResult SelfAttentionOp::verify() {
  auto heads = static_cast<std::int64_t>(getHeads());
  bool alike =
      sameShape(getQuery(), getKey()) && sameShape(getQuery(), getValue()) && sameShape(getQuery(), getResult());
  if (!alike || heads < 1 || width(getQuery()) % heads)
    return emitOpError("C1: queries, keys, values and result must have one shape of a width that ")
           << heads << " heads divide";
  bool real = isFloat(getQuery()) && isFloat(getKey()) && isFloat(getValue()) && isFloat(getResult());
  bool quantized =
      isInt16(getQuery()) && isInt16(getKey()) && isInt16(getValue()) && getValue().getType() == getResult().getType();
  if (!real && !quantized)
    return emitOpError("C2: needs all f32, or all int16 with one scale for values and result, found ")
           << getQuery().getType() << ", " << getKey().getType() << ", " << getValue().getType() << " and "
           << getResult().getType();
  if (!positive(getScale()))
    return emitOpError("C3: scale must be positive and finite, found ") << getScaleAttr();
  return success();
}
} // namespace lpu::compiler::llm
