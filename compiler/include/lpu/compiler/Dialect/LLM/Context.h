// How many positions a model is planned for.
#pragma once

#include "mlir/IR/BuiltinOps.h"

#include <cstdint>

namespace lpu::compiler::llm {

/// Contexts people ask for that are no numbers: the usual one, and as long as the model's own.
inline constexpr std::uint64_t kUsualContext = 0, kModelContext = ~std::uint64_t{0};
/// The usual context of a decoder, unless its own is shorter: models trained for 131,072 positions are rarely fed as
/// many, and every position takes memory.
inline constexpr std::uint64_t kUsualPositions = 4096;

/// Positions of a model that is not planned yet: of its caches, or of an encoder's longest sequence.
std::uint64_t ownContext(mlir::ModuleOp module);
/// The max-context for llm-plan-steps when `asked` was asked for.
std::uint64_t contextToPlan(mlir::ModuleOp module, std::uint64_t asked);

} // namespace lpu::compiler::llm
