// Rules of the matcher for what moves values, for products and for quantization;
// and the table of all rules.

#include "OnnxMatcher.h"

#include <algorithm>
#include <cmath>

namespace lpu::compiler {
namespace {

using Form = OnnxForm;
using View = OnnxView;
using Dims = std::vector<std::int64_t>;

bool isPlain(const OnnxValue &value) { return value.form == Form::Rows && value.view == View::Plain; }

} // namespace

const std::map<std::string_view, OnnxMatcher::Rule> &OnnxMatcher::rules() {
  using M = OnnxMatcher;
  static const std::map<std::string_view, Rule> table = {{"Add", &M::add},
                                                         {"And", nullptr},
                                                         {"BiasGelu", &M::gelu},
                                                         {"Cast", &M::same},
                                                         {"Concat", nullptr},
                                                         {"Constant", &M::constantNode},
                                                         {"ConstantOfShape", nullptr},
                                                         {"DequantizeLinear", &M::dequantize},
                                                         {"Div", &M::div},
                                                         {"Dropout", &M::same},
                                                         {"DynamicQuantizeLinear", &M::dynamicQuantize},
                                                         {"Equal", nullptr},
                                                         {"Erf", &M::erf},
                                                         {"Expand", nullptr},
                                                         {"FastGelu", &M::gelu},
                                                         {"Floor", nullptr},
                                                         {"Gather", &M::gather},
                                                         {"Gelu", &M::gelu},
                                                         {"Gemm", &M::gemm},
                                                         {"Greater", nullptr},
                                                         {"GreaterOrEqual", nullptr},
                                                         {"Identity", &M::same},
                                                         {"LayerNormalization", &M::layerNormalization},
                                                         {"Less", nullptr},
                                                         {"LessOrEqual", nullptr},
                                                         {"MatMul", &M::matMul},
                                                         {"MatMulInteger", &M::matMulInteger},
                                                         {"Mul", &M::mul},
                                                         {"Neg", nullptr},
                                                         {"Not", nullptr},
                                                         {"Or", nullptr},
                                                         {"Pow", &M::pow},
                                                         {"QuantizeLinear", &M::quantize},
                                                         {"Range", nullptr},
                                                         {"Reciprocal", &M::reciprocal},
                                                         {"ReduceMean", &M::reduceMean},
                                                         {"Reshape", &M::reshape},
                                                         {"Shape", &M::shapeOf},
                                                         {"Slice", &M::slice},
                                                         {"Softmax", &M::softmax},
                                                         {"Sqrt", &M::sqrt},
                                                         {"Squeeze", &M::squeeze},
                                                         {"Sub", &M::sub},
                                                         {"Tanh", &M::tanh},
                                                         {"Transpose", &M::transpose},
                                                         {"Unsqueeze", &M::squeeze},
                                                         {"Where", &M::where}};
  return table;
}

OnnxMatcher::Match OnnxMatcher::constantNode(const onnx::NodeProto &node, Inputs) {
  Value value;
  value.form = Form::Constant;
  OnnxConstant constant;
  for (const auto &attribute : node.attribute()) {
    if (attribute.name() == "value_float")
      constant = {{}, {attribute.f()}};
    else if (attribute.name() == "value_int")
      constant = {{}, {static_cast<double>(attribute.i())}};
    else if (attribute.name() == "value_ints")
      constant = {{attribute.ints_size()}, {attribute.ints().begin(), attribute.ints().end()}};
    else if (attribute.name() == "value_floats")
      constant = {{attribute.floats_size()}, {attribute.floats().begin(), attribute.floats().end()}};
  }
  if (const OnnxTensor *tensor = node.output_size() ? file.find(node.output(0)) : nullptr) {
    value.form = Form::Tensor, value.dims = tensor->dims;
    value.weight.emplace().tensor = tensor;
    return value;
  }
  if (constant.values.empty())
    return std::nullopt;
  value.dims = constant.dims;
  value.constant = std::make_shared<OnnxConstant>(std::move(constant));
  return value;
}

OnnxMatcher::Match OnnxMatcher::gather(const onnx::NodeProto &node, Inputs in) {
  if (in.size() != 2)
    return std::nullopt;
  std::int64_t axis = onnxInt(node, "axis", 0);
  const Value &table = *in[0], &ids = *in[1];
  if (table.form == Form::Tensor && table.dims.size() == 2 && axis == 0) {
    bool isCodes = table.weight->scales.empty() && !table.weight->tensor->isFloat(); // scales follow
    if (table.weight->transposed || (!isCodes && !table.weight->isConsistent()))
      return std::nullopt;
    Value value;
    value.form = Form::Embedded, value.dims = ids.dims;
    value.dims.push_back(table.dims[1]);
    if (ids.form == Form::Ids)
      return (ids.isType ? value.types : value.words) = keep(*table.weight), value;
    const OnnxConstant *constant = numbers(ids);
    if (!constant || static_cast<std::int64_t>(constant->values.size()) != sample)
      return std::nullopt;
    bool isZero = true, counts = true;
    for (std::size_t i = 0; i < constant->values.size(); ++i)
      isZero &= constant->values[i] == 0, counts &= constant->values[i] == static_cast<double>(i);
    if (!isZero && !counts)
      return std::nullopt;
    return (isZero ? value.types : value.positions) = keep(*table.weight), value;
  }
  // The first token.
  auto x = rows(table);
  auto index = scalar(ids);
  auto rank = static_cast<std::int64_t>(table.dims.size());
  if (!x || index != 0.0 || rank < 2 || (axis != rank - 2 && axis != -2))
    return std::nullopt;
  Dims dims = table.dims;
  dims.erase(dims.end() - 2);
  dims.insert(dims.end() - 1, ids.dims.begin(), ids.dims.end());
  return rowsOf({.kind = EncoderNode::Kind::First, .inputs = {*x}, .width = model.graph.nodes[*x].width}, dims);
}

OnnxMatcher::Match OnnxMatcher::slice(const onnx::NodeProto &node, Inputs in) {
  // [:, 0:1] is the first token; other slices of values are not known.
  auto x = in.empty() ? std::nullopt : rows(*in[0]);
  auto attributeOr = [&](const char *name, std::size_t input) -> std::optional<double> {
    if (in.size() > input)
      return scalar(*in[input]);
    auto numbers = onnxInts(node, name);
    return numbers.size() == 1 ? std::optional(static_cast<double>(numbers[0])) : std::nullopt;
  };
  if (!x || attributeOr("starts", 1) != 0.0 || attributeOr("ends", 2) != 1.0 ||
      attributeOr("axes", 3) != static_cast<double>(in[0]->dims.size()) - 2)
    return std::nullopt;
  Dims dims = in[0]->dims;
  dims[dims.size() - 2] = 1;
  return rowsOf({.kind = EncoderNode::Kind::First, .inputs = {*x}, .width = model.graph.nodes[*x].width}, dims);
}

OnnxMatcher::Match OnnxMatcher::squeeze(const onnx::NodeProto &node, Inputs in) {
  Dims axes = onnxInts(node, "axes");
  if (in.size() > 1)
    if (const OnnxConstant *constant = numbers(*in[1]))
      for (double v : constant->values)
        axes.push_back(static_cast<std::int64_t>(v));
  if (in.empty() || !isPlain(*in[0]) || axes.size() != 1)
    return std::nullopt;
  Value value = *in[0];
  bool squeezes = node.op_type() == "Squeeze";
  auto rank = static_cast<std::int64_t>(value.dims.size()) + !squeezes;
  std::int64_t axis = axes[0] < 0 ? axes[0] + rank : axes[0];
  if (axis < 0 || axis >= rank - 1 || (squeezes && value.dims[static_cast<std::size_t>(axis)] != 1))
    return std::nullopt;
  if (squeezes)
    value.dims.erase(value.dims.begin() + axis);
  else
    value.dims.insert(value.dims.begin() + axis, 1);
  return value;
}

OnnxMatcher::Match OnnxMatcher::reshape(const onnx::NodeProto &node, Inputs in) {
  const OnnxConstant *target = in.size() == 2 ? numbers(*in[1]) : nullptr;
  if (!target || in[0]->form != Form::Rows)
    return std::nullopt;
  Value value = *in[0];
  std::int64_t whole = 1, known = 1, open = -1;
  for (std::int64_t dim : value.dims)
    whole *= dim;
  Dims dims;
  for (std::size_t i = 0; i < target->values.size(); ++i) {
    double v = target->values[i];
    if (!(std::fabs(v) < 1e9))
      return std::nullopt;
    auto dim = static_cast<std::int64_t>(v);
    if (dim == 0 && i < value.dims.size() && !onnxInt(node, "allowzero", 0))
      dim = value.dims[i];
    if (dim == -1 && open < 0)
      open = static_cast<std::int64_t>(i);
    else if (dim <= 0)
      return std::nullopt;
    else
      known *= dim;
    dims.push_back(dim);
    if (known > (std::int64_t{1} << 50))
      return std::nullopt;
  }
  if (open >= 0)
    dims[static_cast<std::size_t>(open)] = whole / known;
  else if (known != whole)
    return std::nullopt;
  std::int64_t width = model.graph.nodes[value.node].width, last = dims.empty() ? 0 : dims.back();
  if (value.view == View::Plain && last == width)
    return value.dims = dims, value;
  if (value.view == View::Plain && dims.size() == 4 && dims[0] == 1 && dims[1] == sample && dims[2] * last == width) {
    value.view = View::Heads, value.heads = static_cast<std::uint32_t>(dims[2]), value.dims = dims;
    return value;
  }
  if (value.view == View::Heads && last == width)
    return value.view = View::Plain, value.dims = dims, value;
  return std::nullopt;
}

OnnxMatcher::Match OnnxMatcher::transpose(const onnx::NodeProto &node, Inputs in) {
  if (in.size() != 1)
    return std::nullopt;
  Value value = *in[0];
  Dims perm = onnxInts(node, "perm"), old = value.dims;
  if (value.form == Form::Tensor && old.size() == 2 && (perm.empty() || perm == Dims{1, 0})) {
    value.weight->transposed = !value.weight->transposed;
    std::swap(value.dims[0], value.dims[1]);
    return value;
  }
  if (value.form != Form::Rows || old.size() != 4 || perm.size() != 4)
    return std::nullopt;
  struct Turn {
    View from;
    Dims perm;
    View to;
  };
  static const Turn turns[] = {{View::Heads, {0, 2, 1, 3}, View::HeadsFirst},
                               {View::HeadsFirst, {0, 2, 1, 3}, View::Heads},
                               {View::Heads, {0, 2, 3, 1}, View::HeadsLast},
                               {View::HeadsFirst, {0, 1, 3, 2}, View::HeadsLast},
                               {View::HeadsLast, {0, 1, 3, 2}, View::HeadsFirst}};
  for (const Turn &turn : turns)
    if (turn.from == value.view && turn.perm == perm) {
      value.view = turn.to;
      for (std::size_t i = 0; i < 4; ++i)
        value.dims[i] = old[static_cast<std::size_t>(perm[i])];
      return value;
    }
  return std::nullopt;
}

OnnxMatcher::Match OnnxMatcher::linear(const Value &input, const Value &matrix, bool matrixTransposed, Dims dims) {
  auto x = rows(input);
  if (!x || matrix.form != Form::Tensor || matrix.dims.size() != 2)
    return std::nullopt;
  OnnxWeight weight = *matrix.weight;
  if (!matrixTransposed)
    weight.transposed = !weight.transposed; // the store has a row per output
  if (weight.cols() != model.graph.nodes[*x].width || weight.rows() == 0 || weight.rows() > (1U << 24))
    return std::nullopt;
  if (!weight.isConsistent() || (weight.scales.size() > 1 && weight.axis != (weight.transposed ? 1 : 0)))
    return std::nullopt; // scales of inputs cannot be taken out of the sums
  std::size_t source = *x;
  if (input.fixed)
    source =
        rowsOf({.kind = EncoderNode::Kind::Quantize, .inputs = {source}, .width = weight.cols(), .fixed = input.fixed},
               {})
            .node;
  EncoderNode node{
      .kind = EncoderNode::Kind::Linear, .inputs = {source}, .width = weight.rows(), .weight = keep(weight)};
  return rowsOf(std::move(node), std::move(dims));
}

OnnxMatcher::Match OnnxMatcher::matMul(const onnx::NodeProto &, Inputs in) {
  if (in.size() != 2)
    return std::nullopt;
  const Value &a = *in[0], &b = *in[1];
  if (b.form == Form::Tensor && !a.dims.empty() && b.dims.size() == 2) {
    Dims dims = a.dims;
    dims.back() = b.dims[1];
    return linear(a, b, false, std::move(dims));
  }
  if (a.form == Form::Rows && b.form == Form::Rows && a.view == View::HeadsFirst && b.view == View::HeadsLast &&
      a.heads == b.heads && a.dims[3] == b.dims[2]) {
    Value scores;
    scores.form = Form::Scores, scores.node = a.node, scores.other = b.node, scores.heads = a.heads;
    scores.factor = a.factor * b.factor, scores.dims = {1, a.dims[1], sample, sample};
    return scores;
  }
  if (a.form != Form::Probabilities || b.form != Form::Rows || b.view != View::HeadsFirst || b.heads != a.heads ||
      b.factor != 1)
    return std::nullopt;
  std::uint32_t width = model.graph.nodes[b.node].width;
  if (model.graph.nodes[a.node].width != width)
    return std::nullopt;
  EncoderNode node{.kind = EncoderNode::Kind::Attention, .inputs = {a.node, a.other, b.node}, .width = width};
  node.scale = a.factor, node.heads = a.heads;
  Value value = rowsOf(std::move(node), b.dims);
  value.view = View::HeadsFirst, value.heads = a.heads;
  return value;
}

OnnxMatcher::Match OnnxMatcher::gemm(const onnx::NodeProto &node, Inputs in) {
  if (in.size() < 2 || onnxInt(node, "transA", 0) || onnxFloat(node, "alpha", 1) != 1 ||
      onnxFloat(node, "beta", 1) != 1 || in[0]->dims.empty() || in[1]->dims.size() != 2)
    return std::nullopt;
  bool transposed = onnxInt(node, "transB", 0);
  Dims dims = in[0]->dims;
  dims.back() = in[1]->dims[transposed ? 0 : 1];
  Match product = linear(*in[0], *in[1], transposed, std::move(dims));
  return product && in.size() > 2 && in[2]->form != Form::Unknown ? withBias(*product, *in[2]) : product;
}

OnnxMatcher::Match OnnxMatcher::softmax(const onnx::NodeProto &node, Inputs in) {
  std::int64_t axis = onnxInt(node, "axis", file.opset() < 13 ? 1 : -1);
  if (in.size() != 1 || in[0]->form != Form::Scores || (axis != -1 && axis != 3) || !(in[0]->factor > 0))
    return std::nullopt;
  Value value = *in[0];
  return value.form = Form::Probabilities, value;
}

//===-- quantization --------------------------------------------------------------===//

OnnxMatcher::Match OnnxMatcher::dynamicQuantize(const onnx::NodeProto &node, Inputs in) {
  auto x = in.size() == 1 ? rows(*in[0]) : std::nullopt;
  if (!x || node.output_size() != 3)
    return std::nullopt;
  Value codes = rowsAt(*x, in[0]->dims), scale = rowsAt(*x, {}), zero = scale;
  codes.form = Form::DynamicCodes, scale.form = Form::DynamicScale, zero.form = Form::DynamicZero;
  values[node.output(1)] = scale, values[node.output(2)] = zero;
  return codes;
}

OnnxMatcher::Match OnnxMatcher::matMulInteger(const onnx::NodeProto &, Inputs in) {
  bool known = in.size() >= 3 && in[0]->form == Form::DynamicCodes && in[1]->form == Form::Tensor &&
               in[1]->dims.size() == 2 && in[2]->form == Form::DynamicZero && in[2]->node == in[0]->node;
  if (!known || in[1]->weight->tensor->isFloat())
    return std::nullopt;
  Value value = *in[0];
  value.form = Form::Products, value.weight = in[1]->weight;
  value.inner = std::make_shared<Value>(*in[0]);
  if (in.size() > 3)
    if (const OnnxConstant *zeros = numbers(*in[3]))
      for (double zero : zeros->values)
        value.weight->zeros.push_back(static_cast<std::int32_t>(zero));
  if (value.weight->zeros.size() > 1 && value.weight->zeros.size() != static_cast<std::size_t>(in[1]->dims[1]))
    return std::nullopt;
  value.dims.back() = in[1]->dims[1];
  return value;
}

namespace {

/// The dimension of the tensor that has scales of its own entries.
std::int64_t axisOf(const onnx::NodeProto &node, const OnnxValue &value) {
  std::int64_t axis = onnxInt(node, "axis", 1), rank = static_cast<std::int64_t>(value.dims.size());
  axis = axis < 0 ? axis + rank : rank < 2 ? 0 : axis;
  return value.weight->transposed ? 1 - axis : axis;
}

bool isSigned(const OnnxValue &zero) {
  return zero.form == Form::Tensor && zero.weight->tensor->type == onnx::TensorProto::INT8;
}

} // namespace

OnnxMatcher::Match OnnxMatcher::quantize(const onnx::NodeProto &node, Inputs in) {
  if (in.size() < 2)
    return std::nullopt;
  const OnnxConstant *scales = numbers(*in[1]), *zeros = in.size() > 2 ? numbers(*in[2]) : nullptr;
  bool positive = scales && !scales->values.empty() &&
                  std::ranges::all_of(scales->values, [](double s) { return s > 0 && std::isfinite(s); });
  if (!positive || (zeros && zeros->values.size() != scales->values.size()))
    return std::nullopt;
  std::int32_t low = in.size() > 2 && isSigned(*in[2]) ? -128 : 0, high = low + 255;
  Value value;
  value.form = Form::Codes, value.dims = in[0]->dims;
  value.inner = std::make_shared<Value>(*in[0]);
  if (in[0]->form == Form::Tensor) { // weights in training for quantization
    value.weight = in[0]->weight;
    value.weight->scales = {scales->values.begin(), scales->values.end()};
    if (zeros)
      value.weight->zeros = {zeros->values.begin(), zeros->values.end()};
    value.weight->axis = axisOf(node, value), value.weight->rounds = true, value.weight->low = low,
    value.weight->high = high;
    return value;
  }
  if (scales->values.size() != 1)
    return std::nullopt;
  value.zero = zeros ? static_cast<std::int32_t>(zeros->values[0]) : 0;
  value.fixed = FixedScale{scales->values[0], low - value.zero, high - value.zero};
  return value;
}

OnnxMatcher::Match OnnxMatcher::dequantize(const onnx::NodeProto &node, Inputs in) {
  const OnnxConstant *scales = in.size() >= 2 ? numbers(*in[1]) : nullptr,
                     *zeros = in.size() > 2 ? numbers(*in[2]) : nullptr;
  if (!scales || scales->values.empty())
    return std::nullopt;
  if (in[0]->form == Form::Codes) {
    Value value = *in[0]->inner;
    if (in[0]->weight)
      return value.weight = in[0]->weight, value;
    std::int32_t zero = zeros && !zeros->values.empty() ? static_cast<std::int32_t>(zeros->values[0]) : 0;
    if (scales->values.size() != 1 || scales->values[0] != in[0]->fixed->scale || zero != in[0]->zero)
      return std::nullopt;
    return value.fixed = in[0]->fixed, value;
  }
  if (in[0]->form == Form::Embedded) { // rows of a table of codes
    Value value = *in[0];
    const std::string &name = !value.words.empty() ? value.words : !value.types.empty() ? value.types : value.positions;
    OnnxWeight &table = model.weights.at(name);
    if (table.tensor->isFloat() || !table.scales.empty() || scales->values.size() != 1)
      return std::nullopt;
    table.scales = {static_cast<float>(scales->values[0])};
    if (zeros && !zeros->values.empty())
      table.zeros = {static_cast<std::int32_t>(zeros->values[0])};
    return value;
  }
  if (in[0]->form != Form::Tensor || in[0]->weight->tensor->isFloat() || !in[0]->weight->scales.empty())
    return std::nullopt;
  Value value = *in[0];
  value.weight->scales = {scales->values.begin(), scales->values.end()};
  if (zeros)
    value.weight->zeros = {zeros->values.begin(), zeros->values.end()};
  value.weight->axis = axisOf(node, value);
  return value;
}

} // namespace lpu::compiler
