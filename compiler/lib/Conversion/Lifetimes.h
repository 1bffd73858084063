// Which scratch objects are never needed at once, and may therefore lie in the same rows.
#pragma once

#include "lpu/compiler/Dialect/Stream/Stream.h"

#include "mlir/IR/BuiltinOps.h"
#include "llvm/ADT/BitVector.h"
#include "llvm/ADT/DenseMap.h"

namespace lpu::compiler {

/// Phases are barriers, so what a phase leaves for none of the next ones is free behind it. Nothing survives a step.
class Lifetimes {
public:
  explicit Lifetimes(mlir::ModuleOp module);
  bool overlap(stream::ObjectOp a, stream::ObjectOp b) const;

private:
  /// Rows of an object that a phase reads before it writes them, and those it writes.
  struct Use {
    llvm::BitVector exposed, written;
  };
  using PhaseUses = llvm::DenseMap<mlir::Attribute, Use>;

  PhaseUses usesOf(stream::PhaseOp phase);

  llvm::DenseMap<mlir::Attribute, std::int64_t> rows;    ///< of each scratch object, by name
  llvm::DenseMap<mlir::Attribute, llvm::BitVector> live; ///< over the phases of all programs
};

} // namespace lpu::compiler
