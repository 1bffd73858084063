// Registration of the llm dialect, its quantized types and symbol look-ups.

#include "lpu/compiler/Dialect/LLM/LLM.h"

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

mlir::quant::UniformQuantizedType activationType(mlir::MLIRContext *context, double scale) {
  return mlir::quant::UniformQuantizedType::get(mlir::quant::QuantizationFlags::Signed,
                                                mlir::IntegerType::get(context, 16), mlir::Float32Type::get(context),
                                                scale, 0, -32639, 32639);
}

mlir::quant::AnyQuantizedType weightType(mlir::MLIRContext *context) {
  return mlir::quant::AnyQuantizedType::get(mlir::quant::QuantizationFlags::Signed, mlir::IntegerType::get(context, 8),
                                            mlir::Float32Type::get(context), -127, 127);
}

std::optional<double> activationScale(mlir::Type type) {
  auto quantized = llvm::dyn_cast<mlir::quant::UniformQuantizedType>(mlir::getElementTypeOrSelf(type));
  if (!quantized || quantized != activationType(type.getContext(), quantized.getScale()))
    return std::nullopt;
  return quantized.getScale();
}

int64_t width(mlir::Value value) { return llvm::cast<mlir::RankedTensorType>(value.getType()).getShape().back(); }

WeightOp lookupWeight(mlir::Operation *user, mlir::FlatSymbolRefAttr symbol) {
  return mlir::SymbolTable::lookupNearestSymbolFrom<WeightOp>(user->getParentOfType<mlir::ModuleOp>(), symbol);
}

KVCacheOp lookupCache(mlir::Operation *user, mlir::FlatSymbolRefAttr symbol) {
  return mlir::SymbolTable::lookupNearestSymbolFrom<KVCacheOp>(user->getParentOfType<mlir::ModuleOp>(), symbol);
}

bool prefersTiles(KVCacheOp cache) {
  // Sweeps take time in proportion to positions and width, tiles about the same for any model a chip holds; they meet near this product.
  constexpr std::uint64_t kTilesFrom = 1 << 17;
  return cache.getHeadDim() % 32 == 0 && cache.getCapacity() * cache.getHeads() * cache.getHeadDim() >= kTilesFrom;
}

mlir::func::FuncOp forwardFunction(mlir::ModuleOp module) { return module.lookupSymbol<mlir::func::FuncOp>(kForward); }

bool WeightOp::isQuantized() { return getTensorType().getElementType() == weightType(getContext()); }

} // namespace lpu::compiler::llm
