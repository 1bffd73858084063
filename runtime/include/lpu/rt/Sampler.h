// Picks the next token from logits.
#pragma once

#include "lpu/text/Tokenizer.h"

#include <array>
#include <cstdint>
#include <span>
#include <vector>

namespace lpu::rt {

using text::TokenId;

/// Applied in this order: penalty, temperature, top-k, top-p, min-p.
struct SamplerOptions {
  float temperature = 0;   ///< 0: greedy; of the options below only the penalty matters then
  std::uint32_t topK = 0;  ///< 0: all
  float topP = 1;          ///< in (0, 1]; 1: all
  float minP = 0;          ///< in [0, 1]: tokens of at least so much of the likeliest one's probability; 0: all
  float repeatPenalty = 1; ///< above 0: logits of tokens seen are divided by it, negative ones multiplied; 1: none
  std::uint32_t repeatLastN = 64; ///< how many of the last tokens count as seen, those of the prompt included
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
  /// `logits` must not be empty. NaN counts as minus infinity. `history`: the tokens before, the latest last.
  TokenId sample(std::span<const float> logits, std::span<const TokenId> history = {});
  /// What `sample` draws from, best first, ties by lowest id; sums to 1.
  std::vector<Probability> distribution(std::span<const float> logits, std::span<const TokenId> history = {}) const;

private:
  bool penalizes() const { return options.repeatPenalty != 1 && options.repeatLastN > 0; }
  std::vector<float> penalized(std::span<const float> logits, std::span<const TokenId> history) const;
  std::vector<Probability> choices(std::span<const float> logits) const;

  SamplerOptions options;
  Random random;
};

/// The largest logit; the lowest id among equals.
TokenId greedy(std::span<const float> logits);

} // namespace lpu::rt
