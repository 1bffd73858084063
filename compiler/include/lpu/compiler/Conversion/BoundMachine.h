// The machine that mapped IR is for: places, words and cycles hold on no other.
#pragma once

#include "lpu/isa/Machine.h"
#include "lpu/isa/Result.h"

#include "mlir/IR/BuiltinOps.h"

namespace lpu::compiler {

/// Module attributes of the stream and lpu stages: the machine's name, and the hash of its description (16 hex digits).
inline constexpr llvm::StringLiteral kMachineAttr = "llm.machine", kMachineHashAttr = "llm.machine_hash";

/// Notes in `module` that it is mapped for `machine`.
void bindMachine(mlir::ModuleOp module, const isa::Machine &machine);
/// Error (place empty): `module` is mapped for another machine; says which. One that notes none is accepted.
Status checkMachine(mlir::ModuleOp module, const isa::Machine &machine);

} // namespace lpu::compiler
