// Bins stand for their centre; a range is the upper edge of a bin, and never more
// than the largest value.

#include "MagnitudeHistogram.h"

#include <algorithm>
#include <cmath>

namespace lpu::compiler {

void MagnitudeHistogram::grow() {
  for (std::size_t i = 0; i < kBins / 2; ++i)
    bins[i] = bins[2 * i] + bins[2 * i + 1];
  std::fill(bins.begin() + kBins / 2, bins.end(), 0);
  width *= 2;
}

void MagnitudeHistogram::add(std::span<const float> values) {
  for (float v : values) {
    double magnitude = std::fabs(static_cast<double>(v));
    while (magnitude >= width * kBins)
      grow();
    ++bins[static_cast<std::size_t>(magnitude / width)];
    maximum = std::max(maximum, magnitude);
  }
  count += values.size();
}

std::uint64_t MagnitudeHistogram::beyond(double range) const {
  auto first = static_cast<std::size_t>(std::ceil(range / width - 1e-9));
  std::uint64_t sum = 0;
  for (std::size_t i = first; range < maximum && i < kBins; ++i)
    sum += bins[i];
  return sum;
}

double MagnitudeHistogram::percentile(double share) const {
  std::uint64_t tail = 0;
  for (std::size_t i = kBins; i > 0; --i) {
    tail += bins[i - 1];
    if (static_cast<double>(tail) > share * static_cast<double>(count))
      return std::min(maximum, static_cast<double>(i) * width);
  }
  return maximum;
}

double MagnitudeHistogram::squaredError(std::size_t keptBins) const {
  double range = static_cast<double>(keptBins) * width, step = range / 127, error = 0;
  for (std::size_t i = 0; i < kBins; ++i) {
    double excess = (static_cast<double>(i) + 0.5) * width - range;
    error += static_cast<double>(bins[i]) * (i < keptBins ? step * step / 12 : excess * excess);
  }
  return error;
}

double MagnitudeHistogram::leastSquares() const {
  auto last = static_cast<std::size_t>(maximum / width) + 1;
  std::size_t best = last;
  double least = squaredError(last);
  for (std::size_t kept = last; kept > last / 8 && kept > 0; --kept)
    if (double error = squaredError(kept); error < least)
      least = error, best = kept;
  return std::min(maximum, static_cast<double>(best) * width);
}

} // namespace lpu::compiler
