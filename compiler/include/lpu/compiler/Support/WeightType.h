// How the machine stores the weights of a linear. A header of its own because the
// llm dialect, which everything includes, needs no more of the weights.
#pragma once

#include <cstdint>

namespace lpu::compiler {

/// docs/spec/numerics.md N3, N12.
enum class WeightType {
  Int8,      ///< int8, an fp32 scale per row
  Int8Group, ///< int8, an fp16 scale per 32 columns; a file's own Q8_0 or Q4_0 blocks as they are
  Int4Group, ///< the same with values −8..7; a file's own Q4_0 blocks as they are
};

/// Columns that share a scale.
inline constexpr std::uint32_t kWeightGroup = 32;

} // namespace lpu::compiler
