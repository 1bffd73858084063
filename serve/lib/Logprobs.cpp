// In double, in the order of ids. NaN counts as minus infinity, as it does for the sampler; what has no finite
// logarithm is given the least number that JSON can carry.
#include "Logprobs.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace lpu::serve {
namespace {

constexpr double kLeast = -9999.0; // as other servers write a probability of zero

} // namespace

TokenLogprob logprobOf(std::span<const float> logits, TokenId chosen, unsigned top, const text::Tokenizer *tokenizer) {
  auto valueOf = [&](TokenId id) {
    const double z = logits[static_cast<std::size_t>(id)];
    return std::isnan(z) ? -std::numeric_limits<double>::infinity() : z;
  };
  std::vector<TokenId> ids(logits.size());
  std::iota(ids.begin(), ids.end(), 0);
  const double largest = valueOf(*std::ranges::max_element(ids, {}, valueOf));
  double sum = 0;
  for (const TokenId id : ids)
    sum += std::exp(valueOf(id) - largest);
  auto probabilityOf = [&](TokenId id) {
    const double logprob = valueOf(id) - largest - std::log(sum);
    return TokenProbability{id, tokenizer ? tokenizer->bytes(id) : "", std::isfinite(logprob) ? logprob : kLeast};
  };
  TokenLogprob out{probabilityOf(chosen), {}};
  const auto kept = static_cast<std::ptrdiff_t>(std::min<std::size_t>(top, ids.size()));
  std::ranges::partial_sort(ids, ids.begin() + kept, [&](TokenId a, TokenId b) {
    return valueOf(a) != valueOf(b) ? valueOf(a) > valueOf(b) : a < b;
  });
  for (std::ptrdiff_t i = 0; i < kept; ++i)
    out.top.push_back(probabilityOf(ids[static_cast<std::size_t>(i)]));
  return out;
}

} // namespace lpu::serve
