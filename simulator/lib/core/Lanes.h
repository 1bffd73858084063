// Loops over lanes that decide the simulator's speed, compiled for several
// instruction sets and chosen once at start. All of them compute the same exact
// integers, so the choice cannot change a result.
#pragma once

#include <cstdint>

namespace lpu::sim {

/// Lanes of a vector to multiply with, and their sum.
struct DotOperand {
  const std::int8_t *x = nullptr;
  std::int32_t total = 0;
};
/// Σ x[i] over `count` values.
std::int32_t sumInt8(const std::int8_t *x, int count);
constexpr int kMaxDotLanes = 512; ///< a superlane for each bit of a play's mask
/// out[v][r] = Σ rows[r][first + i]·x[v].x[i] over `count` ≤ kMaxDotLanes lanes, exact, for 16·groups rows and 1 or 2
/// vectors; each row is read once, in order. Totals are over the same lanes.
void dotRows(const std::int8_t *const *rows, int groups, int first, int count, const DotOperand *x, int vectors,
             std::int32_t *const *out);

/// out[i] = byte `plane` of in[i], 0 the lowest.
void bytePlane(const std::uint32_t *in, std::uint8_t *out, int plane, int lanes);
/// 32-bit lanes from 1 or 2 (sign-extended) or 4 bytes, lowest first.
void joinBytes(const std::uint8_t *const *in, std::uint32_t *out, int bytes, int lanes);

/// b[i] += a[i] modulo 2³²; true: as signed numbers some lane left 32 bits.
bool addSums(const std::uint32_t *a, std::uint32_t *b, int lanes);
/// In every superlane of 16: out[i] = in[from[i]], 0 where from[i] ≥ 128. `out` is not `in`.
void shuffleSuperlanes(const std::uint8_t *in, std::uint8_t *out, const std::uint8_t from[16], int superlanes);
/// In every superlane: out[j][i] = in[i][j], 16 vectors each.
void transposeSuperlanes(const std::uint8_t *const in[16], std::uint8_t *const out[16], int superlanes);

} // namespace lpu::sim
