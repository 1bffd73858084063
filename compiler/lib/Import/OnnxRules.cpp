// Rules of the matcher for arithmetic: curves of one value, norms taken apart,
// residuals, biases.

#include "OnnxMatcher.h"

#include <algorithm>
#include <cmath>

namespace lpu::compiler {
namespace {

using Form = OnnxForm;
using Kind = EncoderNode::Kind;
using Atom = OnnxAtom::Kind;

bool isPositive(Form form) { return form == Form::Variance || form == Form::SquareSum || form == Form::Probabilities; }

/// The same thing but for what was done to each of its values.
bool sameBase(const OnnxValue &a, const OnnxValue &b) {
  bool isAlike = a.form == Form::SquareSum || (a.dims == b.dims && a.axes == b.axes); // lengths come expanded, too
  return a.form == b.form && a.node == b.node && a.other == b.other && isAlike;
}

} // namespace

const OnnxConstant *OnnxMatcher::numbers(const Value &value, std::size_t most) {
  if (value.form == Form::Constant || (value.form == Form::Tensor && value.constant))
    return value.constant.get();
  if (value.form != Form::Tensor || value.weight->count() > most)
    return nullptr;
  const OnnxWeight &weight = *value.weight;
  bool isCodes = weight.scales.empty() && !weight.tensor->isFloat();
  if (!isCodes && !weight.isConsistent())
    return nullptr;
  OnnxConstant constant{weight.dims, {}, isCodes};
  constant.values.reserve(weight.count());
  for (std::size_t i = 0; i < weight.count(); ++i)
    constant.values.push_back(weight.valueAt(weight.placeOf(i)));
  value.constant = std::make_shared<OnnxConstant>(std::move(constant));
  return value.constant.get();
}

std::optional<double> OnnxMatcher::scalar(const Value &value) {
  const OnnxConstant *constant = numbers(value);
  if (!constant || constant->values.size() != 1 || !std::isfinite(constant->values[0]))
    return std::nullopt;
  return constant->values[0];
}

std::optional<double> OnnxMatcher::uniform(const Value &value) {
  const OnnxConstant *constant = numbers(value, kMostFolded);
  if (!constant || constant->values.empty())
    return std::nullopt;
  double first = constant->values[0];
  bool isUniform = std::ranges::all_of(constant->values, [&](double v) { return v == first; });
  return isUniform ? std::optional(first) : std::nullopt;
}

/// Operators whose results depend on one value, element by element, make a curve of it.
OnnxMatcher::Match OnnxMatcher::elementwise(const onnx::NodeProto &node, Inputs in) {
  const Value *base = nullptr;
  OnnxDims dims;
  for (const Value *value : in)
    if (value->hasCurve()) {
      if (base && !sameBase(*base, *value))
        return std::nullopt;
      base = base ? base : value;
    }
  if (!base)
    return std::nullopt;
  const std::vector<double> &grid = curveGrid(isPositive(base->form));
  auto places = static_cast<std::int64_t>(grid.size());
  std::vector<OnnxConstant> operands(in.size());
  std::vector<const OnnxConstant *> pointers;
  std::size_t rank = base->dims.size();
  for (std::size_t i = 0; i < in.size(); ++i) {
    const Value &value = *in[i];
    if (value.hasCurve()) {
      operands[i] = {{places}, value.curve ? *value.curve : grid};
    } else if (value.form == Form::Unknown) {
      pointers.push_back(nullptr);
      continue;
    } else {
      auto number = uniform(value);
      auto joined = broadcastDims(base->dims, numbers(value, kMostFolded) ? value.dims : OnnxDims{}, SIZE_MAX >> 1);
      if (!number || !joined || onnxCount(*joined, SIZE_MAX >> 1) != onnxCount(base->dims, SIZE_MAX >> 1))
        return std::nullopt;
      rank = std::max(rank, joined->size());
      operands[i] = {{}, {*number}};
    }
    pointers.push_back(&operands[i]);
  }
  auto folded = foldElementwise(node, pointers);
  if (!folded || folded->values.size() != grid.size())
    return std::nullopt;
  Value value = *base;
  value.fixed.reset();
  for (; value.dims.size() < rank; value.dims.insert(value.dims.begin(), 1))
    value.axes.insert(value.axes.begin(), OnnxAxis());
  auto curve = std::make_shared<std::vector<double>>(std::move(folded->values));
  value.curve = *curve == grid ? nullptr : OnnxCurve(std::move(curve));
  return value;
}

OnnxMatcher::Match OnnxMatcher::same(const onnx::NodeProto &node, Inputs in) {
  if (in.empty())
    return std::nullopt;
  if (in[0]->hasCurve() && node.op_type() == "Cast")
    return elementwise(node, in.first(1));
  bool isReal = onnxInt(node, "to", onnx::TensorProto::FLOAT) != onnx::TensorProto::BOOL;
  return node.op_type() != "Cast" || isReal ? Match(*in[0]) : std::nullopt;
}

/// The node plus a vector: a linear without a bias takes it, or one of those that are added up.
std::optional<std::size_t> OnnxMatcher::nodeWithBias(std::size_t index, const Value &bias) {
  EncoderNode node = model.graph.nodes[index];
  if (node.kind == Kind::Linear && node.bias.empty() && node.scale == 1) {
    auto name = vector(bias, node.width);
    if (!name)
      return std::nullopt;
    node.bias = *name;
    return nodeOf(std::move(node));
  }
  if (node.kind != Kind::Add)
    return std::nullopt;
  for (std::size_t &input : node.inputs)
    if (auto taken = nodeWithBias(input, bias)) {
      input = *taken;
      return nodeOf(std::move(node));
    }
  return std::nullopt;
}

OnnxMatcher::Match OnnxMatcher::withBias(const Value &value, const Value &bias) {
  if (value.form != Form::Rows || value.curve || (bias.form != Form::Tensor && bias.form != Form::Constant) ||
      !rows(value))
    return std::nullopt;
  auto node = nodeWithBias(value.node, bias);
  if (!node)
    return std::nullopt;
  Value sum = value;
  sum.node = *node;
  return sum;
}

/// Word, type and position rows add up in any order; a table of positions may also come as its first rows.
OnnxMatcher::Match OnnxMatcher::embeddedSum(const Value &a, const Value &b) {
  if (a.form != Form::Embedded)
    return std::nullopt;
  Value sum = a;
  if (b.form == Form::Embedded) {
    if (b.dims.size() > a.dims.size())
      sum.dims = b.dims, sum.axes = b.axes;
    for (auto member : {&Value::words, &Value::types, &Value::positions}) {
      if ((sum.*member) && (b.*member))
        return std::nullopt;
      if (!(sum.*member))
        sum.*member = b.*member;
    }
    return sum;
  }
  auto table = b.table ? b.table : weightOf(b);
  std::int64_t width = a.dims.back();
  if (!table || table->dims.empty() || table->dims.back() != width)
    return std::nullopt;
  std::int64_t count = width ? static_cast<std::int64_t>(table->count()) / width : 0;
  auto flat = table->reshaped({count, width});
  bool isOne = count == 1, isPosition = !isOne && (b.table || (isFixed && count == sample));
  if (!flat || (isOne ? sum.types : sum.positions) || (!isOne && !isPosition))
    return std::nullopt;
  return (isOne ? sum.types : sum.positions) = flat, sum;
}

OnnxMatcher::Match OnnxMatcher::add(const onnx::NodeProto &node, Inputs in) {
  if (in.size() != 2)
    return std::nullopt;
  if (Match match = elementwise(node, in))
    return match;
  for (auto [a, b] : {std::pair{in[0], in[1]}, {in[1], in[0]}}) {
    if (a->form == Form::Scaled || a->form == Form::Normalized)
      if (Match match = normalized(*a, *b, true))
        return match;
    if (Match match = withBias(*a, *b))
      return match;
    if (Match match = embeddedSum(*a, *b))
      return match;
  }
  const Value &a = *in[0], &b = *in[1];
  auto x = rows(a), y = rows(b);
  if (!x || !y || flatten(a.axes) != flatten(b.axes) || isSingle(*x) != isSingle(*y))
    return std::nullopt;
  EncoderNode sum{.kind = Kind::Add, .inputs = {*x, *y}, .width = width(*x), .isSingle = isSingle(*x)};
  return rowsOf(std::move(sum), a.dims.size() >= b.dims.size() ? a.axes : b.axes);
}

OnnxMatcher::Match OnnxMatcher::sub(const onnx::NodeProto &node, Inputs in) {
  if (Match match = elementwise(node, in))
    return match;
  auto x = in.size() == 2 ? rows(*in[0]) : std::nullopt;
  if (!x || in[1]->form != Form::Mean || in[1]->node != *x)
    return std::nullopt;
  Value value = *in[0];
  return value.form = Form::Centered, value.node = *x, value.curve = nullptr, value;
}

/// Sums, means and lengths: over the elements of rows, or over the tokens.
OnnxMatcher::Match OnnxMatcher::reduce(const onnx::NodeProto &node, Inputs in) {
  const std::string &op = node.op_type();
  OnnxDims axes = onnxInts(node, "axes");
  if (in.size() > 1 && in[1]->form != Form::Unknown) {
    const OnnxConstant *given = numbers(*in[1]);
    if (!given)
      return std::nullopt;
    for (double axis : given->values)
      axes.push_back(onnxWhole(axis));
  }
  auto axis = axes.size() == 1 ? onnxAxis(axes[0], in[0]->dims.size()) : std::nullopt;
  if (!axis || in[0]->axes.size() != in[0]->dims.size())
    return std::nullopt;
  bool keepsAxis = onnxInt(node, "keepdims", 1);
  Value value = *in[0];
  const OnnxAxis &over = value.axes[*axis];
  if (over.size() == 1 && over[0].kind == Atom::Token) {
    if (op == "ReduceMean")
      return meanOverTokens(value, *axis, keepsAxis);
    auto x = op == "ReduceSum" ? rows(value) : std::nullopt;
    if (!x)
      return std::nullopt;
    value.form = Form::TokenSum, value.node = *x, value.curve = nullptr;
  } else {
    bool isKnown = value.form == Form::Rows || value.form == Form::Centered;
    auto x = isKnown ? std::optional(value.node) : rows(value);
    if (!x || *axis + 1 != value.dims.size() || value.dims.back() != width(*x))
      return std::nullopt;
    auto squared = [&](std::size_t i) { return value.curve && (*value.curve)[i] == std::pow(curveGrid(false)[i], 2); };
    bool isSquared = isKnown;
    for (std::size_t i = 0; isSquared && i < curveGrid(false).size(); ++i)
      isSquared &= squared(i);
    std::vector<double> curve = curveGrid(true);
    if (value.form == Form::Centered && isSquared && (op == "ReduceMean" || op == "ReduceSum")) {
      for (double &v : curve)
        v *= op == "ReduceSum" ? width(*x) : 1;
      value.form = Form::Variance;
    } else if (value.form == Form::Rows && isSquared && op == "ReduceSum") {
      value.form = Form::SquareSum;
    } else if (auto whole = rows(value); whole && op == "ReduceMean") {
      value.form = Form::Mean, value.node = *whole;
    } else if (whole && (op == "ReduceL2" || op == "ReduceSumSquare")) {
      if (op == "ReduceL2")
        for (double &v : curve)
          v = std::sqrt(v);
      value.form = Form::SquareSum, value.node = *whole;
    } else {
      return std::nullopt;
    }
    value.curve = curve == curveGrid(true) ? nullptr : std::make_shared<std::vector<double>>(std::move(curve));
  }
  value.fixed.reset();
  auto at = static_cast<std::ptrdiff_t>(*axis);
  if (keepsAxis)
    value.axes[*axis].clear(), value.dims[*axis] = 1;
  else
    value.axes.erase(value.axes.begin() + at), value.dims.erase(value.dims.begin() + at);
  return value;
}

/// Steps of a layer norm behind the division: gains, then offsets.
OnnxMatcher::Match OnnxMatcher::normalized(const Value &value, const Value &operand, bool isOffset) {
  std::uint32_t elements = width(value.node);
  if (!isOffset) {
    auto gains = weightOf(operand);
    if (!gains || gains->count() != elements || gains->dims.empty() || gains->dims.back() != elements)
      return std::nullopt;
    Value scaled = value;
    return scaled.form = Form::Scaled, scaled.gains = gains, scaled;
  }
  auto name = vector(operand, elements);
  auto gains = value.gains ? value.gains->reshaped({elements}) : std::nullopt;
  if (!name || (value.gains && !gains))
    return std::nullopt;
  EncoderNode node{.kind = Kind::LayerNorm, .inputs = {value.node}, .width = elements};
  node.weight = gains ? keep(*gains, false) : filled(1, elements), node.bias = *name, node.eps = value.eps;
  node.isSingle = isSingle(value.node);
  return rowsOf(std::move(node), value.axes);
}

OnnxMatcher::Match OnnxMatcher::layerNormalization(const onnx::NodeProto &node, Inputs in) {
  auto x = in.size() >= 2 ? rows(*in[0]) : std::nullopt;
  std::int64_t axis = onnxInt(node, "axis", -1);
  if (!x || (axis != -1 && axis != static_cast<std::int64_t>(in[0]->dims.size()) - 1))
    return std::nullopt;
  Value value = *in[0];
  value.form = Form::Normalized, value.node = *x, value.curve = nullptr, value.eps = onnxFloat(node, "epsilon", 1e-5);
  Match scaled = normalized(value, *in[1], false);
  if (!scaled || in.size() < 3 || in[2]->form == Form::Unknown)
    return scaled;
  return normalized(*scaled, *in[2], true);
}

/// x over its length is a vector of length 1, a centered x over its deviation one step of a layer norm.
OnnxMatcher::Match OnnxMatcher::overDeviation(const Value &a, const Value &b, bool isInverse) {
  Value next = a;
  if (a.form == Form::Centered && b.form == Form::Variance && !a.curve && a.node == b.node) {
    auto eps = rootOf(b.curve, isInverse);
    if (!eps || !(*eps > 0))
      return std::nullopt;
    return next.form = Form::Normalized, next.eps = *eps, next;
  }
  auto x = b.form == Form::SquareSum ? rows(a) : std::nullopt;
  if (!x || *x != b.node || !rootOf(b.curve, isInverse))
    return std::nullopt;
  EncoderNode node{.kind = Kind::Normalize, .inputs = {*x}, .width = width(*x), .isSingle = isSingle(*x)};
  return rowsOf(std::move(node), a.axes);
}

OnnxMatcher::Match OnnxMatcher::lpNormalization(const onnx::NodeProto &node, Inputs in) {
  auto x = in.size() == 1 && onnxInt(node, "p", 2) == 2 ? rows(*in[0]) : std::nullopt;
  auto axis = x ? onnxAxis(onnxInt(node, "axis", -1), in[0]->dims.size()) : std::nullopt;
  if (!axis || *axis + 1 != in[0]->dims.size())
    return std::nullopt;
  EncoderNode made{.kind = Kind::Normalize, .inputs = {*x}, .width = width(*x), .isSingle = isSingle(*x)};
  return rowsOf(std::move(made), in[0]->axes);
}

OnnxMatcher::Match OnnxMatcher::mul(const onnx::NodeProto &node, Inputs in) {
  if (in.size() != 2)
    return std::nullopt;
  if (Match match = elementwise(node, in))
    return match;
  for (auto [a, b] : {std::pair{in[0], in[1]}, {in[1], in[0]}}) {
    if (a->form == Form::Ids && uniform(*b) == 0.0) // token types that are made of the ids
      return zerosLike(*a);
    if (a->form == Form::DynamicScale && a->scales.empty())
      if (const OnnxConstant *constant = numbers(*b); constant && !constant->values.empty()) {
        Value next = *a;
        return next.scales = {constant->values.begin(), constant->values.end()}, next;
      }
    if (a->form == Form::Normalized)
      if (Match match = normalized(*a, *b, false))
        return match;
    if (Match match = overDeviation(*a, *b, true))
      return match;
    if (Match match = dynamicProduct(*a, *b))
      return match;
  }
  return std::nullopt;
}

OnnxMatcher::Match OnnxMatcher::div(const onnx::NodeProto &node, Inputs in) {
  if (in.size() != 2)
    return std::nullopt;
  Match match = elementwise(node, in);
  return match ? match : overDeviation(*in[0], *in[1], false);
}

OnnxMatcher::Match OnnxMatcher::where(const onnx::NodeProto &node, Inputs in) {
  if (Match match = elementwise(node, in))
    return match;
  auto condition = in.size() == 3 ? uniform(*in[0]) : std::nullopt;
  return condition ? Match(*in[*condition != 0 ? 1 : 2]) : std::nullopt;
}

/// Zeros in the shape of ids.
OnnxMatcher::Value OnnxMatcher::zerosLike(const Value &ids) const {
  Value value;
  value.form = Form::Constant, value.dims = ids.dims;
  std::vector<double> none(static_cast<std::size_t>(sample), 0.0);
  value.constant = std::make_shared<OnnxConstant>(OnnxConstant{value.dims, std::move(none), true});
  return value;
}

/// Ids that are compared with the number of the padding: a sequence has none, as its mask is ones.
OnnxMatcher::Match OnnxMatcher::equal(const onnx::NodeProto &node, Inputs in) {
  if (Match match = elementwise(node, in))
    return match;
  bool isIds = in.size() == 2 && ((in[0]->form == Form::Ids && !in[0]->isType && uniform(*in[1])) ||
                                  (in[1]->form == Form::Ids && !in[1]->isType && uniform(*in[0])));
  return isIds ? Match(zerosLike(*(in[0]->form == Form::Ids ? in[0] : in[1]))) : std::nullopt;
}

} // namespace lpu::compiler
