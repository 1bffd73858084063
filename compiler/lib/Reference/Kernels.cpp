// Arithmetic of the reference interpreter. Every fp32 operation below is one
// rounding of the contract, in its order; the build forbids contraction. Integer
// sums are exact, so their loops may be reordered by the compiler's vectoriser.

#include "lpu/compiler/Reference/Kernels.h"

#include "lpu/compiler/Support/ModelConstants.h"
#include "lpu/isa/Numerics.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>

namespace lpu::compiler::reference {
namespace {

std::int32_t dot(std::span<const std::int8_t> a, std::span<const std::int8_t> b) {
  std::int32_t sum = 0;
  for (std::size_t k = 0; k < a.size(); ++k)
    sum += std::int32_t{a[k]} * b[k];
  return sum;
}

/// a·2^8 + b with the wrap-around of the machine's int32 lanes.
std::int32_t shiftAdd(std::int32_t a, std::int32_t b) {
  return static_cast<std::int32_t>((static_cast<std::uint32_t>(a) << 8) + static_cast<std::uint32_t>(b));
}

} // namespace

LaneSum laneSum(std::span<const std::int32_t> values) {
  std::array<std::int32_t, 4> sums{};
  for (std::int32_t value : values)
    for (int digit = 0; digit < 4; ++digit)
      sums[digit] += isa::digit32(value, digit);
  return {shiftAdd(sums[3], sums[2]), shiftAdd(sums[1], sums[0])};
}

std::int16_t toDigits(float value, int bits) {
  if (bits == kHalfBits)
    return static_cast<std::int16_t>(isa::floatToHalf(value));
  std::int32_t largest = bits == 8 ? 127 : isa::kDigit16Max;
  return static_cast<std::int16_t>(isa::floatToInt(value, -largest, largest));
}

namespace {

/// d32: fp32 to int32, nearest even, clipped to four balanced digits.
std::int32_t toDigits32(float value) { return isa::floatToInt(value, -isa::kDigit32Max, isa::kDigit32Max); }

} // namespace

namespace {

struct SplitDigits {
  std::vector<std::int8_t> hi, lo;
};

SplitDigits split(std::span<const std::int16_t> input) {
  SplitDigits out{std::vector<std::int8_t>(input.size()), std::vector<std::int8_t>(input.size())};
  for (std::size_t k = 0; k < input.size(); ++k) {
    std::uint32_t digits = (static_cast<std::uint32_t>(input[k]) + isa::kDigit16Bias) ^ isa::kDigit16Bias;
    out.lo[k] = static_cast<std::int8_t>(digits);
    out.hi[k] = static_cast<std::int8_t>(digits >> 8);
  }
  return out;
}

} // namespace

Floats groupedLinear(const QuantizedMatrix &weights, std::span<const std::int16_t> input, float factor,
                     std::span<const float> bias) {
  auto [hi, lo] = split(input);
  Floats out(weights.rows);
  for (std::uint32_t n = 0; n < weights.rows; ++n) {
    std::int32_t high = 0, low = 0;
    for (std::uint32_t k = 0; k < weights.cols; k += weights.group) {
      std::uint32_t count = std::min(weights.group, weights.cols - k);
      auto w = weights.row(n).subspan(k, count);
      float scale = std::ldexp(weights.scale(n, k), weights.exponent);
      high += toDigits32(static_cast<float>(dot(w, std::span(hi).subspan(k, count))) * scale);
      low += toDigits32(static_cast<float>(dot(w, std::span(lo).subspan(k, count))) * scale);
    }
    out[n] = (static_cast<float>(high) * 256.0f + static_cast<float>(low)) * factor;
    if (!bias.empty())
      out[n] = out[n] + bias[n];
  }
  return out;
}

Floats halfLinear(const HalfMatrix &weights, std::span<const std::int16_t> input, std::size_t vectorColumns,
                  float factor, std::span<const float> bias) {
  const auto *x = reinterpret_cast<const std::uint16_t *>(input.data());
  Floats out(weights.rows);
  for (std::uint32_t n = 0; n < weights.rows; ++n) {
    for (std::size_t k = 0, count; k < weights.cols; k += count) {
      count = std::min({std::size_t{kHalfBlock}, vectorColumns - k % vectorColumns, weights.cols - k});
      float sum = 0;
      isa::halfDots(weights.row(n).data() + k, 1, x + k, static_cast<int>(count), &sum);
      out[n] = k == 0 ? sum
                      : std::bit_cast<float>(isa::vxmOp(isa::Opcode::AddF, std::bit_cast<std::uint32_t>(out[n]),
                                                        std::bit_cast<std::uint32_t>(sum), 0));
    }
    out[n] = out[n] * factor;
    if (!bias.empty())
      out[n] = out[n] + bias[n];
  }
  return out;
}

Floats linear(const QuantizedMatrix &weights, std::span<const std::int16_t> input, std::span<const float> scales,
              std::span<const float> bias) {
  auto [hi, lo] = split(input);
  Floats out(weights.rows);
  for (std::uint32_t n = 0; n < weights.rows; ++n) {
    float high = static_cast<float>(dot(weights.row(n), hi)), low = static_cast<float>(dot(weights.row(n), lo));
    out[n] = (high * 256.0f + low) * scales[n];
    if (!bias.empty())
      out[n] = out[n] + bias[n];
  }
  return out;
}

namespace {

/// rsqrt(m + eps) of N5.
float inverseNorm(std::span<const float> input, float eps) {
  using C = RmsNormConstants;
  std::vector<std::int32_t> coarse, fine;
  for (float x : input) {
    float square = x * x;
    coarse.push_back(toDigits32(square * C::kCoarse));
    float rest = square + static_cast<float>(coarse.back()) * C::kMinusInverseCoarse;
    fine.push_back(toDigits32(rest * C::kFine));
  }
  C c = rmsNormConstants(static_cast<std::uint32_t>(input.size()));
  LaneSum a = laneSum(coarse), b = laneSum(fine);
  float mean = (static_cast<float>(a.hi) * c.coarseHi + static_cast<float>(a.lo) * c.coarseLo) +
               (static_cast<float>(b.hi) * c.fineHi + static_cast<float>(b.lo) * c.fineLo);
  return isa::rsqrtF32(mean + eps);
}

} // namespace

Digits rmsNorm(std::span<const float> input, std::span<const float> gains, float eps, int bits) {
  float inverse = inverseNorm(input, eps);
  Digits out(input.size());
  for (std::size_t i = 0; i < input.size(); ++i)
    out[i] = toDigits((input[i] * inverse) * gains[i], bits);
  return out;
}

Floats headNorm(std::span<const float> input, std::span<const float> gains, float eps) {
  Floats out;
  for (std::size_t first = 0; first < input.size(); first += gains.size()) {
    auto head = input.subspan(first, gains.size());
    float inverse = inverseNorm(head, eps);
    for (std::size_t d = 0; d < head.size(); ++d)
      out.push_back((head[d] * inverse) * gains[d]);
  }
  return out;
}

Digits rope(std::span<const float> input, std::span<const float> cos, std::span<const float> sin, int bits) {
  Digits out(input.size());
  for (std::size_t n = 0; n < input.size(); ++n) {
    std::size_t lane = n % cos.size();
    out[n] = toDigits(input[n] * cos[lane] + input[n ^ 1] * sin[lane], bits); // n ^ 1: the pair's other element
  }
  return out;
}

/// N16: the product of a query and an fp16 key in steps of 2^7.
std::int32_t halfProduct(std::int16_t query, std::int16_t key) {
  return isa::floatToInt32((static_cast<float>(query) * kHalfStep) * isa::halfToFloat(static_cast<std::uint16_t>(key)));
}

float softCap(float value, double cap) {
  SoftCapConstants c = softCapConstants(cap);
  return isa::tanhF32(value * c.inverse) * c.cap;
}

Digits attention(const Cache &cache, std::span<const std::int16_t> query, const AttentionScales &scales,
                 const ScoreRules &rules) {
  std::size_t dim = cache.headDim, group = cache.heads / cache.kvHeads;
  Digits out;
  std::vector<std::int32_t> products(dim);
  Floats scores(cache.keys.size());
  for (std::size_t head = 0; head < cache.heads; ++head) {
    auto q = query.subspan(head * dim, dim);
    std::size_t first = head / group * dim;
    float largest = ScoreConstants::kMasked;
    for (std::size_t p = rules.first; p < scores.size(); ++p) {
      for (std::size_t d = 0; d < dim; ++d)
        products[d] = scales.halfKeys ? halfProduct(q[d], cache.keys[p][first + d])
                                      : std::int32_t{q[d]} * cache.keys[p][first + d];
      LaneSum sum = laneSum(products);
      scores[p] = static_cast<float>(sum.hi) * scales.scoreHi + static_cast<float>(sum.lo) * scales.scoreLo;
      if (rules.cap > 0)
        scores[p] = softCap(scores[p], rules.cap);
      largest = largest > scores[p] ? largest : scores[p];
    }
    float total = 0;
    Floats mixed(dim, 0.0f);
    for (std::size_t p = rules.first; p < scores.size(); ++p) {
      float e = isa::expF32(scores[p] - largest);
      total = total + e;
      for (std::size_t d = 0; d < dim; ++d)
        mixed[d] = mixed[d] + e * cache.values[p][first + d];
    }
    float inverse = isa::recipF32(total);
    for (float o : mixed)
      out.push_back(toDigits((o * inverse) * scales.inverseOutput, scales.resultBits));
  }
  return out;
}

namespace {

/// The digits of N2.
std::int32_t lowDigit(std::int16_t v) { return static_cast<std::int8_t>(v); }
std::int32_t highDigit(std::int16_t v) { return (v - lowDigit(v)) >> 8; }

/// Sums of digit products: high·high, mixed, low·low.
struct DigitProducts {
  std::int32_t high = 0, mixed = 0, low = 0;
  void add(std::int16_t a, std::int16_t b) {
    high += highDigit(a) * highDigit(b);
    mixed += highDigit(a) * lowDigit(b) + lowDigit(a) * highDigit(b);
    low += lowDigit(a) * lowDigit(b);
  }
};

/// N11: e_p of one head.
Digits exponents(std::span<const float> scores) {
  float largest = *std::max_element(scores.begin(), scores.end());
  Digits e;
  for (float score : scores)
    e.push_back(toDigits(isa::expF32(score - largest) * static_cast<float>(isa::kDigit16Max)));
  return e;
}

} // namespace

Digits attentionInTiles(const Cache &cache, std::span<const std::int16_t> query, float scoreScale, float valueScale,
                        const ScoreRules &rules) {
  std::size_t dim = cache.headDim, group = cache.heads / cache.kvHeads, positions = cache.keys.size();
  Digits out;
  Floats scores(positions, ScoreConstants::kMasked);
  for (std::size_t head = 0; head < cache.heads; ++head) {
    std::size_t first = head / group * dim;
    for (std::size_t p = rules.first; p < positions; ++p) {
      DigitProducts sum;
      for (std::size_t d = 0; d < dim; ++d)
        sum.add(query[head * dim + d], cache.keys[p][first + d]);
      scores[p] = static_cast<float>(shiftAdd(sum.high, sum.mixed)) * (256.0f * scoreScale) +
                  static_cast<float>(sum.low) * scoreScale;
      if (rules.cap > 0)
        scores[p] = softCap(scores[p], rules.cap);
    }
    Digits e = exponents(scores);
    std::int32_t total = 0;
    for (std::int16_t weight : e)
      total += weight;
    float inverse = isa::recipF32(static_cast<float>(total));
    for (std::size_t d = 0; d < dim; ++d) {
      DigitProducts sum;
      for (std::size_t p = 0; p < positions; ++p)
        sum.add(e[p], cache.valueDigits[p][first + d]);
      float value = (static_cast<float>(sum.high) * 256.0f + static_cast<float>(sum.mixed)) * 256.0f +
                    static_cast<float>(sum.low);
      out.push_back(toDigits(value * inverse * valueScale));
    }
  }
  return out;
}

Digits siluMul(std::span<const float> gate, std::span<const float> up, int bits) {
  Digits out(gate.size());
  for (std::size_t i = 0; i < gate.size(); ++i)
    out[i] = toDigits((gate[i] * isa::recipF32(1.0f + isa::expF32(gate[i] * -1.0f))) * up[i], bits);
  return out;
}

Digits geluMul(std::span<const float> gate, std::span<const float> up, int bits) {
  Floats opened = gelu(gate, true);
  Digits out(gate.size());
  for (std::size_t i = 0; i < gate.size(); ++i)
    out[i] = toDigits(opened[i] * up[i], bits);
  return out;
}

Floats layerNorm(std::span<const float> input, std::span<const float> gains, std::span<const float> offsets,
                 float eps) {
  using C = LayerNormConstants;
  C c = layerNormConstants(static_cast<std::uint32_t>(input.size()));
  std::vector<std::int32_t> fixed;
  for (float x : input)
    fixed.push_back(toDigits32(x * C::kValue));
  LaneSum sum = laneSum(fixed);
  float mean = static_cast<float>(sum.hi) * c.valueHi + static_cast<float>(sum.lo) * c.valueLo;
  Floats out(input.size());
  for (std::size_t i = 0; i < input.size(); ++i) {
    out[i] = input[i] - mean;
    fixed[i] = toDigits32((out[i] * out[i]) * C::kSquare);
  }
  sum = laneSum(fixed);
  float variance = static_cast<float>(sum.hi) * c.squareHi + static_cast<float>(sum.lo) * c.squareLo;
  float inverse = isa::rsqrtF32(variance + eps);
  for (std::size_t i = 0; i < out.size(); ++i)
    out[i] = ((out[i] * inverse) * gains[i]) + offsets[i];
  return out;
}

Digits quantize(std::span<const float> input, float inverse, std::int32_t low, std::int32_t high) {
  Digits out;
  for (float x : input)
    out.push_back(static_cast<std::int16_t>(std::clamp<std::int32_t>(toDigits(x * inverse), low, high)));
  return out;
}

Floats gelu(std::span<const float> input, bool approximate) {
  GeluConstants c = geluConstants(approximate);
  Floats out;
  for (float x : input) {
    float square = x * x, s = square < GeluConstants::kLargest ? square : GeluConstants::kLargest;
    float slope = ((s * c.second + c.first) * s) + c.linear;
    out.push_back((x * 0.5f) * (isa::tanhF32(x * slope) + 1.0f));
  }
  return out;
}

Floats relu(Floats input) {
  for (float &x : input)
    x = x > 0 ? x : 0.0f;
  return input;
}

static float gate(float x, float minusSlope) { return isa::recipF32(isa::expF32(x * minusSlope) + 1.0f); }

Floats sigmoid(Floats input) {
  for (float &x : input)
    x = gate(x, -1.0f);
  return input;
}

Floats silu(Floats input, double slope) {
  for (float &x : input)
    x = gate(x, static_cast<float>(-slope)) * x;
  return input;
}

Floats normalize(std::span<const float> input) {
  using C = NormalizeConstants;
  std::vector<std::int32_t> fixed;
  for (float x : input)
    fixed.push_back(toDigits32(std::fabs(x) * C::kValue));
  LaneSum sum = laneSum(fixed);
  float inverse =
      isa::recipF32((static_cast<float>(sum.hi) * C::kValueHi + static_cast<float>(sum.lo) * C::kValueLo) + C::kLeast);
  Floats out(input.size());
  for (std::size_t i = 0; i < input.size(); ++i) {
    out[i] = input[i] * inverse;
    fixed[i] = toDigits32((out[i] * out[i]) * C::kSquare);
  }
  sum = laneSum(fixed);
  inverse = isa::rsqrtF32((static_cast<float>(sum.hi) * C::kSquareHi + static_cast<float>(sum.lo) * C::kSquareLo) +
                          C::kLeastSquare);
  for (float &x : out)
    x *= inverse;
  return out;
}

Floats mean(std::span<const Floats> rows) {
  Floats out(rows.empty() ? 0 : rows[0].size(), 0.0f);
  for (const Floats &row : rows)
    for (std::size_t i = 0; i < out.size(); ++i)
      out[i] += row[i];
  float inverse = isa::recipF32(static_cast<float>(rows.size()));
  for (float &x : out)
    x *= inverse;
  return out;
}

Floats add(std::span<const float> branch, std::span<const float> residual) {
  Floats out(branch.size());
  for (std::size_t i = 0; i < branch.size(); ++i)
    out[i] = branch[i] + residual[i];
  return out;
}

void roundToHalf(std::span<float> values) {
  for (float &v : values)
    v = isa::halfToFloat(isa::floatToHalf(v));
}

} // namespace lpu::compiler::reference
