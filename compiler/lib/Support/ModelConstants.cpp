// The one place where the constants of docs/spec/numerics.md are computed.

#include "lpu/compiler/Support/ModelConstants.h"
#include "lpu/compiler/Support/HalfType.h"

#include <algorithm>
#include <cmath>

namespace lpu::compiler {

float linearScale(double inputScale, float weightScale, double factor) {
  return static_cast<float>(inputScale * static_cast<double>(weightScale) * factor);
}

std::vector<float> linearBias(std::span<const float> bias, double factor) {
  std::vector<float> out;
  out.reserve(bias.size());
  for (float b : bias)
    out.push_back(static_cast<float>(static_cast<double>(b) * factor));
  return out;
}

RmsNormConstants rmsNormConstants(std::uint32_t width) {
  double coarse = std::ldexp(1.0, -4) / width, fine = std::ldexp(1.0, -34) / width;
  return {static_cast<float>(65536.0 * coarse), static_cast<float>(coarse), static_cast<float>(65536.0 * fine),
          static_cast<float>(fine)};
}

std::vector<float> rmsNormGains(std::span<const float> gamma, double outputScale) {
  std::vector<float> gains;
  gains.reserve(gamma.size());
  for (float g : gamma)
    gains.push_back(static_cast<float>(static_cast<double>(g) / outputScale));
  return gains;
}

LayerNormConstants layerNormConstants(std::uint32_t width) {
  double value = std::ldexp(1.0, -20) / width, square = std::ldexp(1.0, -18) / width;
  return {static_cast<float>(65536.0 * value), static_cast<float>(value), static_cast<float>(65536.0 * square),
          static_cast<float>(square)};
}

GeluConstants geluConstants(bool approximate) {
  // √(2/π) and 0.044715 times that; or the three numbers for which the largest error against x·Φ(x) is least, 2.6e-5.
  if (approximate)
    return {0.7978845608f, 0.0356774081f, 0.0f};
  return {0.797507844f, 0.0370056502f, -0.000351520398f};
}

SoftCapConstants softCapConstants(double cap) { return {static_cast<float>(1 / cap), static_cast<float>(cap)}; }

ScoreConstants scoreConstants(double queryScale, double keyScale, std::uint32_t headDim) {
  double c = queryScale * keyScale / std::sqrt(static_cast<double>(headDim));
  return {static_cast<float>(65536.0 * c), static_cast<float>(c)};
}

ScoreConstants scaledScores(double queryScale, double keyScale, double scale) {
  double c = queryScale * keyScale * scale;
  return {static_cast<float>(65536.0 * c), static_cast<float>(c)};
}

namespace {
/// Of the spread that inputs of unit variance give an output. A normed vector has √width times that as its bound.
constexpr double kKeySpreads = 6, kValueSpreads = 4; // measured: docs/decisions/0019
} // namespace

double keyRange(std::uint32_t width) { return std::min(1.0, kKeySpreads / std::sqrt(2.0 * width)); }
double valueRange(std::uint32_t width) { return std::min(1.0, kValueSpreads / std::sqrt(static_cast<double>(width))); }

ValueConstants valueConstants(double step) { return {static_cast<float>(1.0 / step), static_cast<float>(step)}; }

float inverseScale(double scale) { return static_cast<float>(1.0 / scale); }

RopeRow ropeRow(std::uint64_t position, std::uint32_t headDim, double base, std::span<const float> freqs,
                double magnitude) {
  RopeRow row{std::vector<float>(headDim), std::vector<float>(headDim)};
  for (std::uint32_t i = 0; i < headDim / 2; ++i) {
    double frequency = std::pow(base, -2.0 * i / headDim);
    if (!freqs.empty())
      frequency /= static_cast<double>(freqs[i]);
    double angle = static_cast<double>(position) * frequency, length = frequency == 0 ? 1 : magnitude;
    row.cos[2 * i] = row.cos[2 * i + 1] = static_cast<float>(length * std::cos(angle));
    row.sin[2 * i + 1] = static_cast<float>(length * std::sin(angle));
    row.sin[2 * i] = -row.sin[2 * i + 1];
  }
  return row;
}

} // namespace lpu::compiler
