// Draws by inversion: the standard fixes the generator's numbers, but not what its
// distributions make of them.
#include "EnergyDraws.h"

#include "lpu/isa/Hash.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <mutex>
#include <random>
#include <tuple>

namespace lpu::isa {
namespace {

/// The `u`-quantile of a triangle over [low, high] with its top at `mode`.
double triangular(double u, double low, double mode, double high) {
  if (high <= low)
    return low;
  const double left = (mode - low) / (high - low);
  return u < left ? low + std::sqrt(u * (high - low) * (mode - low))
                  : high - std::sqrt((1 - u) * (high - low) * (high - mode));
}

Draws draw(const EnergyEntry &entry, int count, std::uint64_t seed) {
  Draws draws;
  std::mt19937_64 random(hash64(entry.name) ^ (seed * 0x9E3779B97F4A7C15u));
  const bool logarithmic = entry.low > 0;
  for (int k = 0; k < count; ++k) {
    const double u = static_cast<double>(random() >> 11) * 0x1p-53;
    draws.values.push_back(
        logarithmic ? std::exp(triangular(u, std::log(entry.low), std::log(entry.typical), std::log(entry.high)))
                    : triangular(u, entry.low, entry.typical, entry.high));
  }
  draws.p5 = percentile(draws.values, 0.05);
  draws.p95 = percentile(draws.values, 0.95);
  return draws;
}

} // namespace

double percentile(std::vector<double> values, double p) {
  if (values.empty())
    return 0;
  const auto rank = static_cast<std::size_t>(std::ceil(p * static_cast<double>(values.size())));
  const auto at = values.begin() + static_cast<std::ptrdiff_t>(std::max<std::size_t>(rank, 1) - 1);
  std::nth_element(values.begin(), at, values.end());
  return *at;
}

std::shared_ptr<const Draws> drawsOf(const EnergyEntry &entry, int count, std::uint64_t seed) {
  using Key = std::tuple<std::string, double, double, double, int, std::uint64_t>;
  static std::mutex mutex;
  static std::map<Key, std::shared_ptr<const Draws>> known;
  const std::lock_guard lock(mutex);
  std::shared_ptr<const Draws> &draws = known[{entry.name, entry.low, entry.typical, entry.high, count, seed}];
  if (!draws)
    draws = std::make_shared<const Draws>(draw(entry, count, seed));
  return draws;
}

} // namespace lpu::isa
