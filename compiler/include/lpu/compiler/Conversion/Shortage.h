// What a module had no room for, told by the pass that failed beside its error. The driver chooses what to try next by
// it, and never by the words of the error.
#pragma once

#include "mlir/IR/BuiltinOps.h"

#include <optional>

namespace lpu::compiler {

enum class Shortage {
  Place, ///< some objects have no place where they are needed; the chip may have room elsewhere
  Chip,  ///< the chip is full
};

/// Notes it at the module that `op` is, or is in. The IR of a failed pass is thrown away, and the note with it.
void noteShortage(mlir::Operation *op, Shortage shortage);
/// The gravest one noted in `module` and the modules of chip classes in it; none: it failed for another reason.
std::optional<Shortage> shortageOf(mlir::ModuleOp module);

} // namespace lpu::compiler
