// Rules of the matcher for what moves values: heads that come apart and are turned,
// the first token, columns of a linear, rows of tables.

#include "OnnxMatcher.h"

#include <algorithm>
#include <cmath>

namespace lpu::compiler {
namespace {

using Form = OnnxForm;
using Kind = EncoderNode::Kind;
using Atom = OnnxAtom::Kind;

bool isTokens(const OnnxAxis &axis) { return axis.size() == 1 && axis[0].kind == Atom::Token; }

} // namespace

OnnxMatcher::Match OnnxMatcher::constantNode(const onnx::NodeProto &node, Inputs) {
  Value value;
  std::optional<OnnxConstant> constant; // none: the node holds text, a sparse tensor, or one that cannot be read
  for (const auto &attribute : node.attribute()) {
    if (attribute.name() == "value_float")
      constant = OnnxConstant{{}, {static_cast<double>(attribute.f())}};
    else if (attribute.name() == "value_int")
      constant = OnnxConstant{{}, {static_cast<double>(attribute.i())}, true};
    else if (attribute.name() == "value_ints")
      constant = OnnxConstant{{attribute.ints_size()}, {attribute.ints().begin(), attribute.ints().end()}, true};
    else if (attribute.name() == "value_floats")
      constant = OnnxConstant{{attribute.floats_size()}, {attribute.floats().begin(), attribute.floats().end()}};
  }
  if (const OnnxTensor *tensor = node.output_size() ? file.find(node.output(0)) : nullptr) {
    value.form = Form::Tensor, value.dims = tensor->dims, value.weight = OnnxWeight(*tensor);
    return value;
  }
  if (!constant || !onnxCount(constant->dims))
    return std::nullopt;
  value.form = Form::Constant, value.dims = constant->dims;
  value.constant = std::make_shared<OnnxConstant>(std::move(*constant));
  return value;
}

OnnxMatcher::Match OnnxMatcher::shapeOf(const onnx::NodeProto &node, Inputs in) {
  if (in.size() != 1)
    return std::nullopt;
  auto rank = static_cast<std::int64_t>(in[0]->dims.size());
  auto clip = [&](std::int64_t v) { return std::clamp<std::int64_t>(v < 0 ? v + rank : v, 0, rank); };
  std::int64_t start = clip(onnxInt(node, "start", 0)), end = clip(onnxInt(node, "end", rank));
  OnnxConstant shape{{std::max<std::int64_t>(0, end - start)}, {}, true};
  for (std::int64_t i = start; i < end; ++i)
    shape.values.push_back(static_cast<double>(in[0]->dims[static_cast<std::size_t>(i)]));
  Value value;
  value.form = Form::Constant, value.dims = shape.dims;
  value.constant = std::make_shared<OnnxConstant>(std::move(shape));
  return value;
}

/// The first token of rows in their order.
OnnxMatcher::Match OnnxMatcher::first(const Value &value, std::size_t axis, bool keepsAxis) {
  auto x = rows(value);
  if (!x || isSingle(*x))
    return std::nullopt;
  std::vector<OnnxAxis> axes = value.axes;
  if (keepsAxis)
    axes[axis].clear();
  else
    axes.erase(axes.begin() + static_cast<std::ptrdiff_t>(axis));
  return rowsOf({.kind = Kind::First, .inputs = {*x}, .width = width(*x), .isSingle = true}, std::move(axes));
}

OnnxMatcher::Match OnnxMatcher::meanOverTokens(const Value &value, std::size_t axis, bool keepsAxis) {
  auto x = rows(value);
  if (!x || isSingle(*x))
    return std::nullopt;
  std::vector<OnnxAxis> axes = value.axes;
  if (keepsAxis)
    axes[axis].clear();
  else
    axes.erase(axes.begin() + static_cast<std::ptrdiff_t>(axis));
  return rowsOf({.kind = Kind::Mean, .inputs = {*x}, .width = width(*x), .isSingle = true}, std::move(axes));
}

/// Entries of a dimension that runs over whole runs of a linear's outputs: a linear with fewer rows.
OnnxMatcher::Match OnnxMatcher::columns(const Value &value, std::size_t axis, std::int64_t start, std::int64_t count) {
  const OnnxAxis &over = value.axes[axis];
  if (start == 0 && count == value.dims[axis])
    return value;
  if (value.form != Form::Rows || count < 1 || over.size() != 1 || over[0].kind != Atom::Element ||
      over[0].stride * over[0].size != width(value.node))
    return std::nullopt;
  EncoderNode node = model.graph.nodes[value.node];
  if (node.kind != Kind::Linear)
    return std::nullopt;
  std::int64_t stride = over[0].stride, firstRow = start * stride, kept = count * stride;
  node.width = static_cast<std::uint32_t>(kept);
  node.weight = keep(OnnxWeight(model.weights.at(node.weight)).slice(0, firstRow, kept), true);
  if (!node.bias.empty())
    node.bias = keep(OnnxWeight(model.weights.at(node.bias)).slice(0, firstRow, kept), false);
  Value part = value;
  part.fixed.reset();
  part.node = nodeOf(std::move(node)), part.dims[axis] = count, part.axes[axis][0].size = count;
  if (count == 1)
    part.axes[axis].clear();
  return part;
}

OnnxMatcher::Match OnnxMatcher::gather(const onnx::NodeProto &node, Inputs in) {
  auto axis = in.size() == 2 ? onnxAxis(onnxInt(node, "axis", 0), in[0]->dims.size()) : std::nullopt;
  if (!axis)
    return std::nullopt;
  const Value &table = *in[0], &ids = *in[1];
  if (table.form == Form::Tensor || table.form == Form::Constant) {
    auto weight = ids.form == Form::Ids || table.form == Form::Tensor ? weightOf(table) : std::nullopt;
    if (!weight || weight->dims.size() != 2 || *axis != 0)
      return std::nullopt;
    using Type = onnx::TensorProto;
    bool isCodes = weight->scales.empty() &&
                   (weight->tensor->type == Type::INT8 || weight->tensor->type == Type::UINT8); // scales follow
    if (!isCodes && !weight->isConsistent())
      return std::nullopt;
    Value value;
    value.form = Form::Embedded;
    std::int64_t elements = weight->dims[1];
    auto tokens = std::ranges::find(ids.dims, sample);
    for (auto dim = ids.dims.begin(); dim != ids.dims.end(); ++dim)
      value.axes.push_back(dim == tokens ? OnnxAxis{{Atom::Token, sample}} : OnnxAxis());
    value.axes.push_back(elements > 1 ? OnnxAxis{{Atom::Element, elements}} : OnnxAxis());
    value.dims = dimsOf(value.axes);
    if (ids.form == Form::Ids)
      return (ids.isType ? value.types : value.words) = weight, value;
    const OnnxConstant *numbers = this->numbers(ids);
    if (!numbers || static_cast<std::int64_t>(numbers->values.size()) != sample)
      return std::nullopt;
    std::int64_t start = onnxWhole(numbers->values[0]);
    bool isSame = true, counts = true;
    for (std::size_t i = 0; i < numbers->values.size(); ++i)
      isSame &= numbers->values[i] == static_cast<double>(start),
          counts &= numbers->values[i] == static_cast<double>(start + static_cast<std::int64_t>(i));
    if (start < 0 || start >= weight->dims[0] || (!isSame && !counts))
      return std::nullopt;
    if (isSame)
      return value.types = weight->slice(0, start, 1), value;
    return value.positions = weight->slice(0, start, weight->dims[0] - start), value;
  }
  if (table.axes.size() != table.dims.size())
    return std::nullopt;
  auto index = scalar(ids);
  if (!index || ids.dims.size() > 1)
    return std::nullopt;
  bool keepsAxis = !ids.dims.empty();
  if (isTokens(table.axes[*axis]))
    return *index == 0 ? first(table, *axis, keepsAxis) : std::nullopt;
  std::int64_t at = onnxWhole(*index) + (*index < 0 ? table.dims[*axis] : 0);
  if (at < 0 || at >= table.dims[*axis])
    return std::nullopt;
  Match part = columns(table, *axis, at, 1);
  if (part && !keepsAxis)
    part->axes.erase(part->axes.begin() + static_cast<std::ptrdiff_t>(*axis)), part->dims = dimsOf(part->axes);
  return part;
}

OnnxMatcher::Match OnnxMatcher::slice(const onnx::NodeProto &node, Inputs in) {
  std::vector<const OnnxConstant *> operands = {nullptr};
  for (std::size_t i = 1; i < in.size(); ++i) {
    operands.push_back(in[i]->form == Form::Unknown ? nullptr : numbers(*in[i]));
    if (in[i]->form != Form::Unknown && !operands.back())
      return std::nullopt;
  }
  auto ranges = in.empty() ? std::nullopt : onnxRanges(node, in[0]->dims, operands);
  if (!ranges)
    return std::nullopt;
  Match value = *in[0];
  for (const OnnxRange &range : *ranges) {
    if (range.count < 1 || range.step < 1)
      return std::nullopt;
    if (value->form == Form::Tensor) {
      std::int64_t size = value->dims[range.axis];
      // Rows of a table of positions, which is as long as the longest sequence.
      bool isPositions = range.count == sample && range.step == 1 && range.axis + 2 == value->dims.size();
      value->table =
          isPositions ? std::optional(value->weight->slice(range.axis, range.first, size - range.first)) : std::nullopt;
      value->weight = value->weight->slice(range.axis, range.first, range.count, range.step);
      value->dims = value->weight->dims, value->constant = nullptr;
    } else if (range.count == value->dims[range.axis]) {
      continue;
    } else if (value->axes.size() != value->dims.size() || range.step != 1) {
      return std::nullopt;
    } else if (isTokens(value->axes[range.axis])) {
      value = range.first == 0 && range.count == 1 ? first(*value, range.axis, true) : std::nullopt;
    } else {
      value = columns(*value, range.axis, range.first, range.count);
    }
    if (!value)
      return std::nullopt;
  }
  return value;
}

OnnxMatcher::Match OnnxMatcher::split(const onnx::NodeProto &node, Inputs in) {
  auto axis = in.empty() ? std::nullopt : onnxAxis(onnxInt(node, "axis", 0), in[0]->dims.size());
  const OnnxConstant *sizes = in.size() > 1 && in[1]->form != Form::Unknown ? numbers(*in[1]) : nullptr;
  auto parts = axis && (in.size() < 2 || in[1]->form == Form::Unknown || sizes)
                   ? onnxParts(node, in[0]->dims[*axis], sizes)
                   : std::nullopt;
  if (!parts || (in[0]->form != Form::Tensor && in[0]->axes.size() != in[0]->dims.size()))
    return std::nullopt;
  Match result;
  std::int64_t start = 0;
  for (std::size_t i = 0; i < parts->size(); start += (*parts)[i++]) {
    Match part = *in[0];
    if (in[0]->form == Form::Tensor)
      part->weight = part->weight->slice(*axis, start, (*parts)[i]), part->dims = part->weight->dims,
      part->constant = nullptr, part->table.reset();
    else
      part = columns(*in[0], *axis, start, (*parts)[i]);
    if (!part)
      return std::nullopt;
    if (i == 0)
      result = part;
    else
      enter(node.output(static_cast<int>(i)), std::move(*part));
  }
  return result;
}

OnnxMatcher::Match OnnxMatcher::reshape(const onnx::NodeProto &node, Inputs in) {
  const OnnxConstant *target = in.size() > 1 && in[1]->form != Form::Unknown ? numbers(*in[1]) : nullptr;
  if (in.empty() || (in.size() > 1 && in[1]->form != Form::Unknown && !target))
    return std::nullopt;
  auto dims = onnxReshapedDims(node, in[0]->dims, target);
  if (!dims)
    return std::nullopt;
  Value value = *in[0];
  if (value.form == Form::Tensor) {
    auto view = value.weight->count() ? value.weight->reshaped(*dims) : std::nullopt;
    if (!view)
      return std::nullopt;
    value.weight = view, value.dims = *dims, value.constant = nullptr;
    if (value.table && (dims->size() < 2 || (*dims)[dims->size() - 2] != sample))
      value.table.reset();
    return value;
  }
  if (value.axes.size() != value.dims.size())
    return std::nullopt;
  auto axes = regroup(value.axes, *dims);
  if (!axes)
    return std::nullopt;
  return value.axes = *axes, value.dims = *dims, value;
}

OnnxMatcher::Match OnnxMatcher::transpose(const onnx::NodeProto &node, Inputs in) {
  if (in.size() != 1)
    return std::nullopt;
  Value value = *in[0];
  OnnxDims perm = onnxInts(node, "perm"), sorted;
  std::size_t rank = value.dims.size();
  for (std::size_t i = rank; perm.size() < rank && i-- > 0;)
    perm.push_back(static_cast<std::int64_t>(i));
  sorted = perm;
  std::ranges::sort(sorted);
  for (std::size_t i = 0; i < sorted.size(); ++i)
    if (sorted.size() != rank || sorted[i] != static_cast<std::int64_t>(i))
      return std::nullopt;
  if (value.form == Form::Tensor) {
    value.weight = value.weight->transposed(perm), value.dims = value.weight->dims, value.constant = nullptr;
    return value.table.reset(), value;
  }
  if (value.axes.size() != rank || value.form == Form::SquareSum)
    return std::nullopt;
  for (std::size_t i = 0; i < rank; ++i) {
    auto from = static_cast<std::size_t>(perm[i]);
    value.axes[i] = in[0]->axes[from], value.dims[i] = in[0]->dims[from];
  }
  return value;
}

/// The last two dimensions change places.
OnnxMatcher::Match OnnxMatcher::transposeLast(const onnx::NodeProto &, Inputs in) {
  std::size_t rank = in.size() == 1 ? in[0]->dims.size() : 0;
  if (rank < 2)
    return std::nullopt;
  onnx::NodeProto turn;
  onnx::AttributeProto &perm = *turn.add_attribute();
  perm.set_name("perm");
  for (std::size_t i = 0; i < rank; ++i)
    perm.add_ints(static_cast<std::int64_t>(i + 2 < rank ? i : i + 2 == rank ? rank - 1 : rank - 2));
  return transpose(turn, in);
}

/// Values that every element of their row will meet may be written out for each of them.
OnnxMatcher::Match OnnxMatcher::expand(const onnx::NodeProto &, Inputs in) {
  const OnnxConstant *target = in.size() == 2 ? numbers(*in[1]) : nullptr;
  if (!target)
    return std::nullopt;
  OnnxDims dims;
  for (double v : target->values)
    dims.push_back(onnxWhole(v));
  auto joined = broadcastDims(in[0]->dims, dims, SIZE_MAX >> 1);
  if (!joined || (*joined != in[0]->dims && in[0]->form != Form::SquareSum))
    return std::nullopt;
  Value value = *in[0];
  return value.dims = *joined, value;
}

} // namespace lpu::compiler
