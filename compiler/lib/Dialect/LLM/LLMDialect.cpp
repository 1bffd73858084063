// Registration of the llm dialect, its quantized types and symbol look-ups.

#include "lpu/compiler/Dialect/LLM/LLM.h"

#include "lpu/compiler/Support/HalfType.h"

#include "mlir/IR/Builders.h"
#include "mlir/IR/DialectImplementation.h"
#include "llvm/ADT/TypeSwitch.h"

#include "lpu/compiler/Dialect/LLM/LLMDialect.cpp.inc"
#include "lpu/compiler/Dialect/LLM/LLMEnums.cpp.inc"
#define GET_ATTRDEF_CLASSES
#include "lpu/compiler/Dialect/LLM/LLMAttrs.cpp.inc"
#define GET_OP_CLASSES
#include "lpu/compiler/Dialect/LLM/LLMOps.cpp.inc"

namespace lpu::compiler::llm {

void LLMDialect::initialize() {
  addOperations<
#define GET_OP_LIST
#include "lpu/compiler/Dialect/LLM/LLMOps.cpp.inc"
      >();
  addAttributes<
#define GET_ATTRDEF_LIST
#include "lpu/compiler/Dialect/LLM/LLMAttrs.cpp.inc"
      >();
}

mlir::quant::UniformQuantizedType activationType(mlir::MLIRContext *context, double scale, int bits) {
  std::int64_t largest = bits == 8 ? 127 : 32639;
  return mlir::quant::UniformQuantizedType::get(mlir::quant::QuantizationFlags::Signed,
                                                mlir::IntegerType::get(context, static_cast<unsigned>(bits)),
                                                mlir::Float32Type::get(context), scale, 0, -largest, largest);
}

mlir::quant::AnyQuantizedType weightType(mlir::MLIRContext *context, WeightType type) {
  auto integer = [&](unsigned bits, std::int64_t low, std::int64_t high) {
    return mlir::quant::AnyQuantizedType::get(mlir::quant::QuantizationFlags::Signed,
                                              mlir::IntegerType::get(context, bits), mlir::Float32Type::get(context),
                                              low, high);
  };
  return type == WeightType::Int8        ? integer(8, -127, 127)
         : type == WeightType::Int8Group ? integer(8, -128, 127)
                                         : integer(4, -8, 7);
}

mlir::quant::AnyQuantizedType weightType(mlir::MLIRContext *context) { return weightType(context, WeightType::Int8); }

std::optional<double> activationScale(mlir::Type type) {
  if (mlir::getElementTypeOrSelf(type).isF16())
    return 1.0;
  auto quantized = llvm::dyn_cast<mlir::quant::UniformQuantizedType>(mlir::getElementTypeOrSelf(type));
  if (!quantized || (quantized != activationType(type.getContext(), quantized.getScale()) &&
                     quantized != activationType(type.getContext(), quantized.getScale(), 8)))
    return std::nullopt;
  return quantized.getScale();
}

int activationBits(mlir::Value value) {
  if (mlir::getElementTypeOrSelf(value.getType()).isF16())
    return kHalfBits;
  auto quantized = llvm::dyn_cast<mlir::quant::UniformQuantizedType>(mlir::getElementTypeOrSelf(value.getType()));
  return quantized && activationScale(value) ? static_cast<int>(quantized.getStorageTypeIntegralWidth()) : 0;
}

int64_t width(mlir::Value value) { return llvm::cast<mlir::RankedTensorType>(value.getType()).getShape().back(); }

LinearOp projectionOf(mlir::Value headed) {
  mlir::Operation *source = headed.getDefiningOp();
  while (llvm::isa_and_nonnull<RopeOp, HeadNormOp>(source))
    source = source->getOperand(0).getDefiningOp();
  return llvm::dyn_cast_or_null<LinearOp>(source);
}

bool normsBranch(RmsNormOp op) { return !op->use_empty() && llvm::all_of(op->getUsers(), llvm::IsaPred<AddOp>); }

mlir::FlatSymbolRefAttr freqsOf(RopeOp op) {
  auto attention = op.getLongFreqs() ? llvm::dyn_cast<AttentionOp>(*op->getUsers().begin()) : AttentionOp();
  bool isLong = attention && lookupCache(attention, attention.getCacheAttr()).getCapacity() > *op.getOriginal();
  return isLong ? op.getLongFreqsAttr() : op.getFreqsAttr();
}

bool isWide(HeadNormOp op) {
  auto rope = llvm::dyn_cast<RopeOp>(*op->getUsers().begin());
  return rope && rope.getHeads() > 1 && lookupWeight(op, op.getWeightAttr()).getCols() == width(op.getResult());
}

WeightOp lookupWeight(mlir::Operation *user, mlir::FlatSymbolRefAttr symbol) {
  return mlir::SymbolTable::lookupNearestSymbolFrom<WeightOp>(user->getParentOfType<mlir::ModuleOp>(), symbol);
}

KVCacheOp lookupCache(mlir::Operation *user, mlir::FlatSymbolRefAttr symbol) {
  return mlir::SymbolTable::lookupNearestSymbolFrom<KVCacheOp>(user->getParentOfType<mlir::ModuleOp>(), symbol);
}

bool prefersTiles(KVCacheOp cache) {
  // Sweeps take time in proportion to positions and width, tiles about the same for any model a chip holds; they meet
  // near this product.
  constexpr std::uint64_t kTilesFrom = 1 << 17;
  return cache.getHeadDim() % 32 == 0 && cache.getCapacity() * cache.getHeads() * cache.getHeadDim() >= kTilesFrom;
}

mlir::func::FuncOp forwardFunction(mlir::ModuleOp module) { return module.lookupSymbol<mlir::func::FuncOp>(kForward); }

std::optional<WeightType> WeightOp::quantization() {
  for (WeightType type : {WeightType::Int8, WeightType::Int8Group, WeightType::Int4Group})
    if (getTensorType().getElementType() == weightType(getContext(), type))
      return type;
  return std::nullopt;
}

} // namespace lpu::compiler::llm
