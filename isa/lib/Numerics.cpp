// The scalar functions of the machine's arithmetic, one definition for simulator
// and reference interpreter (LaneOps.h); NumericsLanes.cpp has the lane loops.
#include "LaneOps.h"

namespace lpu::isa {

std::int32_t floatToInt32(float v) { return toInt32(v); }
std::int32_t floatToInt(float v, std::int32_t lo, std::int32_t hi) { return toIntClipped(v, lo, hi); }
std::uint16_t floatToHalf(float v) { return static_cast<std::uint16_t>(toHalf(v)); }
float halfToFloat(std::uint16_t bits) { return asFloat(fromHalf(bits)); }
float expF32(float v) { return asFloat(expBits(v)); }
float tanhF32(float v) { return asFloat(tanhBits(v)); }
float rsqrtF32(float v) { return asFloat(rsqrtBits(v)); }
float recipF32(float v) { return asFloat(recipBits(v)); }

std::int8_t digit32(std::int32_t v, int index) {
  const std::uint32_t digits = (asBits(v) + kDigit32Bias) ^ kDigit32Bias;
  return static_cast<std::int8_t>(digits >> (8 * index));
}

std::uint32_t vxmOp(Opcode opcode, std::uint32_t a, std::uint32_t b, std::uint32_t c) { return lane(opcode, a, b, c); }

} // namespace lpu::isa
