// A discardable attribute: passes on the modules of chip classes run at the same time, and each may change its own
// module alone.
#include "lpu/compiler/Conversion/DoesNotFit.h"

#include "mlir/IR/BuiltinAttributes.h"

#include <utility>

namespace lpu::compiler {
namespace {
constexpr llvm::StringLiteral kAttribute = "lpu.does_not_fit"; // resource, wanted, capacity
} // namespace

void noteDoesNotFit(mlir::Operation *op, const DoesNotFit &what) {
  auto module = mlir::isa<mlir::ModuleOp>(op) ? mlir::cast<mlir::ModuleOp>(op) : op->getParentOfType<mlir::ModuleOp>();
  module->setAttr(kAttribute, mlir::DenseI64ArrayAttr::get(op->getContext(), {static_cast<std::int64_t>(what.resource),
                                                                              what.wanted, what.capacity}));
}

std::optional<DoesNotFit> doesNotFit(mlir::ModuleOp module) {
  std::optional<DoesNotFit> gravest;
  module.walk<mlir::WalkOrder::PreOrder>([&](mlir::Operation *op) {
    if (!mlir::isa<mlir::ModuleOp>(op))
      return mlir::WalkResult::skip(); // modules are in modules alone
    if (auto noted = op->getAttrOfType<mlir::DenseI64ArrayAttr>(kAttribute)) {
      DoesNotFit what{static_cast<Resource>(noted[0]), noted[1], noted[2]};
      if (!gravest || std::pair(gravest->resource, gravest->wanted) < std::pair(what.resource, what.wanted))
        gravest = what;
    }
    return mlir::WalkResult::advance();
  });
  return gravest;
}

} // namespace lpu::compiler
