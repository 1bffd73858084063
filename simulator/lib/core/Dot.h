// The MXM's arithmetic: exact int8 dot products.
#pragma once

#include <cstdint>

namespace lpu::sim {

/// Σ w[i]·x[i] over `count` int8 values, exact (count ≤ 2^16).
std::int32_t dotInt8(const std::int8_t *w, const std::int16_t *x, int count);

} // namespace lpu::sim
