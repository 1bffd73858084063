// Picks the next token from logits.
#pragma once

#include "lpu/text/Tokenizer.h"

#include <array>
#include <cstdint>
#include <span>
#include <vector>

namespace lpu::rt {

using text::TokenId;

struct SamplerOptions {
  float temperature = 0;  ///< 0: greedy (the options below do not matter)
  std::uint32_t topK = 0; ///< 0: all
  float topP = 1;         ///< in (0, 1]; 1: all
  std::uint64_t seed = 0;
};

/// xoshiro256** seeded by splitmix64 (Blackman and Vigna, public domain
/// algorithms): the same numbers on every host.
class Random {
public:
  explicit Random(std::uint64_t seed);
  std::uint64_t next();
  /// Uniform in [0, 1), 53 bits.
  double uniform() { return static_cast<double>(next() >> 11) * 0x1p-53; }

private:
  std::array<std::uint64_t, 4> state;
};

struct Probability {
  TokenId id;
  double value;
};

class Sampler {
public:
  explicit Sampler(const SamplerOptions &options) : options(options), random(options.seed) {}
  /// `logits` must not be empty. NaN counts as minus infinity.
  TokenId sample(std::span<const float> logits);
  /// What `sample` draws from, best first, ties by lowest id; sums to 1.
  std::vector<Probability> distribution(std::span<const float> logits) const;

private:
  SamplerOptions options;
  Random random;
};

/// The largest logit; the lowest id among equals.
TokenId greedy(std::span<const float> logits);

} // namespace lpu::rt
