// One class of a system's program.
#pragma once

#include "lpu/compiler/Dialect/Lpu/Lpu.h"
#include "lpu/isa/Program.h"

#include "mlir/IR/BuiltinOps.h"

namespace lpu::compiler {

/// Regions and step programs of a class module; offsets into the image count from the start of a chip's own. An error
/// names the queue whose instruction cannot be encoded.
Result<isa::ChipClass> emitClass(mlir::ModuleOp module, const std::string &name, const isa::Machine &machine);

} // namespace lpu::compiler
