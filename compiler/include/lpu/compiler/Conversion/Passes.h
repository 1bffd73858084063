// Creation and registration of the lowering passes.
#pragma once

#include "mlir/IR/BuiltinOps.h"
#include "mlir/Pass/Pass.h"

#include <cstdint>

namespace lpu::isa { struct Machine; }
namespace lpu::stream { class StreamDialect; }
namespace lpu::timed { class LpuDialect; }

namespace lpu::compiler {

/// The most tokens a prefill step may feed when `shards` chips share each layer: their digits for the widest layer must
/// fit a plane's activation rows, or half of them. 0 when not even one token fits.
std::int64_t prefillTokens(const isa::Machine &machine, mlir::ModuleOp module, std::int64_t shards = 1);

#define GEN_PASS_DECL
#define GEN_PASS_REGISTRATION
#include "lpu/compiler/Conversion/Passes.h.inc"

} // namespace lpu::compiler
