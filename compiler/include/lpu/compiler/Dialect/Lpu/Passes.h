// Creation and registration of the lpu passes.
#pragma once

#include "mlir/IR/BuiltinOps.h"
#include "mlir/Pass/Pass.h"

namespace lpu::timed {

#define GEN_PASS_DECL
#define GEN_PASS_REGISTRATION
#include "lpu/compiler/Dialect/Lpu/Passes.h.inc"

} // namespace lpu::timed
