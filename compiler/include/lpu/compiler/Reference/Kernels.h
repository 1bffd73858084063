// The rules of docs/spec/numerics.md on plain vectors, one function per rule,
// written to be read beside it. One token at a time; no dialect in sight.
#pragma once

#include "lpu/compiler/Import/HalfMatrix.h"
#include "lpu/compiler/Support/HalfType.h"

#include <cstdint>
#include <span>
#include <vector>

namespace lpu::compiler::reference {

using Floats = std::vector<float>;
using Digits = std::vector<std::int16_t>; ///< int16 values in [−32639, 32639]

/// N4: a sum of int32 values over lanes is hi·65536 + lo.
struct LaneSum {
  std::int32_t hi, lo;
};
LaneSum laneSum(std::span<const std::int32_t> values);

/// d16: fp32 to int16, nearest even, clipped to ±32639; with 8 bits to ±127; with kHalfBits the bits of the fp16 value.
std::int16_t toDigits(float value, int bits = 16);

/// N3: y[n] = (fp32(H)·256 + fp32(L))·c[n], plus bias[n] unless `bias` is empty.
Floats linear(const QuantizedMatrix &weights, std::span<const std::int16_t> input, std::span<const float> scales,
              std::span<const float> bias = {});

/// N12: y[n] = (fp32(A)·256 + fp32(B))·factor, plus bias[n] unless `bias` is empty; `factor` is f of N12.
Floats groupedLinear(const QuantizedMatrix &weights, std::span<const std::int16_t> input, float factor,
                     std::span<const float> bias = {});

/// N15: y[n] = (sum of the exact sums over blocks)·factor, plus bias[n] unless `bias` is empty; the input is the bits
/// of fp16 values. A block is kHalfBlock columns, or what is left of `vectorColumns` of them.
Floats halfLinear(const HalfMatrix &weights, std::span<const std::int16_t> input, std::size_t vectorColumns,
                  float factor, std::span<const float> bias = {});

/// N5.
Digits rmsNorm(std::span<const float> input, std::span<const float> gains, float eps, int bits = 16);
/// N25: heads of as many elements as there are gains.
Floats headNorm(std::span<const float> input, std::span<const float> gains, float eps);

/// N6: `cos` and `sin` hold one head; the input consists of whole heads.
Digits rope(std::span<const float> input, std::span<const float> cos, std::span<const float> sin, int bits = 16);

/// Keys and values of one layer, one row per position.
struct Cache {
  std::uint32_t heads = 0, kvHeads = 0, headDim = 0;
  std::vector<Digits> keys;
  std::vector<Floats> values;      ///< N7: fp16 values, widened
  std::vector<Digits> valueDigits; ///< N11: int16 values
};
/// N7 constants, see ScoreConstants.
struct AttentionScales {
  float scoreHi, scoreLo, inverseOutput; ///< with int8 values r of N16 instead of 1/s_out
  int resultBits = 16;
  bool halfKeys = false; ///< N16: keys are the bits of fp16 values
};
/// What becomes of scores: positions before `first` are masked; with a `cap` N26.
struct ScoreRules {
  std::size_t first = 0;
  double cap = 0; ///< 0: none
};
/// N7 for the query at the last position of the cache, all heads.
Digits attention(const Cache &cache, std::span<const std::int16_t> query, const AttentionScales &scales,
                 const ScoreRules &rules = {});
/// N11 for the query at the last position of the cache, all heads; `scoreScale` is c. `valueScale` is r of N16, 1 of
/// int16 values.
Digits attentionInTiles(const Cache &cache, std::span<const std::int16_t> query, float scoreScale, float valueScale = 1,
                        const ScoreRules &rules = {});

/// N8.
Digits siluMul(std::span<const float> gate, std::span<const float> up, int bits = 16);
/// N8 with the tanh form of N22 for the gate.
Digits geluMul(std::span<const float> gate, std::span<const float> up, int bits = 16);
/// N26.
float softCap(float value, double cap);

/// N20.
Floats layerNorm(std::span<const float> input, std::span<const float> gains, std::span<const float> offsets, float eps);
/// N21; `inverse` is 1/scale.
Digits quantize(std::span<const float> input, float inverse, std::int32_t low, std::int32_t high);
/// N22.
Floats gelu(std::span<const float> input, bool approximate);
/// N24.
Floats relu(Floats input);
Floats sigmoid(Floats input);
Floats silu(Floats input, double slope);
Floats normalize(std::span<const float> input);
Floats mean(std::span<const Floats> rows);

/// N9.
Floats add(std::span<const float> branch, std::span<const float> residual);
/// N7, N9: to fp16 and back.
void roundToHalf(std::span<float> values);

} // namespace lpu::compiler::reference
