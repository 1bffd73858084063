// Creation and registration of the lowering passes.
#pragma once

#include "mlir/IR/BuiltinOps.h"
#include "mlir/Pass/Pass.h"

namespace lpu::stream { class StreamDialect; }
namespace lpu::timed { class LpuDialect; }

namespace lpu::compiler {

#define GEN_PASS_DECL
#define GEN_PASS_REGISTRATION
#include "lpu/compiler/Conversion/Passes.h.inc"

} // namespace lpu::compiler
