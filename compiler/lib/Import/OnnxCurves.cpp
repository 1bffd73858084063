// Recognizes curves.

#include "OnnxCurves.h"

#include <algorithm>
#include <cmath>
#include <functional>

namespace lpu::compiler {
namespace {

std::vector<double> realGrid() {
  std::vector<double> grid;
  for (int i = -40; i <= 40; ++i)
    grid.push_back(i / 4.0);
  for (double x : {-0.001, 0.001, -30.0, 30.0})
    grid.push_back(x);
  return grid;
}

/// Variances of activations, from those of a vector of zeros on.
std::vector<double> positiveGrid() {
  std::vector<double> grid = {0};
  for (int e = -24; e <= 14; ++e)
    grid.push_back(std::ldexp(1.0, e));
  return grid;
}

double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }
double gelu(double x) { return x / 2 * (1 + std::erf(x / std::sqrt(2.0))); }
double geluByTanh(double x) { return x / 2 * (1 + std::tanh(std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x))); }

const std::vector<double> &valuesOf(const OnnxCurve &curve, bool isPositive) {
  return curve ? *curve : curveGrid(isPositive);
}

/// The largest difference to a function, in units of what float16 constants may cost.
double distance(std::span<const double> values, bool isPositive, const std::function<double(double)> &function) {
  const std::vector<double> &grid = curveGrid(isPositive);
  double largest = 0;
  for (std::size_t i = 0; i < grid.size(); ++i) {
    double want = function(grid[i]), off = std::fabs(values[i] - want) / std::max(1.0, std::fabs(want));
    largest = std::isnan(off) ? HUGE_VAL : std::max(largest, off);
  }
  return largest;
}

constexpr double kNear = 1e-3;

} // namespace

const std::vector<double> &curveGrid(bool isPositive) {
  static const std::vector<double> real = realGrid(), positive = positiveGrid();
  return isPositive ? positive : real;
}

std::optional<double> factorOf(const OnnxCurve &curve, bool isPositive) {
  if (!curve)
    return 1;
  const std::vector<double> &grid = curveGrid(isPositive);
  double factor = (*curve)[grid.size() - 1] / grid.back();
  for (std::size_t i = 0; i < grid.size(); ++i)
    if (!(std::fabs((*curve)[i] - factor * grid[i]) <= 1e-6 * std::fabs(factor * grid[i]) + 1e-12))
      return std::nullopt;
  return std::fabs(factor - 1) < 1e-6 ? 1 : factor;
}

std::optional<OnnxActivation> activationOf(const OnnxCurve &curve) {
  using Kind = OnnxActivation::Kind;
  if (auto factor = factorOf(curve, false))
    return OnnxActivation{Kind::Scale, *factor};
  const std::vector<double> &values = *curve, &grid = curveGrid(false);
  // x·σ(k·x) at 1 tells k.
  auto one = static_cast<std::size_t>(std::ranges::find(grid, 1.0) - grid.begin());
  double gate = values[one], slope = gate > 0 && gate < 1 ? std::log(gate / (1 - gate)) : 1;
  if (std::fabs(slope - 1) < kNear)
    slope = 1;
  std::optional<OnnxActivation> best;
  double nearest = kNear;
  auto consider = [&](OnnxActivation activation, const std::function<double(double)> &function) {
    if (double off = distance(values, false, function); off < nearest)
      nearest = off, best = activation;
  };
  consider({Kind::Relu}, [](double x) { return std::max(x, 0.0); });
  consider({Kind::Gelu}, gelu);
  consider({Kind::GeluByTanh}, geluByTanh);
  consider({Kind::Sigmoid}, sigmoid);
  consider({Kind::Tanh}, [](double x) { return std::tanh(x); });
  if (slope > 0)
    consider({Kind::Silu, slope}, [&](double x) { return x * sigmoid(slope * x); });
  return best;
}

std::optional<double> rootOf(const OnnxCurve &curve, bool isInverse) {
  const std::vector<double> &grid = curveGrid(true), &values = valuesOf(curve, true);
  auto root = [&](std::size_t i) { return isInverse ? 1 / values[i] : values[i]; };
  double eps = root(0) * root(0);
  if (!(eps >= 0 && eps < 1))
    return std::nullopt;
  bool isSum = true, isLimited = true;
  for (std::size_t i = 0; i < grid.size(); ++i) {
    double sum = std::sqrt(grid[i] + eps), limited = std::sqrt(std::max(grid[i], eps));
    isSum &= std::fabs(root(i) - sum) <= 1e-4 * sum, isLimited &= std::fabs(root(i) - limited) <= 1e-4 * limited;
  }
  return isSum ? std::optional(eps) : isLimited ? std::optional(0.0) : std::nullopt;
}

} // namespace lpu::compiler
