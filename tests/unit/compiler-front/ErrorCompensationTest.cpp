// Rounding with the inputs in view.

#include "../../../compiler/lib/Reference/ErrorCompensation.h"

#include "lpu/isa/Numerics.h"

#include <gtest/gtest.h>

#include <random>

namespace {

using namespace lpu;
using namespace lpu::compiler;

struct Problem {
  std::vector<float> weights;
  InputMoments moments;
  std::vector<std::vector<float>> inputs;
};

/// Inputs of few directions and some noise: what activations are like, and what makes errors exchangeable.
Problem correlated(std::uint32_t rows, std::uint32_t cols) {
  std::mt19937 random(7);
  std::normal_distribution<float> normal;
  Problem p;
  for (std::uint32_t i = 0; i < rows * cols; ++i)
    p.weights.push_back(normal(random));
  std::vector<float> directions(4 * cols);
  for (float &d : directions)
    d = normal(random);
  for (int i = 0; i < 300; ++i) {
    std::vector<float> x(cols);
    for (int d = 0; d < 4; ++d) {
      float size = normal(random);
      for (std::uint32_t k = 0; k < cols; ++k)
        x[k] += size * directions[d * cols + k];
    }
    for (float &v : x)
      v += 0.1f * normal(random);
    p.moments.add(x);
    p.inputs.push_back(x);
  }
  return p;
}

QuantizedMatrix nearest(const std::vector<float> &weights, std::uint32_t rows, std::uint32_t cols, WeightType type) {
  if (type == WeightType::Int8)
    return quantizeRows(weights, rows, cols);
  QuantizedMatrix m{rows, cols, std::vector<std::int8_t>(rows * cols), {}, kWeightGroup};
  for (std::uint32_t i = 0; i < rows * cols; i += kWeightGroup)
    m.scales.push_back(
        quantizeGroup(std::span(weights).subspan(i, kWeightGroup), type, std::span(m.values).subspan(i, kWeightGroup)));
  return m;
}

TEST(ErrorCompensation, MomentsAreSumsOfProducts) {
  Problem p = correlated(1, 70); // pending vectors are added as well
  Eigen::MatrixXf all = p.moments.matrix();
  for (auto [i, j] : {std::pair{0, 0}, {3, 64}, {64, 3}, {69, 69}}) {
    double sum = 0;
    for (const auto &x : p.inputs)
      sum += double(x[i]) * x[j];
    EXPECT_NEAR(all(i, j), sum, 1e-3 * std::abs(sum) + 0.01);
  }
}

TEST(ErrorCompensation, OutputErrorIsThatOfTheOutputs) {
  Problem p = correlated(3, 64);
  QuantizedMatrix q = nearest(p.weights, 3, 64, WeightType::Int4Group);
  double direct = 0;
  for (const auto &x : p.inputs)
    for (std::uint32_t n = 0; n < 3; ++n) {
      double y = 0;
      for (std::uint32_t k = 0; k < 64; ++k)
        y += x[k] * (p.weights[n * 64 + k] - double(q.row(n)[k]) * q.scale(n, k));
      direct += y * y;
    }
  EXPECT_NEAR(outputError(p.weights, q, p.moments.matrix()), direct, 1e-3 * direct);
}

TEST(ErrorCompensation, CorrelatedInputsLoseFarLess) {
  for (WeightType type : {WeightType::Int8, WeightType::Int8Group, WeightType::Int4Group}) {
    Problem p = correlated(24, 96);
    Eigen::MatrixXf moments = p.moments.matrix();
    QuantizedMatrix own = roundCompensating(p.weights, 24, 96, type, moments);
    EXPECT_LT(outputError(p.weights, own, moments),
              0.25 * outputError(p.weights, nearest(p.weights, 24, 96, type), moments));
    for (std::int8_t v : own.values)
      EXPECT_TRUE(type == WeightType::Int4Group ? v >= -8 && v <= 7 : v >= -127);
    for (float scale : own.scales)
      EXPECT_TRUE(type == WeightType::Int8 || isa::halfToFloat(isa::floatToHalf(scale)) == scale);
  }
}

TEST(ErrorCompensation, NothingIsExchangedAmongIndependentInputs) {
  std::vector<float> weights = correlated(5, 64).weights;
  InputMoments moments;
  for (int k = 0; k < 64; ++k) {
    std::vector<float> x(64);
    x[k] = 3;
    moments.add(x);
  }
  EXPECT_EQ(roundCompensating(weights, 5, 64, WeightType::Int8, moments.matrix()).values,
            quantizeRows(weights, 5, 64).values);
}

TEST(ErrorCompensation, InputsThatNeverOccurAreRoundedAsTheyAre) {
  std::vector<float> weights = correlated(2, 32).weights, zeros(32);
  InputMoments moments;
  moments.add(zeros);
  EXPECT_EQ(roundCompensating(weights, 2, 32, WeightType::Int8, moments.matrix()).values,
            quantizeRows(weights, 2, 32).values);
}

} // namespace
