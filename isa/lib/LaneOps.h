// Arithmetic of one lane (docs/spec/numerics.md), for the scalar functions and the
// lane loops alike. Only IEEE binary32 + - * / and sqrt, each correctly rounded,
// and integer operations are used, so a result depends on nothing but its
// operands. NaN payloads do differ between hosts (and between operand orders),
// hence every NaN an operation makes becomes one fixed pattern. All functions are
// free of branches on data, so that the lane loops vectorise, and always inlined,
// so that each loop gets them in its own instruction set.
#pragma once

#include "lpu/isa/Numerics.h"

#include <bit>
#include <cmath>

namespace lpu::isa {

#define LPU_INLINE [[gnu::always_inline]] inline

inline constexpr std::uint32_t kSignBit = 0x80000000u, kInfinityBits = 0x7F800000u, kNanBits = 0x7FC00000u;
inline constexpr std::uint32_t kHalfInfinity = 0x7C00u, kHalfNan = 0x7E00u;

LPU_INLINE float asFloat(std::uint32_t bits) { return std::bit_cast<float>(bits); }
LPU_INLINE std::uint32_t asBits(float v) { return std::bit_cast<std::uint32_t>(v); }
LPU_INLINE std::int32_t asInt(std::uint32_t bits) { return static_cast<std::int32_t>(bits); }
LPU_INLINE std::uint32_t asBits(std::int32_t v) { return static_cast<std::uint32_t>(v); }
LPU_INLINE std::uint32_t flag(bool v) { return v ? ~0u : 0u; }
LPU_INLINE std::uint32_t canonical(float v) { return v == v ? asBits(v) : kNanBits; }
LPU_INLINE float magnitude(float v) { return asFloat(asBits(v) & ~kSignBit); }
LPU_INLINE float withSignOf(float v, float sign) {
  return asFloat((asBits(v) & ~kSignBit) | (asBits(sign) & kSignBit));
}

LPU_INLINE std::int32_t toInt32(float v) {
  // Adding and removing 2^23 of v's sign rounds to an integer, nearest even;
  // from 2^23 on every value is an integer already.
  const float big = withSignOf(0x1p23f, v);
  const float rounded = magnitude(v) < 0x1p23f ? (v + big) - big : v;
  const bool inside = magnitude(v) < 0x1p31f;
  const std::int32_t converted = static_cast<std::int32_t>(inside ? rounded : 0.0f);
  const std::int32_t high = v >= 0x1p31f ? INT32_MAX : converted;
  return v <= -0x1p31f ? INT32_MIN : high;
}

LPU_INLINE std::int32_t toIntClipped(float v, std::int32_t lo, std::int32_t hi) {
  const std::int32_t i = toInt32(v);
  const std::int32_t low = i < lo ? lo : i;
  return low > hi ? hi : low;
}

LPU_INLINE std::uint32_t toHalf(float v) {
  const std::uint32_t bits = asBits(v) & ~kSignBit, sign = (asBits(v) & kSignBit) >> 16;
  // Normal results: rebias the exponent (127 to 15) and round the 13 dropped bits.
  const std::uint32_t normal = (bits - (112u << 23) + 0x0FFFu + (bits >> 13 & 1u)) >> 13;
  // Results below 2^-14: the ulp of values in [0.5, 1) is the fp16 subnormal step 2^-24.
  const std::uint32_t subnormal = asBits(asFloat(bits) + 0.5f) - asBits(0.5f);
  const std::uint32_t finite = bits < 0x38800000u ? subnormal : normal;
  const std::uint32_t clipped = bits >= 0x47800000u ? kHalfInfinity : finite;
  return (bits > kInfinityBits ? kHalfNan : sign | clipped);
}

LPU_INLINE std::uint32_t fromHalf(std::uint32_t half) {
  const std::uint32_t rest = half & 0x7FFFu, sign = (half & 0x8000u) << 16;
  const std::uint32_t normal = (rest << 13) + (112u << 23);
  // Exact: at most 10 significant bits, and the smallest result is 2^-24.
  const std::uint32_t subnormal = asBits(static_cast<float>(asInt(rest)) * 0x1p-24f);
  const std::uint32_t finite = rest < 0x0400u ? subnormal : normal;
  const std::uint32_t value = rest == kHalfInfinity ? kInfinityBits : finite;
  return rest > kHalfInfinity ? kNanBits : sign | value;
}

LPU_INLINE float powerOfTwo(std::int32_t n) { return asFloat(asBits(n + 127) << 23); }

/// e^v = 2^n * e^r with |r| <= ln(2)/2; e^r by a polynomial of degree 6.
LPU_INLINE float expValue(float v) {
  constexpr float kRound = 0x1.8p23f; // adding it rounds to an integer in the low bits
  constexpr float kLog2E = 0x1.715476p+0f, kLn2High = 0x1.62e4p-1f, kLn2Low = 0x1.7f7d1cp-20f;
  const float low = v < -104.0f ? -104.0f : v;
  const float x = low > 89.0f ? 89.0f : low;
  const float t = x * kLog2E + kRound;
  const std::int32_t n = asInt(asBits(t) - asBits(kRound));
  const float nf = t - kRound;
  const float r = (x - nf * kLn2High) - nf * kLn2Low; // the first product is exact
  float q = 0x1.6d10fep-10f;
  q = q * r + 0x1.120b64p-7f;
  q = q * r + 0x1.55551ap-5f;
  q = q * r + 0x1.5554dep-3f;
  q = q * r + 0.5f;
  const float p = (r * r * q + r) + 1.0f;
  // 2^n in two factors: n reaches 128 and -150. The second overflows to infinity.
  const std::int32_t half = n >> 1;
  const float scaled = p * powerOfTwo(half) * powerOfTwo(n - half);
  return scaled < 0x1p-126f ? 0.0f : scaled;
}

LPU_INLINE std::uint32_t expBits(float v) { return v == v ? asBits(expValue(v)) : kNanBits; }

/// Odd polynomial below 0.625, else 1 - 2 / (e^2a + 1) of the magnitude a.
LPU_INLINE std::uint32_t tanhBits(float v) {
  const float a = magnitude(v), z = a * a;
  float p = 0x1.2c83cp-9f;
  p = p * z - 0x1.116a16p-7f;
  p = p * z + 0x1.64a976p-6f;
  p = p * z - 0x1.ba08c4p-5f;
  p = p * z + 0x1.1110eap-3f;
  p = p * z - 0x1.555556p-2f;
  const float small = a + a * (z * p);
  const float large = 1.0f - 2.0f / (expValue(a + a) + 1.0f);
  const float value = withSignOf(a < 0.625f ? small : large, v);
  return v == v ? asBits(value) : kNanBits;
}

/// v + 0 turns -0 into +0, so both zeros give +inf.
LPU_INLINE std::uint32_t rsqrtBits(float v) { return canonical(1.0f / std::sqrt(v + 0.0f)); }
LPU_INLINE std::uint32_t recipBits(float v) { return canonical(1.0f / v); }

/// One lane of any VXM operation; with a constant opcode the switch folds away.
LPU_INLINE std::uint32_t lane(Opcode opcode, std::uint32_t a, std::uint32_t b, std::uint32_t c) {
  const float fa = asFloat(a), fb = asFloat(b);
  switch (opcode) {
  case Opcode::Move:
    return a;
  case Opcode::AddI:
    return a + b;
  case Opcode::SubI:
    return a - b;
  case Opcode::MulI:
    return a * b;
  case Opcode::MaxI:
    return asInt(a) > asInt(b) ? a : b;
  case Opcode::MinI:
    return asInt(a) < asInt(b) ? a : b;
  case Opcode::Shl:
    return a << (b & 31);
  case Opcode::Sra:
    return asBits(asInt(a) >> (b & 31));
  case Opcode::Srl:
    return a >> (b & 31);
  case Opcode::And:
    return a & b;
  case Opcode::Or:
    return a | b;
  case Opcode::Xor:
    return a ^ b;
  case Opcode::CmpEqI:
    return flag(a == b);
  case Opcode::CmpLtI:
    return flag(asInt(a) < asInt(b));
  case Opcode::AddF:
    return canonical(fa + fb);
  case Opcode::SubF:
    return canonical(fa - fb);
  case Opcode::MulF:
    return canonical(fa * fb);
  case Opcode::MaxF:
    return fa > fb ? a : b;
  case Opcode::MinF:
    return fa < fb ? a : b;
  case Opcode::CmpLtF:
    return flag(fa < fb);
  case Opcode::Select:
    return asInt(a) < 0 ? b : c;
  case Opcode::ReluF:
    return fa > 0.0f ? a : 0u;
  case Opcode::CvtI32F32:
    return asBits(static_cast<float>(asInt(a)));
  case Opcode::CvtF32I32:
    return asBits(toInt32(fa));
  case Opcode::CvtF32I16:
    return asBits(toIntClipped(fa, -32768, 32767));
  case Opcode::CvtF32D16:
    return asBits(toIntClipped(fa, -kDigit16Max, kDigit16Max));
  case Opcode::CvtF32D32:
    return asBits(toIntClipped(fa, -kDigit32Max, kDigit32Max));
  case Opcode::CvtF32I8:
    return asBits(toIntClipped(fa, -127, 127));
  case Opcode::CvtF32F16:
    return toHalf(fa);
  case Opcode::CvtF16F32:
    return fromHalf(a & 0xFFFFu);
  case Opcode::Exp:
    return expBits(fa);
  case Opcode::Tanh:
    return tanhBits(fa);
  case Opcode::Rsqrt:
    return rsqrtBits(fa);
  case Opcode::Recip:
    return recipBits(fa);
  default:
    return 0;
  }
}

#undef LPU_INLINE

} // namespace lpu::isa
