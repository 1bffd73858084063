// Greedy and temperature / top-k / top-p / min-p sampling. The exponential is the
// machine's own (isa/Numerics.h) and sums run in a fixed order in double, so a
// seed picks the same tokens on every host. The penalty is that of CTRL (Keskar et
// al., arXiv:1909.05858), and the order of the steps that of Hugging Face's generate.
#include "lpu/rt/Sampler.h"

#include "lpu/isa/Numerics.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

namespace lpu::rt {

Random::Random(std::uint64_t seed) {
  for (std::uint64_t &word : state) {
    std::uint64_t z = seed += 0x9E3779B97F4A7C15u;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    word = z ^ (z >> 31);
  }
}

std::uint64_t Random::next() {
  std::uint64_t result = std::rotl(state[1] * 5, 7) * 9;
  std::uint64_t shifted = state[1] << 17;
  state[2] ^= state[0];
  state[3] ^= state[1];
  state[1] ^= state[2];
  state[0] ^= state[3];
  state[2] ^= shifted;
  state[3] = std::rotl(state[3], 45);
  return result;
}

TokenId greedy(std::span<const float> logits) {
  std::size_t best = 0;
  for (std::size_t i = 1; i < logits.size(); ++i)
    if (logits[i] > logits[best] || std::isnan(logits[best]))
      best = i;
  return std::isnan(logits[best]) ? 0 : static_cast<TokenId>(best);
}

/// A token counts once, however often it was seen.
std::vector<float> Sampler::penalized(std::span<const float> logits, std::span<const TokenId> history) const {
  std::vector<float> out(logits.begin(), logits.end());
  for (TokenId id : history.last(std::min<std::size_t>(history.size(), options.repeatLastN))) {
    const auto at = static_cast<std::size_t>(id);
    if (at < logits.size())
      out[at] = logits[at] > 0 ? logits[at] / options.repeatPenalty : logits[at] * options.repeatPenalty;
  }
  return out;
}

std::vector<Probability> Sampler::distribution(std::span<const float> logits, std::span<const TokenId> history) const {
  return penalizes() ? choices(penalized(logits, history)) : choices(logits);
}

/// The fewest of the likeliest that cover `wanted`, at least one.
static void keepTopP(std::vector<Probability> &sorted, double wanted) {
  double covered = 0;
  std::size_t n = 0;
  while (n < sorted.size() && (n == 0 || covered < wanted))
    covered += sorted[n++].value;
  sorted.resize(n);
}

std::vector<Probability> Sampler::choices(std::span<const float> logits) const {
  TokenId best = greedy(logits);
  if (options.temperature <= 0 || !std::isfinite(logits[best]))
    return {{best, 1.0}};
  std::vector<Probability> out;
  for (std::size_t i = 0; i < logits.size(); ++i) {
    float z = std::isnan(logits[i]) ? -std::numeric_limits<float>::infinity() : logits[i];
    out.push_back({static_cast<TokenId>(i), z});
  }
  auto before = [](const Probability &a, const Probability &b) {
    return a.value != b.value ? a.value > b.value : a.id < b.id;
  };
  std::size_t kept = options.topK ? std::min<std::size_t>(options.topK, out.size()) : out.size();
  std::partial_sort(out.begin(), out.begin() + kept, out.end(), before);
  out.resize(kept);

  float largest = logits[best];
  double sum = 0;
  for (Probability &p : out)
    sum += p.value = isa::expF32((static_cast<float>(p.value) - largest) / options.temperature);
  if (options.topP < 1)
    keepTopP(out, static_cast<double>(options.topP) * sum);
  if (options.minP > 0)
    std::erase_if(out, [least = static_cast<double>(options.minP) * out.front().value](const Probability &p) {
      return p.value < least;
    });
  if (out.size() < kept) {
    sum = 0;
    for (const Probability &p : out)
      sum += p.value;
  }
  for (Probability &p : out)
    p.value /= sum;
  return out;
}

TokenId Sampler::sample(std::span<const float> logits, std::span<const TokenId> history) {
  if (options.temperature <= 0)
    return penalizes() ? greedy(penalized(logits, history)) : greedy(logits);
  const std::vector<Probability> drawn = distribution(logits, history);
  double left = random.uniform();
  for (const Probability &p : drawn)
    if ((left -= p.value) < 0)
      return p.id;
  // Rounding left a sliver: it belongs to the last token that has any weight.
  auto last = std::find_if(drawn.rbegin(), drawn.rend(), [](const Probability &p) { return p.value > 0; });
  return last->id;
}

} // namespace lpu::rt
