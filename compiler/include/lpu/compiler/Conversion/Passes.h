// Creation and registration of the lowering passes.
#pragma once

#include "mlir/IR/BuiltinOps.h"
#include "mlir/Pass/Pass.h"

#include <cstdint>

namespace lpu::isa {
struct Machine;
}
namespace lpu::stream {
class StreamDialect;
}
namespace lpu::timed {
class LpuDialect;
}

namespace lpu::compiler {

/// The most tokens a prefill step may feed when `shards` chips share each layer: their digits for the widest layer must
/// fit a plane's activation rows, or half of them. 0 when not even one token fits.
std::int64_t prefillTokens(const isa::Machine &machine, mlir::ModuleOp module, std::int64_t shards = 1);

/// Tokens of a chunk whose digits wait in memory, for models whose weights take long to stream; 0 for others. With as
/// many tokens as a tile has row groups but one, passes and install of a tile take as long as loading the next one:
/// tiles are loaded without a gap, and instruction text stays as short as that of a decode step. `headShards` chips
/// share the vocabulary.
std::int64_t chunkTokens(const isa::Machine &machine, mlir::ModuleOp module, std::int64_t shards = 1,
                         std::int64_t headShards = 1);

#define GEN_PASS_DECL
#define GEN_PASS_REGISTRATION
#include "lpu/compiler/Conversion/Passes.h.inc"

} // namespace lpu::compiler
