// A discardable attribute: passes on the modules of chip classes run at the same time, and each may change its own
// module alone.
#include "lpu/compiler/Conversion/Shortage.h"

#include "mlir/IR/BuiltinAttributes.h"

#include <algorithm>

namespace lpu::compiler {
namespace {
constexpr llvm::StringLiteral kAttribute = "lpu.shortage";
} // namespace

void noteShortage(mlir::Operation *op, Shortage shortage) {
  auto module = mlir::isa<mlir::ModuleOp>(op) ? mlir::cast<mlir::ModuleOp>(op) : op->getParentOfType<mlir::ModuleOp>();
  auto type = mlir::IntegerType::get(op->getContext(), 32);
  module->setAttr(kAttribute, mlir::IntegerAttr::get(type, static_cast<std::int64_t>(shortage)));
}

std::optional<Shortage> shortageOf(mlir::ModuleOp module) {
  std::optional<Shortage> gravest;
  module.walk<mlir::WalkOrder::PreOrder>([&](mlir::Operation *op) {
    if (!mlir::isa<mlir::ModuleOp>(op))
      return mlir::WalkResult::skip(); // modules are in modules alone
    if (auto noted = op->getAttrOfType<mlir::IntegerAttr>(kAttribute))
      gravest = std::max(gravest, std::optional(static_cast<Shortage>(noted.getInt())));
    return mlir::WalkResult::advance();
  });
  return gravest;
}

} // namespace lpu::compiler
