// Constants that docs/spec/numerics.md derives from a model: computed in double,
// rounded to fp32 once. The lowering stores them in memory images and immediates,
// the reference interpreter multiplies by them; both take them from here.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace lpu::compiler {

/// N3: c[n] = fp32(inputScale · weightScale · factor).
float linearScale(double inputScale, float weightScale, double factor);
/// N3: b'[n] = fp32(bias[n] · factor).
std::vector<float> linearBias(std::span<const float> bias, double factor);

/// N5: fixed point of the squares and the factors that turn digit sums into the mean.
struct RmsNormConstants {
  static constexpr float kCoarse = 16.0f, kMinusInverseCoarse = -0.0625f; ///< 2^4 and −2^-4
  static constexpr float kFine = 17179869184.0f;                          ///< 2^34
  float coarseHi, coarseLo;                                               ///< 65536·2^-4/H and 2^-4/H
  float fineHi, fineLo;                                                   ///< 65536·2^-34/H and 2^-34/H
};
RmsNormConstants rmsNormConstants(std::uint32_t width);
/// N5: g[n] = fp32(gamma[n] / outputScale).
std::vector<float> rmsNormGains(std::span<const float> gamma, double outputScale);

/// N20: fixed point of values and squares, and the factors that turn digit sums into means.
struct LayerNormConstants {
  static constexpr float kValue = 1048576.0f, kSquare = 262144.0f; ///< 2^20 and 2^18
  float valueHi, valueLo;                                          ///< 65536·2^-20/H and 2^-20/H
  float squareHi, squareLo;                                        ///< 65536·2^-18/H and 2^-18/H
};
LayerNormConstants layerNormConstants(std::uint32_t width);

/// N24: fixed point of the sums in a vector's length, first of magnitudes, then of squares of what is left; factors
/// that turn digit sums into them; and what keeps both away from 0.
struct NormalizeConstants {
  static constexpr float kValue = 1048576.0f, kSquare = 1073741824.0f; ///< 2^20 and 2^30
  static constexpr float kValueHi = 0.0625f, kValueLo = 1 / kValue, kSquareHi = 65536 / kSquare,
                         kSquareLo = 1 / kSquare;
  static constexpr float kLeast = kValueLo, kLeastSquare = kSquareLo * kSquareLo;
};

/// N22: gelu(x) = (x/2)·(1 + tanh(x·((second·s + first)·s + linear))) with s = min(x², kLargest).
struct GeluConstants {
  static constexpr float kLargest = 25.0f;
  float linear, first, second;
};
GeluConstants geluConstants(bool approximate);

/// N26: cap·tanh(x·inverse).
struct SoftCapConstants {
  float inverse, cap;
};
SoftCapConstants softCapConstants(double cap);

/// N7: score = fp32(hi)·scoreHi + fp32(lo)·scoreLo; kMasked is the score of a position not attended to.
struct ScoreConstants {
  static constexpr float kMasked = -3e38f;
  float scoreHi, scoreLo;
};
ScoreConstants scoreConstants(double queryScale, double keyScale, std::uint32_t headDim);
/// The same for a scale of its own in place of 1/√headDim (N23, llm.attention).
ScoreConstants scaledScores(double queryScale, double keyScale, double scale);
/// 1/scale rounded to fp32 once.
float inverseScale(double scale);

/// N6: cos and sin factors of one head at one position, `headDim` each; sin is negated for even n. `freqs` is
/// empty or holds headDim/2 divisors of the frequencies; pairs with an infinite one stay as they are, the others are
/// multiplied by `magnitude`.
struct RopeRow {
  std::vector<float> cos, sin;
};
RopeRow ropeRow(std::uint64_t position, std::uint32_t headDim, double base, std::span<const float> freqs,
                double magnitude = 1);

} // namespace lpu::compiler
