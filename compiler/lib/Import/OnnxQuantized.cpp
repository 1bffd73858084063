// Rules of the matcher for quantized files: pairs of QuantizeLinear and
// DequantizeLinear, and the products of codes that dynamic quantization writes.

#include "OnnxMatcher.h"

#include <algorithm>
#include <cmath>

namespace lpu::compiler {
namespace {

using Form = OnnxForm;
using Kind = EncoderNode::Kind;
using Type = onnx::TensorProto;

bool isSigned(const OnnxValue &zero) { return zero.form == Form::Tensor && zero.weight->tensor->type == Type::INT8; }

/// Codes are 8 bits wide; a zero point tells their type, which is unsigned without one.
bool isByte(const OnnxValue *zero) {
  return !zero || zero->form != Form::Tensor || zero->weight->tensor->type == Type::INT8 ||
         zero->weight->tensor->type == Type::UINT8;
}

std::vector<std::int32_t> wholes(const OnnxConstant &constant) {
  std::vector<std::int32_t> out;
  for (double v : constant.values)
    out.push_back(static_cast<std::int32_t>(onnxWhole(v)));
  return out;
}

/// The dimension of the tensor whose entries have scales of their own, if the view has it in one piece.
std::optional<std::int64_t> axisOf(const onnx::NodeProto &node, const OnnxWeight &weight, std::size_t scales) {
  if (scales == 1)
    return 0;
  std::int64_t rank = static_cast<std::int64_t>(weight.dims.size());
  auto axis = onnxAxis(rank < 2 ? 0 : onnxInt(node, "axis", 1), weight.dims.size());
  if (!axis)
    return rank == 0 ? std::optional<std::int64_t>(0) : std::nullopt;
  const OnnxDims &whole = weight.tensor->dims;
  std::int64_t stride = 1;
  for (std::size_t i = whole.size(); i-- > 0; stride *= std::max<std::int64_t>(1, whole[i]))
    if (stride == weight.strides[*axis] && whole[i] == weight.dims[*axis] && weight.offset == 0)
      return static_cast<std::int64_t>(i);
  return std::nullopt;
}

} // namespace

OnnxMatcher::Match OnnxMatcher::dynamicQuantize(const onnx::NodeProto &node, Inputs in) {
  auto x = in.size() == 1 ? rows(*in[0]) : std::nullopt;
  if (!x || node.output_size() != 3)
    return std::nullopt;
  Value codes = *in[0], scale;
  codes.form = Form::DynamicCodes, codes.node = *x, codes.curve = nullptr;
  codes.inner = std::make_shared<Value>(*in[0]);
  scale.form = Form::DynamicScale, scale.node = *x;
  enter(node.output(1), scale);
  scale.form = Form::DynamicZero;
  enter(node.output(2), scale);
  return codes;
}

OnnxMatcher::Match OnnxMatcher::matMulInteger(const onnx::NodeProto &, Inputs in) {
  bool known = in.size() >= 3 && in[0]->form == Form::DynamicCodes && in[1]->form == Form::Tensor &&
               in[1]->dims.size() == 2 && in[2]->form == Form::DynamicZero && in[2]->node == in[0]->node;
  if (!known || in[0]->dims.empty() || in[1]->weight->tensor->isFloat() || !in[1]->weight->scales.empty())
    return std::nullopt;
  Value value = *in[0];
  value.form = Form::Products, value.weight = in[1]->weight;
  if (in.size() > 3 && in[3]->form != Form::Unknown) {
    const OnnxConstant *zeros = numbers(*in[3]);
    if (!zeros || (zeros->values.size() > 1 && zeros->values.size() != static_cast<std::size_t>(in[1]->dims[1])))
      return std::nullopt;
    for (double zero : zeros->values)
      value.weight->zeros.push_back(static_cast<std::int32_t>(onnxWhole(zero)));
  }
  value.dims.back() = in[1]->dims[1];
  return value;
}

/// Sums of products of codes by the scales of both.
OnnxMatcher::Match OnnxMatcher::dynamicProduct(const Value &products, const Value &scale) {
  if (products.form != Form::Products || scale.form != Form::DynamicScale || products.node != scale.node ||
      scale.scales.empty())
    return std::nullopt;
  OnnxWeight weight = *products.weight;
  if (scale.scales.size() > 1 && scale.scales.size() != static_cast<std::size_t>(weight.dims.back()))
    return std::nullopt;
  onnx::NodeProto perColumn;
  auto axis = axisOf(perColumn, weight, scale.scales.size());
  if (!axis)
    return std::nullopt;
  weight.scales = scale.scales, weight.axis = *axis;
  if (!weight.isConsistent())
    return std::nullopt;
  static constexpr std::int64_t kTurn[] = {1, 0};
  return linear(*products.inner, weight.transposed(kTurn));
}

OnnxMatcher::Match OnnxMatcher::quantize(const onnx::NodeProto &node, Inputs in) {
  if (in.size() < 2 || (in.size() > 2 && !isByte(in[2])))
    return std::nullopt;
  const OnnxConstant *scales = numbers(*in[1]),
                     *zeros = in.size() > 2 && in[2]->form != Form::Unknown ? numbers(*in[2]) : nullptr;
  bool positive = scales && !scales->values.empty() &&
                  std::ranges::all_of(scales->values, [](double s) { return s > 0 && std::isfinite(s); });
  if (!positive || (zeros && zeros->values.size() != scales->values.size()))
    return std::nullopt;
  std::int32_t low = in.size() > 2 && isSigned(*in[2]) ? -128 : 0, high = low + 255;
  if (zeros && !std::ranges::all_of(zeros->values, [&](double zero) { return zero >= low && zero <= high; }))
    return std::nullopt;
  Value value;
  value.form = Form::Codes, value.dims = in[0]->dims, value.axes = in[0]->axes;
  value.inner = std::make_shared<Value>(*in[0]);
  if (in[0]->form == Form::Tensor || in[0]->form == Form::Constant) { // weights in training for quantization
    value.weight = weightOf(*in[0]);
    auto axis = value.weight ? axisOf(node, *value.weight, scales->values.size()) : std::nullopt;
    if (!axis || !value.weight->tensor->isFloat() || !value.weight->scales.empty())
      return std::nullopt;
    value.weight->scales = {scales->values.begin(), scales->values.end()};
    if (zeros)
      value.weight->zeros = wholes(*zeros);
    value.weight->axis = *axis, value.weight->rounds = true, value.weight->low = low, value.weight->high = high;
    return value.weight->isConsistent() ? Match(value) : std::nullopt;
  }
  if (scales->values.size() != 1)
    return std::nullopt;
  value.zero = zeros ? static_cast<std::int32_t>(zeros->values[0]) : 0;
  value.fixed = FixedScale{scales->values[0], low - value.zero, high - value.zero};
  return value;
}

OnnxMatcher::Match OnnxMatcher::dequantize(const onnx::NodeProto &node, Inputs in) {
  if (in.size() < 2)
    return std::nullopt;
  if (in[0]->form == Form::DynamicCodes)
    return in[1]->form == Form::DynamicScale && in[1]->node == in[0]->node ? Match(*in[0]->inner) : std::nullopt;
  const OnnxConstant *scales = numbers(*in[1]),
                     *zeros = in.size() > 2 && in[2]->form != Form::Unknown ? numbers(*in[2]) : nullptr;
  if (!scales || scales->values.empty() || (zeros && zeros->values.empty()))
    return std::nullopt;
  auto zero = static_cast<std::int32_t>(zeros ? onnxWhole(zeros->values[0]) : 0);
  if (in[0]->form == Form::Codes) {
    Value value = *in[0]->inner;
    if (in[0]->weight) {
      value.form = Form::Tensor, value.constant = nullptr, value.weight = in[0]->weight;
      return value.dims = value.weight->dims, value;
    }
    if (scales->values.size() != 1 || scales->values[0] != in[0]->fixed->scale || zero != in[0]->zero)
      return std::nullopt;
    value.dims = in[0]->dims, value.axes = in[0]->axes;
    return value.fixed = in[0]->fixed, value;
  }
  if (in[0]->form == Form::Embedded) { // rows of a table of codes
    Value value = *in[0];
    auto &table = value.words ? value.words : value.types ? value.types : value.positions;
    if (table->tensor->isFloat() || !table->scales.empty() || scales->values.size() != 1)
      return std::nullopt;
    table->scales = {static_cast<float>(scales->values[0])};
    if (zeros)
      table->zeros = {zero};
    return value;
  }
  auto weight = in[0]->form == Form::Tensor ? in[0]->weight : std::nullopt;
  auto axis = weight ? axisOf(node, *weight, scales->values.size()) : std::nullopt;
  if (!axis || weight->tensor->isFloat() || !weight->scales.empty())
    return std::nullopt;
  weight->scales = {scales->values.begin(), scales->values.end()};
  if (zeros)
    weight->zeros = wholes(*zeros);
  weight->axis = *axis;
  if (!weight->isConsistent())
    return std::nullopt;
  Value value = *in[0];
  return value.weight = weight, value.constant = nullptr, value;
}

} // namespace lpu::compiler
