// Compiling some of a model's steps.
#pragma once

#include "lpu/isa/Result.h"

#include "mlir/IR/BuiltinOps.h"

#include <string>
#include <vector>

namespace lpu::compiler {

/// Erases the planned steps of all classes that `wanted` does not name: by kind (decode, prefill, encode) or by the
/// step's own name. Without any, all stay. Error, without a place: a name that no step has.
Status keepSteps(mlir::ModuleOp module, const std::vector<std::string> &wanted);

} // namespace lpu::compiler
