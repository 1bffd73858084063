// Rounding that knows what the weights will be multiplied by, in the manner of GPTQ.
#pragma once

#include "lpu/compiler/Import/WeightStore.h"

#include <Eigen/Dense>

#include <span>
#include <vector>

namespace lpu::compiler {

/// Σ x·xᵀ over the vectors that a linear was fed.
class InputMoments {
public:
  void add(std::span<const float> input);
  /// Symmetric, both triangles.
  Eigen::MatrixXf matrix();

private:
  void flush();
  Eigen::MatrixXf lower;      ///< its lower triangle
  std::vector<float> pending; ///< vectors not added yet
};

/// Rounds `weights` (row-major) to a type's values column by column; what a column's rounding does to the outputs is
/// made up for, as far as inputs are correlated, by the columns that are still to be rounded.
QuantizedMatrix roundCompensating(std::span<const float> weights, std::uint32_t rows, std::uint32_t cols,
                                  WeightType type, const Eigen::MatrixXf &moments);

/// Σ over inputs and rows of the squared error of the outputs.
double outputError(std::span<const float> weights, const QuantizedMatrix &rounded, const Eigen::MatrixXf &moments);

} // namespace lpu::compiler
