// Loops over lanes that decide the simulator's speed, compiled for several
// instruction sets and chosen once at start. All of them compute the same exact
// integers, so the choice cannot change a result.
#pragma once

#include <cstdint>

namespace lpu::sim {

/// Σ w[i]·x[i] over `count` int8 values, exact (count ≤ 2^16).
std::int32_t dotInt8(const std::int8_t *w, const std::int16_t *x, int count);
/// out[r] = Σ rows[r][first + i]·x[i] for 16 rows, exact.
void dotRows(const std::int8_t *const rows[16], int first, const std::int16_t *x, int count, std::int32_t *out);

/// out[i] = byte `plane` of in[i], 0 the lowest.
void bytePlane(const std::uint32_t *in, std::uint8_t *out, int plane, int lanes);
/// 32-bit lanes from 1 or 2 (sign-extended) or 4 byte planes, lowest first.
void joinBytes(const std::uint8_t *const *in, std::uint32_t *out, int bytes, int lanes);

} // namespace lpu::sim
