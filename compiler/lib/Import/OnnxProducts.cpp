// Rules of the matcher for products: linears and attention; and the table of all rules.

#include "OnnxMatcher.h"

#include <algorithm>
#include <cmath>

namespace lpu::compiler {
namespace {

using Form = OnnxForm;
using Kind = EncoderNode::Kind;
using Atom = OnnxAtom::Kind;

/// What the dimensions before the last two run over.
OnnxAxis heads(const OnnxValue &value) {
  return value.axes.size() < 2 ? OnnxAxis() : flatten({value.axes.begin(), value.axes.end() - 2});
}

bool isElements(const OnnxAxis &axis, std::int64_t size) {
  return axis.size() == 1 && axis[0].kind == Atom::Element && axis[0].size == size && axis[0].stride == 1;
}
bool isOf(const OnnxAxis &axis, Atom kind) { return axis.size() == 1 && axis[0].kind == kind; }

} // namespace

const std::map<std::string_view, OnnxMatcher::Rule> &OnnxMatcher::rules() {
  using M = OnnxMatcher;
  static const std::map<std::string_view, Rule> table = {{"And", nullptr},
                                                         {"Ceil", nullptr},
                                                         {"Concat", nullptr},
                                                         {"ConstantOfShape", nullptr},
                                                         {"CumSum", nullptr},
                                                         {"Floor", nullptr},
                                                         {"GatherND", nullptr},
                                                         {"Greater", nullptr},
                                                         {"GreaterOrEqual", nullptr},
                                                         {"Less", nullptr},
                                                         {"LessOrEqual", nullptr},
                                                         {"Mod", nullptr},
                                                         {"Or", nullptr},
                                                         {"PRelu", nullptr},
                                                         {"Range", nullptr},
                                                         {"ReduceMax", nullptr},
                                                         {"ReduceMin", nullptr},
                                                         {"ReduceProd", nullptr},
                                                         {"Round", nullptr},
                                                         {"Sign", nullptr},
                                                         {"Size", nullptr},
                                                         {"Softsign", nullptr},
                                                         {"Sum", nullptr},
                                                         {"Tile", nullptr},
                                                         {"Trilu", nullptr},
                                                         {"Xor", nullptr},
                                                         {"Abs", &M::elementwise},
                                                         {"Add", &M::add},
                                                         {"AttentionBias", &M::attentionBias},
                                                         {"AttentionMask", &M::attentionMask},
                                                         {"Cast", &M::same},
                                                         {"CastLike", &M::same},
                                                         {"Clip", &M::elementwise},
                                                         {"Constant", &M::constantNode},
                                                         {"DequantizeLinear", &M::dequantize},
                                                         {"Div", &M::div},
                                                         {"Dropout", &M::same},
                                                         {"DynamicQuantizeLinear", &M::dynamicQuantize},
                                                         {"Elu", &M::elementwise},
                                                         {"Equal", &M::equal},
                                                         {"Erf", &M::elementwise},
                                                         {"Exp", &M::elementwise},
                                                         {"Expand", &M::expand},
                                                         {"Flatten", &M::reshape},
                                                         {"Gather", &M::gather},
                                                         {"Gelu", &M::elementwise},
                                                         {"Gemm", &M::gemm},
                                                         {"HardSigmoid", &M::elementwise},
                                                         {"HardSwish", &M::elementwise},
                                                         {"Identity", &M::same},
                                                         {"IsInf", &M::elementwise},
                                                         {"IsNaN", &M::elementwise},
                                                         {"LayerNormalization", &M::layerNormalization},
                                                         {"LeakyRelu", &M::elementwise},
                                                         {"Log", &M::elementwise},
                                                         {"LpNormalization", &M::lpNormalization},
                                                         {"MatMul", &M::matMul},
                                                         {"MatMulInteger", &M::matMulInteger},
                                                         {"Max", &M::elementwise},
                                                         {"Min", &M::elementwise},
                                                         {"Mish", &M::elementwise},
                                                         {"Mul", &M::mul},
                                                         {"Neg", &M::elementwise},
                                                         {"Not", &M::elementwise},
                                                         {"Pow", &M::elementwise},
                                                         {"QuantizeLinear", &M::quantize},
                                                         {"Reciprocal", &M::elementwise},
                                                         {"ReduceL2", &M::reduce},
                                                         {"ReduceMean", &M::reduce},
                                                         {"ReduceSum", &M::reduce},
                                                         {"ReduceSumSquare", &M::reduce},
                                                         {"Relu", &M::elementwise},
                                                         {"Reshape", &M::reshape},
                                                         {"Shape", &M::shapeOf},
                                                         {"Sigmoid", &M::elementwise},
                                                         {"Slice", &M::slice},
                                                         {"Softmax", &M::softmax},
                                                         {"Softplus", &M::elementwise},
                                                         {"Split", &M::split},
                                                         {"Sqrt", &M::elementwise},
                                                         {"Squeeze", &M::reshape},
                                                         {"Sub", &M::sub},
                                                         {"Swish", &M::elementwise},
                                                         {"Tanh", &M::elementwise},
                                                         {"Transpose", &M::transpose},
                                                         {"TransposeLast", &M::transposeLast},
                                                         {"Unsqueeze", &M::reshape},
                                                         {"Where", &M::where}};
  return table;
}

/// `matrix` has a row per output.
OnnxMatcher::Match OnnxMatcher::linear(const Value &input, const OnnxWeight &matrix) {
  auto x = rows(input);
  if (!x || input.axes.empty() || matrix.dims.size() != 2 || matrix.cols() != width(*x) || matrix.rows() == 0 ||
      matrix.rows() > (1U << 24) || !matrix.isConsistent())
    return std::nullopt;
  // Elements are the last dimension, and nothing else is in it.
  if (width(*x) > 1 ? !isElements(input.axes.back(), width(*x)) : !input.axes.back().empty())
    return std::nullopt;
  if (!matrix.isScaledByRow())
    return std::nullopt; // scales of inputs cannot be taken out of the sums
  std::size_t source = *x;
  if (input.fixed)
    source = nodeOf({.kind = Kind::Quantize,
                     .inputs = {source},
                     .width = matrix.cols(),
                     .isSingle = isSingle(*x),
                     .fixed = input.fixed});
  EncoderNode node{.kind = Kind::Linear, .inputs = {source}, .width = matrix.rows(), .weight = keep(matrix, true)};
  node.isSingle = isSingle(*x);
  std::vector<OnnxAxis> axes = input.axes;
  axes.back() = matrix.rows() > 1 ? OnnxAxis{{Atom::Element, matrix.rows()}} : OnnxAxis();
  return rowsOf(std::move(node), std::move(axes));
}

/// Queries by keys: [heads, tokens, elements] by [heads, elements, tokens].
OnnxMatcher::Match OnnxMatcher::scoresOf(const Value &queries, const Value &keys) {
  auto q = source(queries), k = source(keys);
  if (!q || !k || queries.axes.size() != keys.axes.size() || queries.axes.size() < 2)
    return std::nullopt;
  std::size_t rank = queries.axes.size();
  OnnxAxis perHead = heads(queries);
  std::int64_t elements = queries.dims[rank - 1], count = perHead.empty() ? 1 : perHead[0].size;
  bool isHeads = perHead.empty() || (isOf(perHead, Atom::Element) && perHead[0].stride == elements);
  if (!isHeads || heads(keys) != perHead || count * elements != width(q->first) ||
      count * elements != width(k->first) || !isElements(queries.axes[rank - 1], elements) ||
      !isElements(keys.axes[rank - 2], elements) || !isOf(queries.axes[rank - 2], Atom::Token) ||
      !isOf(keys.axes[rank - 1], Atom::Token))
    return std::nullopt;
  Value scores;
  scores.form = Form::Scores, scores.node = q->first, scores.other = k->first;
  scores.axes = queries.axes;
  for (std::size_t i = 0; i + 2 < rank; ++i)
    for (OnnxAtom &atom : scores.axes[i])
      atom = {Atom::Head, atom.size};
  scores.axes[rank - 1] = {{Atom::Key, sample}};
  scores.dims = dimsOf(scores.axes);
  double factor = q->second * k->second;
  if (factor != 1) {
    auto curve = std::make_shared<std::vector<double>>(curveGrid(false));
    for (double &v : *curve)
      v *= factor;
    scores.curve = std::move(curve);
  }
  return scores;
}

/// Probabilities by values: [heads, tokens, tokens] by [heads, tokens, elements].
OnnxMatcher::Match OnnxMatcher::mixed(const Value &probabilities, const Value &values) {
  std::size_t rank = values.axes.size();
  auto v = source(values);
  if (!v || v->second != 1 || probabilities.curve || rank < 2 || probabilities.axes.size() != rank)
    return std::nullopt;
  OnnxAxis perHead = heads(values), scored = heads(probabilities);
  std::int64_t elements = values.dims[rank - 1], count = perHead.empty() ? 1 : perHead[0].size;
  bool isHeads = perHead.empty() ? scored.empty()
                                 : isOf(perHead, Atom::Element) && perHead[0].stride == elements &&
                                       isOf(scored, Atom::Head) && scored[0].size == count;
  std::uint32_t all = width(v->first);
  if (!isHeads || count * elements != all || width(probabilities.node) != all ||
      !isElements(values.axes[rank - 1], elements) || !isOf(values.axes[rank - 2], Atom::Token) ||
      !isOf(probabilities.axes[rank - 2], Atom::Token) || !isOf(probabilities.axes[rank - 1], Atom::Key))
    return std::nullopt;
  EncoderNode node{
      .kind = Kind::Attention, .inputs = {probabilities.node, probabilities.other, v->first}, .width = all};
  node.scale = probabilities.factor, node.heads = static_cast<std::uint32_t>(count);
  return rowsOf(std::move(node), values.axes);
}

OnnxMatcher::Match OnnxMatcher::matMul(const onnx::NodeProto &, Inputs in) {
  if (in.size() != 2)
    return std::nullopt;
  const Value &a = *in[0], &b = *in[1];
  if (b.form == Form::Tensor || b.form == Form::Constant) {
    auto matrix = weightOf(b);
    if (!matrix || matrix->dims.size() != 2 || a.axes.empty() || a.axes.size() != a.dims.size())
      return std::nullopt;
    static constexpr std::int64_t kTurn[] = {1, 0}; // the store has a row per output
    return linear(a, matrix->transposed(kTurn));
  }
  if (a.form == Form::Rows && b.form == Form::Rows)
    return scoresOf(a, b);
  return a.form == Form::Probabilities && b.form == Form::Rows ? mixed(a, b) : std::nullopt;
}

/// Factors and transposed inputs were taken apart (OnnxExpand.cpp).
OnnxMatcher::Match OnnxMatcher::gemm(const onnx::NodeProto &node, Inputs in) {
  if (in.size() < 2)
    return std::nullopt;
  Match product = matMul(node, in.first(2));
  return product && in.size() > 2 && in[2]->form != Form::Unknown ? withBias(*product, *in[2]) : product;
}

OnnxMatcher::Match OnnxMatcher::softmax(const onnx::NodeProto &node, Inputs in) {
  if (in.size() != 1 || in[0]->form != Form::Scores)
    return std::nullopt;
  auto rank = in[0]->dims.size();
  auto axis = onnxAxis(onnxInt(node, "axis", file.opset() < 13 ? 1 : -1), rank);
  auto factor = factorOf(in[0]->curve, false);
  if (!axis || *axis + 1 != rank || !isOf(in[0]->axes[*axis], Atom::Key) || !factor || !(*factor > 0))
    return std::nullopt;
  Value value = *in[0];
  return value.form = Form::Probabilities, value.factor = *factor, value.curve = nullptr, value;
}

/// A fused attention's mask: ones, or lengths, which say that every token is attended to.
OnnxMatcher::Match OnnxMatcher::attentionMask(const onnx::NodeProto &, Inputs in) {
  auto number = in.size() == 2 && in[0]->form == Form::Scores ? uniform(*in[1]) : std::nullopt;
  bool isAll = number && (in[1]->dims.size() == 1 ? *number == static_cast<double>(sample) : *number == 1);
  return isAll ? Match(*in[0]) : std::nullopt;
}

/// What is added to every score alike changes no probability; truth values, all true, neither.
OnnxMatcher::Match OnnxMatcher::attentionBias(const onnx::NodeProto &, Inputs in) {
  return in.size() == 2 && in[0]->form == Form::Scores && uniform(*in[1]) ? Match(*in[0]) : std::nullopt;
}

} // namespace lpu::compiler
