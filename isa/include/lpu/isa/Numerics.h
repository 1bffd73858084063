// The only definition of the machine's arithmetic (docs/spec/numerics.md). The
// simulator and the compiler's reference interpreter both call these functions;
// nothing here may depend on the host CPU, libm, or compiler flags.
#pragma once

#include "lpu/isa/Instruction.h"

#include <cstdint>

namespace lpu::isa {

// Every NaN that an operation makes is 0x7FC00000 (fp16: 0x7E00), whatever its
// operands; operations that only choose or move (move, maxf, minf, select) keep bits.
std::int32_t floatToInt32(float v);                                 ///< nearest even, saturating, NaN -> 0
std::int32_t floatToInt(float v, std::int32_t lo, std::int32_t hi); ///< same, clipped to [lo, hi]
std::uint16_t floatToHalf(float v);                                 ///< nearest even, overflow to infinity
float halfToFloat(std::uint16_t bits);
float expF32(float v);   ///< <= 2 ulp; 0 below -103.97, +inf above 88.73, NaN -> NaN; results under 2^-126 flush to 0
float tanhF32(float v);  ///< <= 2 ulp; keeps the sign of zero, NaN -> NaN
float rsqrtF32(float v); ///< <= 2 ulp; 0 -> +inf, negative -> NaN
float recipF32(float v); ///< <= 1 ulp: correctly rounded 1/v

/// Largest magnitude of two balanced int8 digits: 127 * 256 + 127.
inline constexpr std::int32_t kDigit16Max = 32639;
/// Largest magnitude of four balanced int8 digits: 127 * (2^24 + 2^16 + 2^8 + 1).
inline constexpr std::int32_t kDigit32Max = 2139062143;
/// Bias-and-flip constants: bytes of (v + bias) ^ bias are v's balanced digits.
inline constexpr std::uint32_t kDigit16Bias = 0x00000080u, kDigit32Bias = 0x00808080u;
/// Balanced digit `index` (0 lowest) of a 4-digit split of v (wrapping addition of the bias).
std::int8_t digit32(std::int32_t v, int index);

/// What MXM's fp16 mode sums: for each of `rows` rows of `count` fp16 values the products with `x` and their sum,
/// exact, rounded once to fp32. The canonical NaN where an infinity or NaN is among the factors; an exact 0 is +0. At
/// most 4,096 values.
void halfDots(const std::uint16_t *rowValues, int rows, const std::uint16_t *x, int count, float *out);

/// One VXM lane operation on 32-bit patterns (fp32 operations reinterpret them).
std::uint32_t vxmOp(Opcode opcode, std::uint32_t a, std::uint32_t b, std::uint32_t c);
/// The same for `lanes` lanes, bit for bit, several times faster. Operands the
/// operation does not have are not read and may be null; `out` may be an operand.
void vxmOp(Opcode opcode, const std::uint32_t *a, const std::uint32_t *b, const std::uint32_t *c, std::uint32_t *out,
           int lanes);

} // namespace lpu::isa
