// What a module had no room for, told by the pass that failed beside its error. The search over partitions (Fit)
// chooses what to try next by this value, and never by the words of the error.
#pragma once

#include "mlir/IR/BuiltinOps.h"

#include <cstdint>
#include <optional>

namespace lpu::compiler {

/// What there is too little of.
enum class Resource {
  Queue,    ///< dispatches of a queue in one cycle: objects that a flow needs together are in the same slice
  BankRows, ///< rows of a memory bank, for an object that has to be in one
  Memory,   ///< bytes of a chip, for weights, caches and activations
  Text,     ///< bytes of a chip that those leave for instruction text
};

struct DoesNotFit {
  Resource resource = Resource::Memory;
  std::int64_t wanted = 0;   ///< in the resource's unit
  std::int64_t capacity = 0; ///< no less than `wanted` if there is enough, but only in pieces
  bool operator==(const DoesNotFit &) const = default;
};

/// Whether chips with less of the model on them have more of the resource to spare.
inline bool helpsToShare(Resource resource) { return resource == Resource::Memory || resource == Resource::Text; }

/// Notes it at the module that `op` is, or is in. The IR of a failed pass is thrown away, and the note with it.
void noteDoesNotFit(mlir::Operation *op, const DoesNotFit &what);
/// The gravest one noted in `module` and the modules of chip classes in it: of the last resource in the order above,
/// the one with the most wanted. None: it failed for another reason.
std::optional<DoesNotFit> doesNotFit(mlir::ModuleOp module);

} // namespace lpu::compiler
