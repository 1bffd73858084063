// Rules of the matcher for element-wise operators: layer norm and GELU taken apart,
// residuals, biases, scales, masks.

#include "OnnxMatcher.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace lpu::compiler {
namespace {

using Form = OnnxForm;
using View = OnnxView;

bool near(double a, double b, double relative = 1e-3) { return std::fabs(a - b) <= relative * std::fabs(b); }

/// The tanh form of GELU: x/2·(1 + tanh(√(2/π)·(x + 0.044715·x³))).
constexpr double kCubic = 0.044715;
const double kInnerFactor = std::sqrt(2 / std::numbers::pi);

bool isPlain(const OnnxValue &value) { return value.form == Form::Rows && value.view == View::Plain; }

} // namespace

const OnnxConstant *OnnxMatcher::numbers(const Value &value) {
  if (value.form == Form::Constant)
    return value.constant.get();
  if (value.form != Form::Tensor || !value.weight->scales.empty() || value.weight->transposed ||
      value.weight->tensor->count > kMostFolded / 16)
    return nullptr;
  auto &known = decoded[value.weight->tensor->name];
  if (!known) {
    OnnxConstant constant{value.weight->tensor->dims, {}};
    for (std::size_t i = 0; i < value.weight->tensor->count; ++i)
      constant.values.push_back(value.weight->tensor->at(i));
    known = std::make_shared<OnnxConstant>(std::move(constant));
  }
  return known.get();
}

std::optional<double> OnnxMatcher::scalar(const Value &value) {
  const OnnxConstant *constant = numbers(value);
  if (!constant || constant->values.size() != 1 || !std::isfinite(constant->values[0]))
    return std::nullopt;
  return constant->values[0];
}

std::string OnnxMatcher::keep(const OnnxWeight &weight) {
  std::string name = weight.tensor->name + (weight.transposed ? ".T" : "");
  model.weights.try_emplace(name, weight);
  return name;
}

std::optional<std::string> OnnxMatcher::vector(const Value &value, std::uint32_t width) {
  if (value.form != Form::Tensor || value.weight->transposed || value.weight->tensor->count != width ||
      value.weight->tensor->dims.size() != 1 || !value.weight->isConsistent())
    return std::nullopt;
  return keep(*value.weight);
}

OnnxValue OnnxMatcher::rowsAt(std::size_t node, std::vector<std::int64_t> dims) {
  Value value;
  value.form = Form::Rows, value.node = node, value.dims = std::move(dims);
  return value;
}

OnnxValue OnnxMatcher::rowsOf(EncoderNode node, std::vector<std::int64_t> dims) {
  auto &nodes = model.graph.nodes;
  auto same = [&](const EncoderNode &other) {
    return other.kind == node.kind && other.inputs == node.inputs && other.weight == node.weight &&
           other.bias == node.bias && other.types == node.types && other.eps == node.eps && other.scale == node.scale &&
           other.heads == node.heads && other.approximate == node.approximate && other.fixed == node.fixed;
  };
  auto known = std::ranges::find_if(nodes, same);
  std::size_t index = static_cast<std::size_t>(known - nodes.begin());
  if (known == nodes.end())
    nodes.push_back(std::move(node));
  return rowsAt(index, std::move(dims));
}

std::optional<std::size_t> OnnxMatcher::rows(const Value &value) {
  if (isPlain(value) && value.factor == 1)
    return value.node;
  if (value.form != Form::Embedded || value.words.empty() || value.positions.empty())
    return std::nullopt;
  EncoderNode node{.kind = EncoderNode::Kind::Embedding, .inputs = {}, .width = model.weights.at(value.words).cols()};
  node.weight = value.words, node.bias = value.positions, node.types = value.types;
  return rowsOf(std::move(node), value.dims).node;
}

OnnxMatcher::Match OnnxMatcher::shapeOf(const onnx::NodeProto &, Inputs in) {
  if (in.size() != 1)
    return std::nullopt;
  Value value;
  value.form = Form::Constant, value.dims = {static_cast<std::int64_t>(in[0]->dims.size())};
  value.constant = std::make_shared<OnnxConstant>(OnnxConstant{value.dims, {in[0]->dims.begin(), in[0]->dims.end()}});
  return value;
}

OnnxMatcher::Match OnnxMatcher::same(const onnx::NodeProto &, Inputs in) { return in.empty() ? Match() : *in[0]; }

OnnxMatcher::Match OnnxMatcher::where(const onnx::NodeProto &, Inputs in) {
  const OnnxConstant *condition = in.size() == 3 ? numbers(*in[0]) : nullptr;
  if (!condition || condition->values.empty())
    return std::nullopt;
  bool first = condition->values[0] != 0;
  bool uniform = std::ranges::all_of(condition->values, [&](double v) { return (v != 0) == first; });
  return uniform ? *in[first ? 1 : 2] : Match();
}

OnnxMatcher::Match OnnxMatcher::withBias(const Value &value, const Value &bias) {
  if (!isPlain(value) || value.factor != 1)
    return std::nullopt;
  EncoderNode node = model.graph.nodes[value.node];
  auto name = vector(bias, node.width);
  if (node.kind != EncoderNode::Kind::Linear || !node.bias.empty() || !name)
    return std::nullopt;
  node.bias = *name;
  return rowsOf(std::move(node), value.dims);
}

OnnxMatcher::Match OnnxMatcher::add(const onnx::NodeProto &, Inputs in) {
  if (in.size() != 2)
    return std::nullopt;
  for (auto [a, b] : {std::pair{in[0], in[1]}, {in[1], in[0]}}) {
    if (const OnnxConstant *constant = numbers(*b)) {
      bool isZero = std::ranges::all_of(constant->values, [](double v) { return v == 0; });
      if (isZero && (a->form == Form::Scores || isPlain(*a)) && constant->dims.size() <= a->dims.size())
        return *a; // a mask that hides nothing
      Value next = *a;
      auto number = scalar(*b);
      if (a->form == Form::Variance && a->eps == 0 && number && *number > 0)
        return next.eps = *number, next;
      if (a->form == Form::Erf && number && *number == 1)
        return next.form = Form::ErfPlusOne, next;
      if (a->form == Form::InnerTanh && number && *number == 1)
        return next.form = Form::InnerTanhPlusOne, next;
    }
    if (a->form == Form::Scaled)
      if (Match match = normalized(*a, *b, true))
        return match;
    if (Match match = withBias(*a, *b))
      return match;
    // x + 0.044715·x³
    if (isPlain(*a) && a->factor == 1 && b->form == Form::Cube && b->node == a->node && near(b->factor, kCubic)) {
      Value inner = *b;
      inner.form = Form::Inner, inner.factor = 1;
      return inner;
    }
  }
  const Value &a = *in[0], &b = *in[1];
  if (a.form == Form::Embedded && b.form == Form::Embedded) {
    Value sum = a.dims.size() >= b.dims.size() ? a : b;
    const Value &other = a.dims.size() >= b.dims.size() ? b : a;
    for (auto member : {&Value::words, &Value::types, &Value::positions}) {
      if (!(sum.*member).empty() && !(other.*member).empty())
        return std::nullopt;
      if ((sum.*member).empty())
        sum.*member = other.*member;
    }
    sum.dims = {1, sample, sum.dims.back()};
    return sum;
  }
  auto x = rows(a), y = rows(b);
  if (!x || !y || a.dims != b.dims)
    return std::nullopt;
  EncoderNode node{.kind = EncoderNode::Kind::Add, .inputs = {*x, *y}, .width = model.graph.nodes[*x].width};
  return rowsOf(std::move(node), a.dims);
}

OnnxMatcher::Match OnnxMatcher::sub(const onnx::NodeProto &, Inputs in) {
  auto x = in.size() == 2 ? rows(*in[0]) : std::nullopt;
  if (!x || in[1]->form != Form::Mean || in[1]->node != *x)
    return std::nullopt;
  Value value = rowsAt(*x, in[0]->dims);
  value.form = Form::Centered;
  return value;
}

OnnxMatcher::Match OnnxMatcher::reduceMean(const onnx::NodeProto &node, Inputs in) {
  if (in.empty() || onnxInt(node, "keepdims", 1) != 1)
    return std::nullopt;
  std::vector<std::int64_t> axes = onnxInts(node, "axes");
  if (in.size() > 1)
    if (auto axis = scalar(*in[1]))
      axes = {static_cast<std::int64_t>(*axis)};
  auto last = static_cast<std::int64_t>(in[0]->dims.size()) - 1;
  if (axes.size() != 1 || (axes[0] != -1 && axes[0] != last))
    return std::nullopt;
  Value value = *in[0];
  if (value.form == Form::Square) {
    value.form = Form::Variance;
  } else if (auto x = rows(value)) {
    value = rowsAt(*x, value.dims);
    value.form = Form::Mean;
  } else {
    return std::nullopt;
  }
  value.dims.back() = 1;
  return value;
}

OnnxMatcher::Match OnnxMatcher::pow(const onnx::NodeProto &, Inputs in) {
  auto exponent = in.size() == 2 ? scalar(*in[1]) : std::nullopt;
  Value value = in.empty() ? Value() : *in[0];
  if (!exponent)
    return std::nullopt;
  if (value.form == Form::Centered && *exponent == 2)
    return value.form = Form::Square, value;
  if (isPlain(value) && value.factor == 1 && *exponent == 3)
    return value.form = Form::Cube, value;
  if (value.form == Form::Variance && value.eps > 0 && *exponent == 0.5)
    return value.form = Form::Deviation, value;
  return std::nullopt;
}

OnnxMatcher::Match OnnxMatcher::sqrt(const onnx::NodeProto &, Inputs in) {
  if (in.size() != 1 || in[0]->form != Form::Variance || in[0]->eps <= 0)
    return std::nullopt;
  Value value = *in[0];
  return value.form = Form::Deviation, value;
}

OnnxMatcher::Match OnnxMatcher::reciprocal(const onnx::NodeProto &, Inputs in) {
  if (in.size() != 1 || in[0]->form != Form::Deviation)
    return std::nullopt;
  Value value = *in[0];
  return value.form = Form::InverseDeviation, value;
}

OnnxMatcher::Match OnnxMatcher::normalized(Value value, const Value &operand, bool isOffset) {
  std::uint32_t width = model.graph.nodes[value.node].width;
  auto name = vector(operand, width);
  if (!name)
    return std::nullopt;
  if (!isOffset)
    return value.form = Form::Scaled, value.gains = *name, value;
  EncoderNode node{.kind = EncoderNode::Kind::LayerNorm,
                   .inputs = {value.node},
                   .width = width,
                   .weight = value.gains,
                   .bias = *name};
  node.eps = value.eps;
  return rowsOf(std::move(node), value.dims);
}

OnnxMatcher::Match OnnxMatcher::layerNormalization(const onnx::NodeProto &node, Inputs in) {
  auto x = in.size() >= 2 ? rows(*in[0]) : std::nullopt;
  std::int64_t axis = onnxInt(node, "axis", -1);
  if (!x || in.size() != 3 || (axis != -1 && axis != static_cast<std::int64_t>(in[0]->dims.size()) - 1))
    return std::nullopt;
  Value value = rowsAt(*x, in[0]->dims);
  value.eps = onnxFloat(node, "epsilon", 1e-5);
  Match scaled = normalized(value, *in[1], false);
  return scaled ? normalized(*scaled, *in[2], true) : Match();
}

OnnxMatcher::Match OnnxMatcher::geluOf(std::size_t x, double factor, bool approximate,
                                       const std::vector<std::int64_t> &dims) {
  EncoderNode node{.kind = EncoderNode::Kind::Gelu, .inputs = {x}, .width = model.graph.nodes[x].width};
  node.approximate = approximate;
  Value value = rowsOf(std::move(node), dims);
  value.factor = factor;
  return value;
}

/// Products of two values that depend on the ids.
OnnxMatcher::Match OnnxMatcher::productOf(const Value &a, const Value &b) {
  Value next = a;
  if (a.form == Form::Centered && b.form == Form::Centered && a.node == b.node)
    return next.form = Form::Square, next;
  if (a.form == Form::Centered && b.form == Form::InverseDeviation && a.node == b.node)
    return next.form = Form::Normalized, next.eps = b.eps, next;
  // x·(1 + …)/2, whichever factor was halved.
  if (isPlain(a) && b.form == Form::ErfPlusOne && a.node == b.node)
    return geluOf(a.node, 2 * a.factor * b.factor, false, a.dims);
  if (isPlain(a) && b.form == Form::InnerTanhPlusOne && a.node == b.node)
    return geluOf(a.node, 2 * a.factor * b.factor, true, a.dims);
  if (a.form == Form::Products && b.form == Form::DynamicScale && a.node == b.node) {
    OnnxWeight weight = *a.weight;
    weight.scales = b.scales;
    weight.axis = static_cast<std::int64_t>(weight.tensor->dims.size()) - 1; // a scale for each column
    if (weight.scales.size() > 1 && weight.scales.size() != static_cast<std::size_t>(weight.tensor->dims.back()))
      return std::nullopt;
    Value input = rowsAt(a.node, a.inner->dims), matrix;
    matrix.form = Form::Tensor, matrix.dims = weight.tensor->dims, matrix.weight = weight;
    return linear(input, matrix, false, a.dims);
  }
  return std::nullopt;
}

OnnxMatcher::Match OnnxMatcher::mul(const onnx::NodeProto &, Inputs in) {
  if (in.size() != 2)
    return std::nullopt;
  for (auto [a, b] : {std::pair{in[0], in[1]}, {in[1], in[0]}}) {
    Value next = *a;
    bool scales = a->form == Form::Rows || a->form == Form::Scores || a->form == Form::Cube || a->form == Form::Inner ||
                  a->form == Form::ErfPlusOne || a->form == Form::InnerTanhPlusOne;
    if (auto number = scalar(*b); number && scales) {
      next.factor *= *number;
      if (near(next.factor, 1, 1e-6) && a->form != Form::Scores)
        next.factor = 1;
      return next;
    }
    if (a->form == Form::DynamicScale && a->scales.empty())
      if (const OnnxConstant *constant = numbers(*b); constant && !constant->values.empty())
        return next.scales = {constant->values.begin(), constant->values.end()}, next;
    if (a->form == Form::Normalized)
      if (Match match = normalized(*a, *b, false))
        return match;
    if (Match match = productOf(*a, *b))
      return match;
  }
  return std::nullopt;
}

OnnxMatcher::Match OnnxMatcher::div(const onnx::NodeProto &, Inputs in) {
  if (in.size() != 2)
    return std::nullopt;
  Value next = *in[0];
  if (auto number = scalar(*in[1]); number && *number != 0 && (next.form == Form::Rows || next.form == Form::Scores))
    return next.factor /= *number, next;
  if (next.form == Form::Centered && in[1]->form == Form::Deviation && next.node == in[1]->node)
    return next.form = Form::Normalized, next.eps = in[1]->eps, next;
  return std::nullopt;
}

OnnxMatcher::Match OnnxMatcher::erf(const onnx::NodeProto &, Inputs in) {
  if (in.size() != 1 || !isPlain(*in[0]) || !near(in[0]->factor, 1 / std::numbers::sqrt2))
    return std::nullopt;
  Value value = *in[0];
  return value.form = Form::Erf, value.factor = 1, value;
}

OnnxMatcher::Match OnnxMatcher::tanh(const onnx::NodeProto &, Inputs in) {
  if (in.size() != 1)
    return std::nullopt;
  Value value = *in[0];
  if (value.form == Form::Inner && near(value.factor, kInnerFactor))
    return value.form = Form::InnerTanh, value.factor = 1, value;
  auto x = rows(value);
  if (!x)
    return std::nullopt;
  return rowsOf({.kind = EncoderNode::Kind::Tanh, .inputs = {*x}, .width = model.graph.nodes[*x].width}, value.dims);
}

OnnxMatcher::Match OnnxMatcher::gelu(const onnx::NodeProto &node, Inputs in) {
  bool approximate = node.op_type() == "FastGelu";
  for (const auto &attribute : node.attribute())
    approximate |= attribute.name() == "approximate" && attribute.s() == "tanh";
  Match input = in.size() > 1 ? withBias(*in[0], *in[1]) : in.empty() ? Match() : *in[0];
  auto x = input ? rows(*input) : std::nullopt;
  return x ? geluOf(*x, 1, approximate, input->dims) : Match();
}

} // namespace lpu::compiler
