// What the driver says about contexts.
#pragma once

#include "lpu/compiler/Pipelines/Driver.h"

#include "mlir/IR/BuiltinOps.h"

#include <optional>
#include <string>

namespace lpu::compiler {

/// The line for a user whose program will have a shorter context than the model; empty when it has the same, or when
/// the user said which.
std::string noteOfContext(mlir::ModuleOp unplanned, std::uint64_t asked);

/// Why a planned model's context is impossible on any number of chips, and the largest that works; nothing when all is
/// well. May compile to find out. Diagnostics of the attempts go to the context's handler.
std::optional<std::string> contextProblem(mlir::ModuleOp planned, const DriverOptions &options,
                                          const isa::Machine &machine);

} // namespace lpu::compiler
