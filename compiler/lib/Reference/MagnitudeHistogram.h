// Magnitudes of many values in constant space.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace lpu::compiler {

/// Counts |v| in bins of equal width from 0 on. A value beyond the last bin doubles the width and merges the bins in
/// pairs, so the resolution is always better than 1/1024 of the largest value.
class MagnitudeHistogram {
public:
  void add(std::span<const float> values);
  double largest() const { return maximum; }
  std::uint64_t values() const { return count; }
  /// How many lie beyond `range` (to the resolution of a bin).
  std::uint64_t beyond(double range) const;
  /// The least range with at most `share` of all values beyond it.
  double percentile(double share) const;
  /// The range for which rounding to ±127 steps, and clipping beyond, has the least squared error.
  double leastSquares() const;

private:
  static constexpr std::size_t kBins = 2048;
  double squaredError(std::size_t keptBins) const;
  void grow();

  std::vector<std::uint64_t> bins = std::vector<std::uint64_t>(kBins);
  double width = 1e-6, maximum = 0;
  std::uint64_t count = 0;
};

} // namespace lpu::compiler
