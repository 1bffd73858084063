// Operators on constants, one value per element. Only what exporters use to compute
// shapes, positions, masks and activations; values are doubles, which hold every whole
// number that occurs in them. The matcher computes curves with the same functions.

#include "OnnxGraph.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace lpu::compiler {
namespace {

using Folded = std::optional<OnnxConstant>;
using Inputs = std::span<const OnnxConstant *const>;
using Values = std::array<double, 3>;

/// The element of a broadcast operand that stands at element `index` of `dims`.
double broadcastAt(const OnnxConstant &constant, const OnnxDims &dims, std::size_t index) {
  if (constant.values.size() == 1)
    return constant.values[0];
  std::size_t at = 0, stride = 1;
  for (std::size_t i = 0; i < dims.size(); ++i) {
    auto dim = static_cast<std::size_t>(dims[dims.size() - 1 - i]), here = index % dim;
    index /= dim;
    if (i >= constant.dims.size())
      continue;
    auto own = static_cast<std::size_t>(constant.dims[constant.dims.size() - 1 - i]);
    at += (own == 1 ? 0 : here) * stride;
    stride *= own;
  }
  return constant.values[at];
}

template <typename F> Folded elementwise(Inputs in, std::size_t most, F compute) {
  OnnxDims dims;
  bool isWhole = true;
  for (const OnnxConstant *input : in) {
    if (!input)
      return std::nullopt;
    auto joined = broadcastDims(dims, input->dims, most);
    if (!joined)
      return std::nullopt;
    dims = *joined, isWhole &= input->isWhole;
  }
  OnnxConstant out{dims, std::vector<double>(*onnxCount(dims, most)), isWhole};
  for (std::size_t i = 0; i < out.values.size(); ++i) {
    Values v{};
    for (std::size_t k = 0; k < in.size(); ++k)
      v[k] = broadcastAt(*in[k], dims, i);
    out.values[i] = compute(v);
  }
  return out;
}

double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }
double gelu(double x) { return x / 2 * (1 + std::erf(x / std::sqrt(2.0))); }
double geluByTanh(double x) { return x / 2 * (1 + std::tanh(std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x))); }
double nearestEven(double x) { return std::nearbyint(x); }

using Unary = double (*)(double);
const std::map<std::string_view, Unary> &unaries() {
  static const std::map<std::string_view, Unary> table = {
      {"Abs", [](double a) { return std::fabs(a); }},
      {"Ceil", [](double a) { return std::ceil(a); }},
      {"Erf", [](double a) { return std::erf(a); }},
      {"Exp", [](double a) { return std::exp(a); }},
      {"Floor", [](double a) { return std::floor(a); }},
      {"Identity", [](double a) { return a; }},
      {"IsInf", [](double a) { return std::isinf(a) ? 1.0 : 0.0; }},
      {"IsNaN", [](double a) { return std::isnan(a) ? 1.0 : 0.0; }},
      {"Log", [](double a) { return std::log(a); }},
      {"Mish", [](double a) { return a * std::tanh(std::log1p(std::exp(a))); }},
      {"Neg", [](double a) { return -a; }},
      {"Not", [](double a) { return a == 0 ? 1.0 : 0.0; }},
      {"Reciprocal", [](double a) { return 1 / a; }},
      {"Relu", [](double a) { return std::isnan(a) ? a : std::max(a, 0.0); }},
      {"Round", nearestEven},
      {"Sigmoid", sigmoid},
      {"Sign", [](double a) { return a > 0   ? 1.0
                                     : a < 0 ? -1.0
                                             : 0.0; }},
      {"Softplus", [](double a) { return std::log1p(std::exp(a)); }},
      {"Softsign", [](double a) { return a / (1 + std::fabs(a)); }},
      {"Sqrt", [](double a) { return std::sqrt(a); }},
      {"Tanh", [](double a) { return std::tanh(a); }}};
  return table;
}

using Binary = double (*)(double, double);
const std::map<std::string_view, Binary> &binaries() {
  static const std::map<std::string_view, Binary> table = {
      {"Add", [](double a, double b) { return a + b; }},
      {"And", [](double a, double b) { return a != 0 && b != 0 ? 1.0 : 0.0; }},
      {"Equal", [](double a, double b) { return a == b ? 1.0 : 0.0; }},
      {"Greater", [](double a, double b) { return a > b ? 1.0 : 0.0; }},
      {"GreaterOrEqual", [](double a, double b) { return a >= b ? 1.0 : 0.0; }},
      {"Less", [](double a, double b) { return a < b ? 1.0 : 0.0; }},
      {"LessOrEqual", [](double a, double b) { return a <= b ? 1.0 : 0.0; }},
      {"Max", [](double a, double b) { return a > b ? a : b; }},
      {"Min", [](double a, double b) { return a < b ? a : b; }},
      {"Mul", [](double a, double b) { return a * b; }},
      {"Or", [](double a, double b) { return a != 0 || b != 0 ? 1.0 : 0.0; }},
      {"Pow", [](double a, double b) { return std::pow(a, b); }},
      {"PRelu", [](double a, double b) { return a < 0 ? a * b : a; }},
      {"Sub", [](double a, double b) { return a - b; }},
      {"Sum", [](double a, double b) { return a + b; }},
      {"Xor", [](double a, double b) { return (a != 0) != (b != 0) ? 1.0 : 0.0; }}};
  return table;
}

/// Operators whose results are truth values, whatever they compare.
bool isTruth(std::string_view op) {
  static constexpr std::string_view names[] = {
      "And", "Equal", "Greater", "GreaterOrEqual", "IsInf", "IsNaN", "Less", "LessOrEqual", "Not", "Or", "Xor"};
  return std::ranges::find(names, op) != std::end(names);
}

Folded cast(const onnx::NodeProto &node, Inputs in, std::size_t most) {
  using T = onnx::TensorProto;
  std::int64_t type = node.op_type() == "Cast" ? onnxInt(node, "to", T::FLOAT) : 0;
  bool isReal = type == T::FLOAT || type == T::DOUBLE || type == T::FLOAT16 || type == T::BFLOAT16;
  if (node.op_type() == "CastLike")
    isReal = !in[1]->isWhole;
  Folded out = elementwise(in.first(1), most, [&](const Values &v) {
    return type == T::BOOL ? (v[0] != 0 ? 1.0 : 0.0) : isReal ? v[0] : std::trunc(v[0]);
  });
  if (out)
    out->isWhole = !isReal;
  return out;
}

/// Limits are inputs, or attributes in older sets of operators.
Folded clip(const onnx::NodeProto &node, Inputs in, std::size_t most) {
  auto limit = [&](std::size_t input, const char *name, double otherwise) -> std::optional<double> {
    if (in.size() > input && in[input])
      return in[input]->values.size() == 1 ? std::optional(in[input]->values[0]) : std::nullopt;
    return onnxFloat(node, name, otherwise);
  };
  auto low = limit(1, "min", -HUGE_VAL), high = limit(2, "max", HUGE_VAL);
  if (!low || !high)
    return std::nullopt;
  return elementwise(in.first(1), most, [&](const Values &v) { return std::min(std::max(v[0], *low), *high); });
}

/// Operators with attributes.
Folded shaped(const onnx::NodeProto &node, Inputs in, std::size_t most) {
  const std::string &op = node.op_type();
  auto unary = [&](auto f) { return elementwise(in, most, [&](const Values &v) { return f(v[0]); }); };
  if (op == "Gelu")
    return onnxText(node, "approximate") == "tanh" ? unary(geluByTanh) : unary(gelu);
  if (op == "HardSigmoid") {
    double slope = onnxFloat(node, "alpha", 0.2), offset = onnxFloat(node, "beta", 0.5);
    return unary([=](double a) { return std::clamp(slope * a + offset, 0.0, 1.0); });
  }
  if (op == "HardSwish")
    return unary([](double a) { return a * std::clamp(a / 6 + 0.5, 0.0, 1.0); });
  if (op == "LeakyRelu")
    return unary([slope = onnxFloat(node, "alpha", 0.01)](double a) { return a < 0 ? slope * a : a; });
  if (op == "Elu")
    return unary([slope = onnxFloat(node, "alpha", 1)](double a) { return a < 0 ? slope * std::expm1(a) : a; });
  if (op == "Swish")
    return unary([slope = onnxFloat(node, "alpha", 1)](double a) { return a * sigmoid(slope * a); });
  return std::nullopt;
}

} // namespace

std::vector<std::int64_t> onnxInts(const onnx::NodeProto &node, std::string_view name) {
  for (const auto &attribute : node.attribute())
    if (attribute.name() == name)
      return {attribute.ints().begin(), attribute.ints().end()};
  return {};
}
std::int64_t onnxInt(const onnx::NodeProto &node, std::string_view name, std::int64_t fallback) {
  for (const auto &attribute : node.attribute())
    if (attribute.name() == name)
      return attribute.i();
  return fallback;
}
double onnxFloat(const onnx::NodeProto &node, std::string_view name, double fallback) {
  for (const auto &attribute : node.attribute())
    if (attribute.name() == name)
      return static_cast<double>(attribute.f());
  return fallback;
}
std::string onnxText(const onnx::NodeProto &node, std::string_view name) {
  for (const auto &attribute : node.attribute())
    if (attribute.name() == name)
      return attribute.s();
  return {};
}
bool onnxHas(const onnx::NodeProto &node, std::string_view name) {
  return std::ranges::any_of(node.attribute(), [&](const auto &attribute) { return attribute.name() == name; });
}

std::optional<std::size_t> onnxCount(std::span<const std::int64_t> dims, std::size_t most) {
  std::size_t count = 1;
  for (std::int64_t dim : dims) {
    if (dim < 0 || (dim > 0 && count > most / static_cast<std::size_t>(dim)))
      return std::nullopt;
    count *= static_cast<std::size_t>(dim);
  }
  return count;
}

std::int64_t onnxWhole(double value) {
  return std::isnan(value) ? 0 : static_cast<std::int64_t>(std::clamp(value, -1e15, 1e15));
}

std::optional<std::size_t> onnxAxis(std::int64_t axis, std::size_t rank) {
  if (axis < 0)
    axis += static_cast<std::int64_t>(rank);
  return axis >= 0 && axis < static_cast<std::int64_t>(rank) ? std::optional(static_cast<std::size_t>(axis))
                                                             : std::nullopt;
}

std::optional<OnnxDims> broadcastDims(const OnnxDims &a, const OnnxDims &b, std::size_t most) {
  OnnxDims out(std::max(a.size(), b.size()), 1);
  for (std::size_t i = 0; i < out.size(); ++i) {
    auto dim = [&](const OnnxDims &dims) { return i < dims.size() ? dims[dims.size() - 1 - i] : 1; };
    if (dim(a) != dim(b) && dim(a) != 1 && dim(b) != 1)
      return std::nullopt;
    out[out.size() - 1 - i] = dim(a) == 1 ? dim(b) : dim(a);
  }
  return onnxCount(out, most) ? std::optional(out) : std::nullopt;
}

Folded foldElementwise(const onnx::NodeProto &node, Inputs in, std::size_t most) {
  const std::string &op = node.op_type();
  if (in.empty() || !in[0])
    return std::nullopt;
  if (auto unary = unaries().find(op); unary != unaries().end() && in.size() == 1) {
    Folded out = elementwise(in, most, [&](const Values &v) { return unary->second(v[0]); });
    if (out)
      out->isWhole = isTruth(op) || (out->isWhole && (op == "Abs" || op == "Identity" || op == "Neg" || op == "Sign"));
    return out;
  }
  if (auto binary = binaries().find(op); binary != binaries().end()) {
    bool isVariadic = op == "Max" || op == "Min" || op == "Sum";
    if (in.size() != 2 && !isVariadic)
      return std::nullopt;
    Folded out = *in[0];
    for (std::size_t i = 1; i < in.size() && out; ++i) {
      const OnnxConstant *pair[] = {&*out, in[i]};
      Folded next = elementwise(pair, most, [&](const Values &v) { return binary->second(v[0], v[1]); });
      out = std::move(next);
    }
    if (out && isTruth(op))
      out->isWhole = true;
    return out;
  }
  if (op == "Div" || op == "Mod") {
    bool isWhole = in.size() == 2 && in[1] && in[0]->isWhole && in[1]->isWhole, isDiv = op == "Div";
    bool isFloored = !isDiv && onnxInt(node, "fmod", 0) == 0;
    return in.size() != 2 ? std::nullopt : elementwise(in, most, [&](const Values &v) {
      if (isDiv)
        return isWhole ? std::trunc(v[0] / v[1]) : v[0] / v[1];
      return isFloored ? v[0] - std::floor(v[0] / v[1]) * v[1] : std::fmod(v[0], v[1]);
    });
  }
  if (op == "Cast" || (op == "CastLike" && in.size() == 2 && in[1]))
    return cast(node, in, most);
  if (op == "Clip")
    return clip(node, in, most);
  if (op == "Where" && in.size() == 3) {
    Folded out = elementwise(in, most, [](const Values &v) { return v[0] != 0 ? v[1] : v[2]; });
    if (out)
      out->isWhole = in[1]->isWhole && in[2]->isWhole;
    return out;
  }
  return in.size() == 1 ? shaped(node, in, most) : std::nullopt;
}

} // namespace lpu::compiler
