// The most positions a context can have, known before anything is lowered.
#pragma once

#include "mlir/IR/BuiltinOps.h"

#include <cstdint>
#include <string>

namespace lpu::isa {
struct Machine;
}

namespace lpu::compiler {

struct ContextLimit {
  std::int64_t positions = 0;
  std::string reason; ///< a clause: "tables of rope fill a memory bank"
};

/// What neither more chips nor fewer programs can change: number formats, and tables that lie in one memory bank.
/// `module` is of stage llm and quantized; for an encoder it is the longest sequence.
ContextLimit contextLimit(const isa::Machine &machine, mlir::ModuleOp module);

/// Attention in tiles: sums of more than twice as many positions may leave int32 (numerics.md N11).
inline constexpr std::int64_t kMostTilePositions = 32767;
/// Positions that share a row of attention in tiles' tables of rope: as many as fill a vector with halves of heads.
std::int64_t ropePositionsPerRow(const isa::Machine &machine, std::int64_t headDim);

} // namespace lpu::compiler
