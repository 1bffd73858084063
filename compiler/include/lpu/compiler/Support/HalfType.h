// fp16 where other precisions are integers (docs/spec/numerics.md N15, N16).
#pragma once

#include <cstdint>

namespace lpu::compiler {

/// The number that stands for fp16 where others are the bits of an integer activation.
inline constexpr int kHalfBits = -16;
/// Columns whose products are summed exactly in fp16 linears (N15).
inline constexpr std::uint32_t kHalfBlock = 160;
/// Products of queries and fp16 keys are counted in steps of its inverse (N16).
inline constexpr float kHalfStep = 0x1p-7f;

/// N16: the part of a bound over `width` inputs that int8 keys (of rope pairs) and values may reach before they
/// saturate.
double keyRange(std::uint32_t width);
double valueRange(std::uint32_t width);
/// What values in units of the result's scale are multiplied by to be stored in steps of `step` of them, and what comes
/// out.
struct ValueConstants {
  float stored, result;
};
ValueConstants valueConstants(double step);

} // namespace lpu::compiler
