// Arithmetic: directed values of every VXM operation, conversions against
// references that share no code with them, digits, and the lane form.
#include "lpu/isa/Numerics.h"

#include "Targets.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <bit>
#include <cmath>
#include <limits>
#include <vector>

using namespace lpu::isa;

namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();
constexpr std::uint32_t kNan = 0x7FC00000u;

std::uint32_t bits(float v) { return std::bit_cast<std::uint32_t>(v); }
float fromBits(std::uint32_t v) { return std::bit_cast<float>(v); }
std::uint32_t op(Opcode o, std::uint32_t a, std::uint32_t b = 0, std::uint32_t c = 0) { return vxmOp(o, a, b, c); }
std::uint32_t opF(Opcode o, float a, float b = 0) { return vxmOp(o, bits(a), bits(b), 0); }

TEST(VxmOps, Integers) {
  EXPECT_EQ(op(Opcode::Move, 0xDEADBEEF), 0xDEADBEEFu);
  EXPECT_EQ(op(Opcode::AddI, 0x7FFFFFFF, 1), 0x80000000u);
  EXPECT_EQ(op(Opcode::SubI, 0, 1), 0xFFFFFFFFu);
  EXPECT_EQ(op(Opcode::SubI, 0x80000000, 1), 0x7FFFFFFFu);
  EXPECT_EQ(op(Opcode::MulI, 0x10001, 0x10001), 0x20001u);
  EXPECT_EQ(op(Opcode::MulI, static_cast<std::uint32_t>(-3), 5), static_cast<std::uint32_t>(-15));
  EXPECT_EQ(op(Opcode::MaxI, static_cast<std::uint32_t>(-1), 0), 0u);
  EXPECT_EQ(op(Opcode::MinI, static_cast<std::uint32_t>(-1), 0), 0xFFFFFFFFu);
  EXPECT_EQ(op(Opcode::And, 0xF0F0, 0xFF00), 0xF000u);
  EXPECT_EQ(op(Opcode::Or, 0xF0F0, 0xFF00), 0xFFF0u);
  EXPECT_EQ(op(Opcode::Xor, 0xF0F0, 0xFF00), 0x0FF0u);
  EXPECT_EQ(op(Opcode::CmpEqI, 7, 7), 0xFFFFFFFFu);
  EXPECT_EQ(op(Opcode::CmpEqI, 7, 8), 0u);
  EXPECT_EQ(op(Opcode::CmpLtI, 0x80000000, 0), 0xFFFFFFFFu);
  EXPECT_EQ(op(Opcode::CmpLtI, 0, 0x80000000), 0u);
  EXPECT_EQ(op(Opcode::CmpLtI, 4, 4), 0u);
  EXPECT_EQ(op(Opcode::Select, 0x80000000, 1, 2), 1u);
  EXPECT_EQ(op(Opcode::Select, 0x7FFFFFFF, 1, 2), 2u);
}

TEST(VxmOps, ShiftsUseFiveBits) {
  EXPECT_EQ(op(Opcode::Shl, 1, 31), 0x80000000u);
  EXPECT_EQ(op(Opcode::Shl, 1, 32), 1u);
  EXPECT_EQ(op(Opcode::Shl, 1, 0xFFFFFFE1), 2u);
  EXPECT_EQ(op(Opcode::Sra, 0x80000000, 31), 0xFFFFFFFFu);
  EXPECT_EQ(op(Opcode::Sra, 0x80000000, 33), 0xC0000000u);
  EXPECT_EQ(op(Opcode::Sra, 0x40000000, 30), 1u);
  EXPECT_EQ(op(Opcode::Srl, 0x80000000, 31), 1u);
  EXPECT_EQ(op(Opcode::Srl, 0x80000000, 64), 0x80000000u);
}

TEST(VxmOps, Floats) {
  EXPECT_EQ(opF(Opcode::AddF, 1.5f, 2.25f), bits(3.75f));
  EXPECT_EQ(opF(Opcode::AddF, 1.0f, 0x1p-24f), bits(1.0f)); // tie to even
  EXPECT_EQ(opF(Opcode::AddF, 0x1.000002p0f, 0x1p-24f), bits(0x1.000004p0f));
  EXPECT_EQ(opF(Opcode::SubF, 0x1p-126f, 0x1.8p-126f), bits(-0x1p-127f)); // subnormal results stay
  EXPECT_EQ(opF(Opcode::MulF, 0x1p-100f, 0x1p-49f), 1u);
  EXPECT_EQ(opF(Opcode::MulF, 3e38f, 10.0f), bits(kInf));
  EXPECT_EQ(opF(Opcode::CmpLtF, -1.0f, 1.0f), 0xFFFFFFFFu);
  EXPECT_EQ(opF(Opcode::CmpLtF, -0.0f, 0.0f), 0u);
  EXPECT_EQ(opF(Opcode::ReluF, -3.0f), 0u);
  EXPECT_EQ(opF(Opcode::ReluF, -0.0f), 0u);
  EXPECT_EQ(opF(Opcode::ReluF, 3.0f), bits(3.0f));
  EXPECT_EQ(op(Opcode::ReluF, kNan), 0u);
}

// a > b ? a : b, so a NaN and equal zeros give b.
TEST(VxmOps, FloatMaximumAndMinimum) {
  EXPECT_EQ(opF(Opcode::MaxF, 1.0f, 2.0f), bits(2.0f));
  EXPECT_EQ(opF(Opcode::MaxF, 2.0f, 1.0f), bits(2.0f));
  EXPECT_EQ(opF(Opcode::MinF, 1.0f, 2.0f), bits(1.0f));
  EXPECT_EQ(opF(Opcode::MaxF, 0.0f, -0.0f), bits(-0.0f));
  EXPECT_EQ(opF(Opcode::MinF, -0.0f, 0.0f), bits(0.0f));
  EXPECT_EQ(op(Opcode::MaxF, kNan, bits(1.0f)), bits(1.0f));
  EXPECT_EQ(op(Opcode::MaxF, bits(1.0f), 0x7F800001), 0x7F800001u);
}

TEST(VxmOps, MadeNansAreOnePattern) {
  const std::uint32_t payload = 0xFFC12345, signalling = 0x7F800001;
  for (std::uint32_t nan : {payload, signalling, kNan}) {
    for (Opcode o : {Opcode::AddF, Opcode::SubF, Opcode::MulF}) {
      EXPECT_EQ(op(o, nan, bits(1.0f)), kNan);
      EXPECT_EQ(op(o, bits(1.0f), nan), kNan);
      EXPECT_EQ(op(o, nan, payload), kNan);
    }
    for (Opcode o : {Opcode::Exp, Opcode::Tanh, Opcode::Rsqrt, Opcode::Recip})
      EXPECT_EQ(op(o, nan), kNan);
    EXPECT_EQ(op(Opcode::Move, nan), nan);
  }
  EXPECT_EQ(opF(Opcode::SubF, kInf, kInf), kNan);
  EXPECT_EQ(opF(Opcode::MulF, kInf, 0.0f), kNan);
  EXPECT_EQ(opF(Opcode::Rsqrt, -1.0f), kNan);
  EXPECT_EQ(op(Opcode::CvtF32F16, payload), 0x7E00u);
  EXPECT_EQ(op(Opcode::CvtF16F32, 0xFC01), kNan);
}

TEST(Conversions, IntegersToFloat) {
  EXPECT_EQ(op(Opcode::CvtI32F32, 16777217), bits(16777216.0f)); // ties to even
  EXPECT_EQ(op(Opcode::CvtI32F32, 16777219), bits(16777220.0f));
  EXPECT_EQ(op(Opcode::CvtI32F32, 0x80000000), bits(-0x1p31f));
  EXPECT_EQ(op(Opcode::CvtI32F32, 0x7FFFFFFF), bits(0x1p31f));
}

TEST(Conversions, FloatToIntegersDirected) {
  EXPECT_EQ(floatToInt32(0.5f), 0);
  EXPECT_EQ(floatToInt32(1.5f), 2);
  EXPECT_EQ(floatToInt32(2.5f), 2);
  EXPECT_EQ(floatToInt32(-0.5f), 0);
  EXPECT_EQ(floatToInt32(-1.5f), -2);
  EXPECT_EQ(floatToInt32(0.49999997f), 0);
  EXPECT_EQ(floatToInt32(8388607.5f), 8388608);
  EXPECT_EQ(floatToInt32(8388609.0f), 8388609);
  EXPECT_EQ(floatToInt32(-16777215.0f), -16777215);
  EXPECT_EQ(floatToInt32(0x1.fffffep30f), 2147483520);
  EXPECT_EQ(floatToInt32(0x1p31f), INT32_MAX);
  EXPECT_EQ(floatToInt32(-0x1p31f), INT32_MIN);
  EXPECT_EQ(floatToInt32(-3e9f), INT32_MIN);
  EXPECT_EQ(floatToInt32(kInf), INT32_MAX);
  EXPECT_EQ(floatToInt32(-kInf), INT32_MIN);
  EXPECT_EQ(floatToInt32(fromBits(kNan)), 0);
  EXPECT_EQ(floatToInt32(fromBits(0xFFC00001)), 0);
  EXPECT_EQ(floatToInt(300.0f, -127, 127), 127);
  EXPECT_EQ(floatToInt(-300.0f, -127, 127), -127);
  EXPECT_EQ(floatToInt(126.5f, -127, 127), 126);
}

TEST(Conversions, SaturationOfTheOperations) {
  const auto signedOp = [](Opcode o, float v) { return static_cast<std::int32_t>(opF(o, v)); };
  EXPECT_EQ(signedOp(Opcode::CvtF32I16, 40000.0f), 32767);
  EXPECT_EQ(signedOp(Opcode::CvtF32I16, -40000.0f), -32768);
  EXPECT_EQ(signedOp(Opcode::CvtF32D16, 40000.0f), 32639);
  EXPECT_EQ(signedOp(Opcode::CvtF32D16, -40000.0f), -32639);
  EXPECT_EQ(signedOp(Opcode::CvtF32D16, 32638.5f), 32638);
  EXPECT_EQ(signedOp(Opcode::CvtF32D32, 3e9f), 2139062143);
  EXPECT_EQ(signedOp(Opcode::CvtF32D32, -3e9f), -2139062143);
  EXPECT_EQ(signedOp(Opcode::CvtF32D32, -2.5f), -2);
  EXPECT_EQ(signedOp(Opcode::CvtF32I8, 200.0f), 127);
  EXPECT_EQ(signedOp(Opcode::CvtF32I8, -200.0f), -127);
  EXPECT_EQ(signedOp(Opcode::CvtF32I8, fromBits(kNan)), 0);
  EXPECT_EQ(signedOp(Opcode::CvtF32I32, 1e20f), INT32_MAX);
}

/// Nearest even by floor and comparison in double, where all steps are exact.
std::int32_t referenceInt32(float v) {
  if (v != v)
    return 0;
  const double x = v, down = std::floor(x), rest = x - down;
  const double n = rest > 0.5 || (rest == 0.5 && std::fmod(down, 2) != 0) ? down + 1 : down;
  return static_cast<std::int32_t>(std::min(std::max(n, -0x1p31), 0x1p31 - 1));
}

TEST(Conversions, FloatToInt32Sweep) {
  for (std::uint64_t i = 0; i < 0x100000000ull; i += 4099)
    ASSERT_EQ(floatToInt32(fromBits(static_cast<std::uint32_t>(i))),
              referenceInt32(fromBits(static_cast<std::uint32_t>(i))))
        << std::hex << i;
  for (int halves = -100000; halves <= 100000; ++halves)
    ASSERT_EQ(floatToInt32(halves * 0.5f), referenceInt32(halves * 0.5f)) << halves;
}

/// Value of a finite half from its parts.
double halfValue(std::uint16_t h) {
  const int exponent = h >> 10 & 31, mantissa = h & 1023;
  const double v = exponent == 0 ? std::ldexp(mantissa, -24) : std::ldexp(1024 + mantissa, exponent - 25);
  return h & 0x8000 ? -v : v;
}

TEST(Conversions, EveryHalfToFloatAndBack) {
  for (int h = 0; h < 0x10000; ++h) {
    const auto half = static_cast<std::uint16_t>(h);
    const std::uint32_t got = op(Opcode::CvtF16F32, half);
    ASSERT_EQ(bits(halfToFloat(half)), got);
    ASSERT_EQ(op(Opcode::CvtF16F32, 0xABCD0000u | half), got) << "high bits are ignored";
    if ((h & 0x7FFF) > 0x7C00) {
      ASSERT_EQ(got, kNan);
    } else if ((h & 0x7FFF) == 0x7C00) {
      ASSERT_EQ(got, bits(h & 0x8000 ? -kInf : kInf));
      ASSERT_EQ(floatToHalf(fromBits(got)), half);
    } else {
      ASSERT_EQ(static_cast<double>(fromBits(got)), halfValue(half)) << h;
      ASSERT_EQ(std::signbit(fromBits(got)), (h & 0x8000) != 0);
      ASSERT_EQ(floatToHalf(fromBits(got)), half) << h;
    }
  }
}

/// Around every half: the value itself, the midpoint to the next, and its neighbours.
TEST(Conversions, FloatToHalfRoundsToNearestEvenEverywhere) {
  for (int h = 0; h < 0x7BFF; ++h) {
    const auto low = static_cast<std::uint16_t>(h), high = static_cast<std::uint16_t>(h + 1);
    const auto middle = static_cast<float>((halfValue(low) + halfValue(high)) / 2); // exact
    const std::uint16_t even = h & 1 ? high : low;
    ASSERT_EQ(floatToHalf(middle), even) << h;
    ASSERT_EQ(floatToHalf(std::nextafter(middle, 0.0f)), low) << h;
    ASSERT_EQ(floatToHalf(std::nextafter(middle, kInf)), high) << h;
    ASSERT_EQ(floatToHalf(-middle), even | 0x8000) << h;
  }
  EXPECT_EQ(floatToHalf(65519.996f), 0x7BFF);
  EXPECT_EQ(floatToHalf(65520.0f), 0x7C00);
  EXPECT_EQ(floatToHalf(-1e30f), 0xFC00);
  EXPECT_EQ(floatToHalf(fromBits(1)), 0);
  EXPECT_EQ(floatToHalf(-fromBits(1)), 0x8000);
  EXPECT_EQ(floatToHalf(-kInf), 0xFC00);
}

TEST(Digits, TwoDigitsForTheWholeRange) {
  for (std::int32_t x = -kDigit16Max; x <= kDigit16Max; ++x) {
    const std::uint32_t digits = (static_cast<std::uint32_t>(x) + kDigit16Bias) ^ kDigit16Bias;
    const int lo = static_cast<std::int8_t>(digits), hi = static_cast<std::int8_t>(digits >> 8);
    ASSERT_EQ(256 * hi + lo, x);
    ASSERT_LE(std::abs(hi), 127) << "both digits are balanced at the ends";
  }
}

TEST(Digits, FourDigitsReassemble) {
  EXPECT_TRUE(rc::check("v is the sum of its digits, modulo 2^32", [](std::int32_t v) {
    std::uint32_t sum = 0;
    for (int b = 3; b >= 0; --b)
      sum = sum * 256 + static_cast<std::uint32_t>(static_cast<std::int32_t>(digit32(v, b)));
    RC_ASSERT(sum == static_cast<std::uint32_t>(v));
  }));
  for (std::int32_t v : {0, 1, -1, 127, 128, -128, -129, 32767, -32768, INT32_MAX, INT32_MIN, 0x7F7F7F7F}) {
    std::uint32_t sum = 0;
    for (int b = 3; b >= 0; --b)
      sum = sum * 256 + static_cast<std::uint32_t>(static_cast<std::int32_t>(digit32(v, b)));
    EXPECT_EQ(sum, static_cast<std::uint32_t>(v)) << v;
  }
}

/// N4: digit sums over lanes give the exact sum back.
TEST(Digits, SumsOverLanesAreExact) {
  std::int64_t sum = 0;
  std::int32_t s[4] = {};
  std::uint32_t state = 12345;
  for (int i = 0; i < 4096; ++i) {
    state = state * 1664525 + 1013904223;
    const auto v = static_cast<std::int32_t>(state) >> 3;
    sum += v;
    for (int b = 0; b < 4; ++b)
      s[b] += digit32(v, b);
  }
  const std::int64_t hi = s[3] * 256 + s[2], lo = s[1] * 256 + s[0];
  EXPECT_EQ(hi * 65536 + lo, sum);
}

/// Values that exercise every branch, plus a spread of patterns.
std::vector<std::uint32_t> samplePatterns() {
  std::vector<std::uint32_t> values = {0,          0x80000000, 1,          0x80000001, 0x7F800000, 0xFF800000,
                                       kNan,       0x7F800001, 0xFFFFFFFF, 0x7FFFFFFF, 0x00800000, 0x33000000,
                                       0x38800000, 0x387FFFFF, 0x477FEFFF, 0x477FF000, 0x42B17218, 0xC2AEAC50,
                                       0xC2CFF1B5, 0x3F200000, 0x4B000000, 0xCB000001, 0x4F000000, 0xCF000000};
  for (std::uint32_t i = 0; i < 3000; ++i)
    values.push_back(i * 2654435761u);
  for (int i = -500; i < 500; ++i)
    values.push_back(bits(static_cast<float>(i) * 0.19f));
  return values;
}

void expectLaneFormMatchesScalarForm(const char *target) {
  const std::vector<std::uint32_t> a = samplePatterns();
  std::vector<std::uint32_t> b(a.rbegin(), a.rend()), c = a;
  std::rotate(c.begin(), c.begin() + 7, c.end());
  const int n = static_cast<int>(a.size());
  for (const InstructionInfo &in : instructions()) {
    if (!isVxm(in.opcode))
      continue;
    std::vector<std::uint32_t> out(a.size());
    vxmOp(in.opcode, a.data(), in.operands > 1 ? b.data() : nullptr, in.operands > 2 ? c.data() : nullptr, out.data(),
          n);
    for (int i = 0; i < n; ++i)
      ASSERT_EQ(out[i], vxmOp(in.opcode, a[i], b[i], c[i]))
          << target << in.mnemonic << std::hex << " " << a[i] << " " << b[i];
    std::vector<std::uint32_t> inPlace = a;
    vxmOp(in.opcode, inPlace.data(), b.data(), c.data(), inPlace.data(), n);
    EXPECT_EQ(inPlace, out) << in.mnemonic;
    for (int lanes : {0, 1, 3, 16, 17}) {
      std::vector<std::uint32_t> some(20, 0x55555555);
      vxmOp(in.opcode, a.data(), b.data(), c.data(), some.data(), lanes);
      for (int i = 0; i < 20; ++i)
        ASSERT_EQ(some[i], i < lanes ? out[i] : 0x55555555u) << in.mnemonic;
    }
  }
}

TEST(VxmOps, LaneFormMatchesScalarFormBitForBitOnEveryTarget) {
  lpu::test::onEveryTarget(expectLaneFormMatchesScalarForm);
}

/// A hash of all results pins every bit: another compiler, another build type
/// or another host must give the same ones.
TEST(VxmOps, ResultsArePinned) {
  const std::vector<std::uint32_t> a = samplePatterns();
  std::uint64_t hash = 14695981039346656037ull;
  for (const InstructionInfo &in : instructions())
    if (isVxm(in.opcode))
      for (std::size_t i = 0; i < a.size(); ++i)
        hash = (hash ^ vxmOp(in.opcode, a[i], a[a.size() - 1 - i], a[i / 2])) * 1099511628211ull;
  EXPECT_EQ(hash, 0xd422857bf1a455edu) << std::hex << "0x" << hash;
}

} // namespace
