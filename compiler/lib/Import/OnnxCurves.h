// Functions of one value, as exporters spell them with operators, known by their
// values at some places: whoever composes GELU of Erf, Tanh, Sigmoid or anything else,
// with any order of factors and powers, gets the same curve.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <vector>

namespace lpu::compiler {

/// Values at curveGrid(); null: those of the grid themselves.
using OnnxCurve = std::shared_ptr<const std::vector<double>>;

/// Where curves are known: on both sides of 0, or of what is never negative.
const std::vector<double> &curveGrid(bool isPositive);

struct OnnxActivation {
  enum class Kind { Scale, Relu, Gelu, GeluByTanh, Sigmoid, Silu, Tanh } kind;
  double factor = 1; ///< Scale: factor·x; Silu: x·σ(factor·x)
};
/// What a curve over the real numbers is, but for roundings of its constants; the closest of those that come near.
std::optional<OnnxActivation> activationOf(const OnnxCurve &curve);
/// c where a curve is c·x.
std::optional<double> factorOf(const OnnxCurve &curve, bool isPositive);
/// eps where a curve is √(v + eps), or with `isInverse` its reciprocal; 0 for the root itself, or one that is kept
/// from 0 by a limit.
std::optional<double> rootOf(const OnnxCurve &curve, bool isInverse);

} // namespace lpu::compiler
