// With H = Σ x·xᵀ and the Cholesky factor U of H⁻¹ (H⁻¹ = UᵀU), an error e of column
// k costs least when the columns j > k change by −e·U[k][j] / U[k][k]. Columns go in
// blocks of a group: inside, one after the other; the columns behind get the errors
// of a whole block in one matrix product. See Frantar et al., GPTQ, 2022.

#include "ErrorCompensation.h"

#include "lpu/isa/Numerics.h"

#include <algorithm>
#include <cmath>

namespace lpu::compiler {

namespace {

using Rows = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

/// Share of the mean diagonal that is added to it: directions no input had must not look free.
constexpr double kDamping = 0.01;
/// Vectors added to the moments at once.
constexpr std::size_t kTogether = 64;

/// U of H⁻¹ = UᵀU, for H damped.
Rows inverseFactor(const Eigen::MatrixXf &moments) {
  Eigen::MatrixXd damped = moments.cast<double>();
  double mean = damped.diagonal().mean();
  damped.diagonal().array() += mean > 0 ? kDamping * mean : 1.0;
  Eigen::MatrixXd inverse = damped.llt().solve(Eigen::MatrixXd::Identity(damped.rows(), damped.cols()));
  return Eigen::MatrixXd(inverse.llt().matrixU()).cast<float>();
}

struct Limits {
  float low, high;
};
Limits limitsOf(WeightType type) { return type == WeightType::Int4Group ? Limits{-8, 7} : Limits{-127, 127}; }

std::int8_t nearest(float weight, float scale, Limits limits) {
  return scale == 0 ? std::int8_t{0}
                    : static_cast<std::int8_t>(std::clamp(std::nearbyint(weight / scale), limits.low, limits.high));
}

/// The scale of a group that costs least, errors weighted by how strongly each column is used: N12's, or one by which
/// the largest values saturate and the others are rounded more finely.
float groupScale(std::span<const float> weights, WeightType type, std::span<const float> use) {
  std::vector<std::int8_t> values(weights.size());
  float full = quantizeGroup(weights, type, values), best = full;
  double least = -1;
  for (int step = 0; step <= 8; ++step) {
    float scale = isa::halfToFloat(isa::floatToHalf(full * (1.0f - 0.05f * static_cast<float>(step))));
    double cost = 0;
    for (std::size_t k = 0; k < weights.size(); ++k) {
      double error = weights[k] - static_cast<double>(nearest(weights[k], scale, limitsOf(type))) * scale;
      cost += error * error * use[k];
    }
    if (least < 0 || cost < least)
      least = cost, best = scale;
  }
  return best;
}

} // namespace

void InputMoments::add(std::span<const float> input) {
  if (lower.size() == 0)
    lower = Eigen::MatrixXf::Zero(static_cast<Eigen::Index>(input.size()), static_cast<Eigen::Index>(input.size()));
  pending.insert(pending.end(), input.begin(), input.end());
  if (pending.size() >= kTogether * input.size())
    flush();
}

void InputMoments::flush() {
  if (pending.empty())
    return;
  Eigen::Map<const Eigen::MatrixXf> vectors(pending.data(), lower.rows(),
                                            static_cast<Eigen::Index>(pending.size()) / lower.rows());
  lower.selfadjointView<Eigen::Lower>().rankUpdate(vectors);
  pending.clear();
}

Eigen::MatrixXf InputMoments::matrix() {
  flush();
  return lower.selfadjointView<Eigen::Lower>();
}

QuantizedMatrix roundCompensating(std::span<const float> weights, std::uint32_t rows, std::uint32_t cols,
                                  WeightType type, const Eigen::MatrixXf &moments) {
  QuantizedMatrix out =
      type == WeightType::Int8
          ? quantizeRows(weights, rows, cols)
          : QuantizedMatrix{rows, cols, std::vector<std::int8_t>(std::size_t{rows} * cols), {}, kWeightGroup};
  out.scales.resize(std::size_t{rows} * out.groups());
  Rows left = Eigen::Map<const Rows>(weights.data(), rows, cols), factor = inverseFactor(moments);
  std::vector<float> use(moments.diagonal().begin(), moments.diagonal().end());
  Limits limits = limitsOf(type);
  for (std::uint32_t first = 0; first < cols; first += kWeightGroup) {
    std::uint32_t count = std::min(kWeightGroup, cols - first), behind = cols - first - count;
    if (out.group)
      for (std::uint32_t n = 0; n < rows; ++n)
        out.scales[std::size_t{n} * out.groups() + first / kWeightGroup] =
            groupScale({&left(n, first), count}, type, std::span(use).subspan(first, count));
    Rows errors(rows, count);
    for (std::uint32_t k = first; k < first + count; ++k) {
      for (std::uint32_t n = 0; n < rows; ++n) {
        std::int8_t value = nearest(left(n, k), out.scale(n, k), limits);
        out.values[std::size_t{n} * cols + k] = value;
        errors(n, k - first) = (left(n, k) - static_cast<float>(value) * out.scale(n, k)) / factor(k, k);
      }
      std::uint32_t rest = first + count - k - 1;
      left.middleCols(k + 1, rest) -= errors.col(k - first) * factor.row(k).segment(k + 1, rest);
    }
    left.rightCols(behind) -= errors * factor.block(first, first + count, count, behind);
  }
  return out;
}

double outputError(std::span<const float> weights, const QuantizedMatrix &rounded, const Eigen::MatrixXf &moments) {
  Rows difference = Eigen::Map<const Rows>(weights.data(), rounded.rows, rounded.cols);
  for (std::uint32_t n = 0; n < rounded.rows; ++n)
    for (std::uint32_t k = 0; k < rounded.cols; ++k)
      difference(n, k) -= static_cast<float>(rounded.row(n)[k]) * rounded.scale(n, k);
  return static_cast<double>((difference * moments).cwiseProduct(difference).sum());
}

} // namespace lpu::compiler
