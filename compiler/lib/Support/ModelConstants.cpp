// The one place where the constants of docs/spec/numerics.md are computed.

#include "lpu/compiler/Support/ModelConstants.h"

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

ScoreConstants scoreConstants(double queryScale, double keyScale, std::uint32_t headDim) {
  double c = queryScale * keyScale / std::sqrt(static_cast<double>(headDim));
  return {static_cast<float>(65536.0 * c), static_cast<float>(c)};
}

float inverseScale(double scale) { return static_cast<float>(1.0 / scale); }

RopeRow ropeRow(std::uint64_t position, std::uint32_t headDim, double base, std::span<const float> freqs) {
  RopeRow row{std::vector<float>(headDim), std::vector<float>(headDim)};
  for (std::uint32_t i = 0; i < headDim / 2; ++i) {
    double frequency = std::pow(base, -2.0 * i / headDim);
    if (!freqs.empty())
      frequency /= static_cast<double>(freqs[i]);
    double angle = static_cast<double>(position) * frequency;
    row.cos[2 * i] = row.cos[2 * i + 1] = static_cast<float>(std::cos(angle));
    row.sin[2 * i + 1] = static_cast<float>(std::sin(angle));
    row.sin[2 * i] = -row.sin[2 * i + 1];
  }
  return row;
}

} // namespace lpu::compiler
