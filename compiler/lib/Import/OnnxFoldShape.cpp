// Operators on constants that move, count or make values; and how shapes, slices and
// splits are told, which is the same for values that depend on the ids.

#include "OnnxGraph.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace lpu::compiler {
namespace {

using Folded = std::optional<OnnxConstant>;
using Inputs = std::span<const OnnxConstant *const>;

OnnxDims wholes(const OnnxConstant &constant) {
  OnnxDims out;
  for (double v : constant.values)
    out.push_back(onnxWhole(v));
  return out;
}

const OnnxConstant *input(Inputs in, std::size_t i) { return in.size() > i ? in[i] : nullptr; }

/// Axes as an input or an attribute.
OnnxDims axesOf(const onnx::NodeProto &node, const OnnxConstant *numbers) {
  return numbers ? wholes(*numbers) : onnxInts(node, "axes");
}

/// Entries along an axis: `pick` numbers of it, in order.
Folded take(const OnnxConstant &in, std::size_t axis, std::span<const std::int64_t> pick, std::size_t most) {
  std::size_t inner = 1, outer = 1;
  for (std::size_t i = 0; i < in.dims.size(); ++i)
    (i < axis ? outer : inner) *= i == axis ? 1 : static_cast<std::size_t>(in.dims[i]);
  OnnxConstant out{in.dims, {}, in.isWhole};
  out.dims[axis] = static_cast<std::int64_t>(pick.size());
  if (!onnxCount(out.dims, most))
    return std::nullopt;
  for (std::size_t o = 0; o < outer; ++o)
    for (std::int64_t p : pick) {
      std::size_t at = (o * static_cast<std::size_t>(in.dims[axis]) + static_cast<std::size_t>(p)) * inner;
      auto first = in.values.begin() + static_cast<std::ptrdiff_t>(at);
      out.values.insert(out.values.end(), first, first + static_cast<std::ptrdiff_t>(inner));
    }
  return out;
}

Folded gather(const onnx::NodeProto &node, Inputs in, std::size_t most) {
  auto axis = in.size() == 2 && in[1] ? onnxAxis(onnxInt(node, "axis", 0), in[0]->dims.size()) : std::nullopt;
  if (!axis)
    return std::nullopt;
  OnnxDims pick = wholes(*in[1]);
  for (std::int64_t &p : pick) {
    p += p < 0 ? in[0]->dims[*axis] : 0;
    if (p < 0 || p >= in[0]->dims[*axis])
      return std::nullopt;
  }
  OnnxDims dims = in[0]->dims;
  dims.erase(dims.begin() + static_cast<std::ptrdiff_t>(*axis));
  dims.insert(dims.begin() + static_cast<std::ptrdiff_t>(*axis), in[1]->dims.begin(), in[1]->dims.end());
  Folded out = take(*in[0], *axis, pick, most);
  if (out)
    out->dims = dims;
  return out;
}

/// Each tuple of indices, the last dimension of the second input, names a value or a part of the first.
Folded gatherND(const onnx::NodeProto &node, Inputs in, std::size_t most) {
  if (in.size() != 2 || !in[1] || in[1]->dims.empty() || onnxInt(node, "batch_dims", 0))
    return std::nullopt;
  const OnnxConstant &data = *in[0], &indices = *in[1];
  auto depth = static_cast<std::size_t>(indices.dims.back()), rank = data.dims.size();
  if (depth < 1 || depth > rank)
    return std::nullopt;
  OnnxConstant out{{indices.dims.begin(), indices.dims.end() - 1}, {}, data.isWhole};
  std::size_t inner = 1;
  for (std::size_t i = depth; i < rank; ++i)
    out.dims.push_back(data.dims[i]), inner *= static_cast<std::size_t>(data.dims[i]);
  if (!onnxCount(out.dims, most))
    return std::nullopt;
  for (std::size_t tuple = 0; tuple < indices.values.size() / depth; ++tuple) {
    std::size_t at = 0;
    for (std::size_t i = 0; i < depth; ++i) {
      std::int64_t index = onnxWhole(indices.values[tuple * depth + i]);
      index += index < 0 ? data.dims[i] : 0;
      if (index < 0 || index >= data.dims[i])
        return std::nullopt;
      at = at * static_cast<std::size_t>(data.dims[i]) + static_cast<std::size_t>(index);
    }
    auto first = data.values.begin() + static_cast<std::ptrdiff_t>(at * inner);
    out.values.insert(out.values.end(), first, first + static_cast<std::ptrdiff_t>(inner));
  }
  return out;
}

Folded slice(const onnx::NodeProto &node, Inputs in, std::size_t most) {
  auto ranges = onnxRanges(node, in[0]->dims, in);
  if (!ranges)
    return std::nullopt;
  Folded out = *in[0];
  for (const OnnxRange &range : *ranges) {
    OnnxDims pick;
    for (std::int64_t i = 0; i < range.count; ++i)
      pick.push_back(range.first + i * range.step);
    if (out)
      out = take(*out, range.axis, pick, most);
  }
  return out;
}

Folded concat(const onnx::NodeProto &node, Inputs in, std::size_t most) {
  auto axis = onnxAxis(onnxInt(node, "axis", 0), in[0]->dims.size());
  if (!axis)
    return std::nullopt;
  OnnxConstant out{in[0]->dims, {}, true};
  out.dims[*axis] = 0;
  std::size_t outer = 1;
  for (std::size_t i = 0; i < *axis; ++i)
    outer *= static_cast<std::size_t>(out.dims[i]);
  for (const OnnxConstant *part : in) {
    if (!part || part->dims.size() != out.dims.size())
      return std::nullopt;
    for (std::size_t i = 0; i < out.dims.size(); ++i)
      if (i != *axis && part->dims[i] != out.dims[i])
        return std::nullopt;
    out.dims[*axis] += part->dims[*axis], out.isWhole &= part->isWhole;
    if (!onnxCount(out.dims, most))
      return std::nullopt;
  }
  for (std::size_t o = 0; o < outer; ++o)
    for (const OnnxConstant *part : in) {
      std::size_t run = part->values.size() / std::max<std::size_t>(1, outer);
      auto first = part->values.begin() + static_cast<std::ptrdiff_t>(o * run);
      out.values.insert(out.values.end(), first, first + static_cast<std::ptrdiff_t>(run));
    }
  return out;
}

Folded filled(const OnnxDims &dims, double value, std::size_t most, bool isWhole) {
  auto count = onnxCount(dims, most);
  return count ? Folded(OnnxConstant{dims, std::vector<double>(*count, value), isWhole}) : std::nullopt;
}

Folded constantOfShape(const onnx::NodeProto &node, Inputs in, std::size_t most) {
  double value = 0;
  bool isWhole = false;
  for (const auto &attribute : node.attribute())
    if (attribute.name() == "value" && attribute.has_t()) {
      auto tensor = OnnxFile::read(attribute.t());
      if (!tensor || tensor->count != 1)
        return std::nullopt;
      value = tensor->at(0), isWhole = !tensor->isFloat();
    }
  return in.size() == 1 ? filled(wholes(*in[0]), value, most, isWhole) : std::nullopt;
}

/// Broadcasting against zeros of the shape.
Folded expand(Inputs in, std::size_t most) {
  if (in.size() != 2 || !in[1])
    return std::nullopt;
  Folded zeros = filled(wholes(*in[1]), 0, most, in[0]->isWhole);
  if (!zeros)
    return std::nullopt;
  onnx::NodeProto add;
  add.set_op_type("Add");
  const OnnxConstant *pair[] = {in[0], &*zeros};
  return foldElementwise(add, pair, most);
}

Folded range(Inputs in, std::size_t most) {
  if (in.size() != 3 || !in[1] || !in[2] || in[0]->values.size() != 1 || in[1]->values.size() != 1 ||
      in[2]->values.size() != 1)
    return std::nullopt;
  double start = in[0]->values[0], limit = in[1]->values[0], delta = in[2]->values[0];
  double count = delta == 0 ? -1 : std::max(0.0, std::ceil((limit - start) / delta));
  if (!(count >= 0 && count <= static_cast<double>(most)))
    return std::nullopt;
  OnnxConstant out{{static_cast<std::int64_t>(count)}, {}, in[0]->isWhole && in[2]->isWhole};
  for (std::int64_t i = 0; i < out.dims[0]; ++i)
    out.values.push_back(start + static_cast<double>(i) * delta);
  return out;
}

Folded transpose(const onnx::NodeProto &node, Inputs in) {
  OnnxDims perm = onnxInts(node, "perm");
  std::size_t rank = in[0]->dims.size();
  if (perm.empty())
    for (std::size_t i = rank; i-- > 0;)
      perm.push_back(static_cast<std::int64_t>(i));
  OnnxDims sorted = perm;
  std::ranges::sort(sorted);
  for (std::size_t i = 0; i < sorted.size(); ++i)
    if (sorted.size() != rank || sorted[i] != static_cast<std::int64_t>(i))
      return std::nullopt;
  OnnxConstant out{{}, {}, in[0]->isWhole};
  std::vector<std::size_t> strides(rank, 1);
  for (std::size_t i = rank; i-- > 1;)
    strides[i - 1] = strides[i] * static_cast<std::size_t>(in[0]->dims[i]);
  for (std::int64_t p : perm)
    out.dims.push_back(in[0]->dims[static_cast<std::size_t>(p)]);
  for (std::size_t i = 0; i < in[0]->values.size(); ++i) {
    std::size_t rest = i, at = 0;
    for (std::size_t k = rank; k-- > 0;) {
      at += rest % static_cast<std::size_t>(out.dims[k]) * strides[static_cast<std::size_t>(perm[k])];
      rest /= static_cast<std::size_t>(out.dims[k]);
    }
    out.values.push_back(in[0]->values[at]);
  }
  return out;
}

/// Sums and the like over axes, or running along one: values that share all other indices, in order.
template <typename F> Folded reduced(const onnx::NodeProto &node, Inputs in, double start, F add) {
  OnnxDims axes = axesOf(node, input(in, 1));
  std::size_t rank = in[0]->dims.size();
  if (axes.empty() && onnxInt(node, "noop_with_empty_axes", 0))
    return *in[0];
  std::vector<bool> over(rank, axes.empty());
  for (std::int64_t a : axes) {
    auto axis = onnxAxis(a, rank);
    if (!axis)
      return std::nullopt;
    over[*axis] = true;
  }
  OnnxDims kept = in[0]->dims;
  for (std::size_t i = 0; i < rank; ++i)
    if (over[i])
      kept[i] = 1;
  OnnxConstant out{kept, std::vector<double>(*onnxCount(kept), start), in[0]->isWhole};
  for (std::size_t i = 0; i < in[0]->values.size(); ++i) {
    std::size_t rest = i, at = 0, stride = 1;
    for (std::size_t k = rank; k-- > 0;) {
      auto dim = static_cast<std::size_t>(in[0]->dims[k]);
      at += over[k] ? 0 : rest % dim * stride;
      stride *= static_cast<std::size_t>(kept[k]), rest /= dim;
    }
    add(out.values[at], in[0]->values[i]);
  }
  if (!onnxInt(node, "keepdims", 1)) {
    out.dims.clear();
    for (std::size_t i = 0; i < rank; ++i)
      if (!over[i])
        out.dims.push_back(kept[i]);
  }
  return out;
}

Folded reduce(const onnx::NodeProto &node, Inputs in) {
  const std::string &op = node.op_type();
  auto sum = [](double &to, double v) { to += v; };
  if (op == "ReduceSum")
    return reduced(node, in, 0, sum);
  if (op == "ReduceProd")
    return reduced(node, in, 1, [](double &to, double v) { to *= v; });
  if (op == "ReduceMax")
    return reduced(node, in, -HUGE_VAL, [](double &to, double v) { to = std::max(to, v); });
  if (op == "ReduceMin")
    return reduced(node, in, HUGE_VAL, [](double &to, double v) { to = std::min(to, v); });
  if (op != "ReduceMean")
    return std::nullopt;
  Folded out = reduced(node, in, 0, sum);
  if (out && !out->values.empty())
    for (double &v : out->values)
      v /= static_cast<double>(in[0]->values.size() / out->values.size());
  return out;
}

Folded cumSum(const onnx::NodeProto &node, Inputs in) {
  const OnnxConstant *number = input(in, 1);
  auto axis =
      number && number->values.size() == 1 ? onnxAxis(onnxWhole(number->values[0]), in[0]->dims.size()) : std::nullopt;
  if (!axis || onnxInt(node, "exclusive", 0) || onnxInt(node, "reverse", 0))
    return std::nullopt;
  std::size_t inner = 1;
  for (std::size_t i = *axis + 1; i < in[0]->dims.size(); ++i)
    inner *= static_cast<std::size_t>(in[0]->dims[i]);
  OnnxConstant out = *in[0];
  for (std::size_t i = 0; i < out.values.size(); ++i)
    if (i / inner % static_cast<std::size_t>(out.dims[*axis]))
      out.values[i] += out.values[i - inner];
  return out;
}

Folded tile(Inputs in, std::size_t most) {
  if (in.size() != 2 || !in[1] || in[1]->values.size() != in[0]->dims.size())
    return std::nullopt;
  Folded out = *in[0];
  for (std::size_t axis = 0; axis < in[0]->dims.size() && out; ++axis) {
    std::int64_t times = onnxWhole(in[1]->values[axis]), dim = in[0]->dims[axis];
    if (times < 0 || (dim > 0 && times > static_cast<std::int64_t>(most) / dim))
      return std::nullopt;
    OnnxDims pick;
    for (std::int64_t i = 0; i < times * dim; ++i)
      pick.push_back(i % dim);
    out = take(*out, axis, pick, most);
  }
  return out;
}

Folded trilu(const onnx::NodeProto &node, Inputs in) {
  std::size_t rank = in[0]->dims.size();
  std::int64_t shift = in.size() > 1 && in[1] && in[1]->values.size() == 1 ? onnxWhole(in[1]->values[0]) : 0;
  if (rank < 2)
    return std::nullopt;
  OnnxConstant out = *in[0];
  bool isUpper = onnxInt(node, "upper", 1);
  std::int64_t rows = out.dims[rank - 2], cols = out.dims[rank - 1];
  for (std::size_t i = 0; i < out.values.size(); ++i) {
    std::int64_t col = static_cast<std::int64_t>(i) % cols, row = static_cast<std::int64_t>(i) / cols % rows;
    if (isUpper ? col < row + shift : col > row + shift)
      out.values[i] = 0;
  }
  return out;
}

std::vector<OnnxConstant> split(const onnx::NodeProto &node, Inputs in, std::size_t most) {
  auto axis = onnxAxis(onnxInt(node, "axis", 0), in[0]->dims.size());
  auto parts = axis ? onnxParts(node, in[0]->dims[*axis], input(in, 1)) : std::nullopt;
  std::vector<OnnxConstant> out;
  std::int64_t first = 0;
  for (std::int64_t part : parts ? *parts : OnnxDims{}) {
    OnnxDims pick(static_cast<std::size_t>(part));
    std::iota(pick.begin(), pick.end(), first);
    first += part;
    if (Folded piece = take(*in[0], *axis, pick, most))
      out.push_back(std::move(*piece));
  }
  return parts && out.size() == parts->size() ? out : std::vector<OnnxConstant>{};
}

Folded foldOne(const onnx::NodeProto &node, Inputs in, std::size_t most) {
  const std::string &op = node.op_type();
  if (op == "Gather")
    return gather(node, in, most);
  if (op == "GatherND")
    return gatherND(node, in, most);
  if (op == "Slice")
    return slice(node, in, most);
  if (op == "Concat")
    return concat(node, in, most);
  if (op == "Reshape" || op == "Flatten" || op == "Squeeze" || op == "Unsqueeze") {
    auto dims = onnxReshapedDims(node, in[0]->dims, input(in, 1));
    return dims ? Folded(OnnxConstant{*dims, in[0]->values, in[0]->isWhole}) : std::nullopt;
  }
  if (op == "Expand")
    return expand(in, most);
  if (op == "Range")
    return range(in, most);
  if (op == "ConstantOfShape")
    return constantOfShape(node, in, most);
  if (op == "Transpose")
    return transpose(node, in);
  if (op == "CumSum")
    return cumSum(node, in);
  if (op == "Tile")
    return tile(in, most);
  if (op == "Trilu")
    return trilu(node, in);
  if (op == "Size")
    return OnnxConstant{{}, {static_cast<double>(in[0]->values.size())}, true};
  if (op == "Dropout")
    return *in[0];
  if (op.starts_with("Reduce"))
    return reduce(node, in);
  return foldElementwise(node, in, most);
}

} // namespace

std::optional<OnnxDims> onnxReshapedDims(const onnx::NodeProto &node, const OnnxDims &from,
                                         const OnnxConstant *numbers) {
  const std::string &op = node.op_type();
  std::size_t rank = from.size();
  std::int64_t whole = 1;
  for (std::int64_t dim : from)
    whole *= dim;
  OnnxDims dims;
  if (op == "Flatten") {
    std::int64_t axis = onnxInt(node, "axis", 1);
    axis += axis < 0 ? static_cast<std::int64_t>(rank) : 0;
    if (axis < 0 || axis > static_cast<std::int64_t>(rank))
      return std::nullopt;
    std::int64_t outer = 1;
    for (std::size_t i = 0; i < static_cast<std::size_t>(axis); ++i)
      outer *= from[i];
    return OnnxDims{outer, outer ? whole / outer : 0};
  }
  if (op == "Squeeze" || op == "Unsqueeze") {
    bool squeezes = op == "Squeeze";
    OnnxDims axes = axesOf(node, numbers);
    std::size_t all = rank + (squeezes ? 0 : axes.size());
    if (all > 16)
      return std::nullopt;
    std::vector<bool> named(all, false);
    for (std::int64_t a : axes) {
      auto axis = onnxAxis(a, all);
      if (!axis || named[*axis] || (squeezes && from[*axis] != 1))
        return std::nullopt;
      named[*axis] = true;
    }
    for (std::size_t i = 0, next = 0; i < all; ++i) {
      bool isOne = named[i] || (squeezes && axes.empty() && from[i] == 1);
      if (!squeezes && isOne)
        dims.push_back(1);
      else if (std::int64_t dim = from[next++]; !squeezes || !isOne)
        dims.push_back(dim);
    }
    return dims;
  }
  dims = numbers ? wholes(*numbers) : onnxInts(node, "shape");
  std::int64_t known = 1, open = -1;
  for (std::size_t i = 0; i < dims.size(); ++i) {
    if (dims[i] == 0 && i < rank && !onnxInt(node, "allowzero", 0))
      dims[i] = from[i];
    if (dims[i] == -1 && open < 0) {
      open = static_cast<std::int64_t>(i);
      continue;
    }
    if (dims[i] < 0 || (dims[i] > 0 && known > (std::int64_t{1} << 50) / dims[i]))
      return std::nullopt;
    known *= dims[i];
  }
  if (open >= 0)
    dims[static_cast<std::size_t>(open)] = known ? whole / known : 0;
  std::int64_t made = open >= 0 ? known * dims[static_cast<std::size_t>(open)] : known;
  return made == whole && dims.size() <= 16 ? std::optional(dims) : std::nullopt;
}

std::optional<std::vector<OnnxRange>> onnxRanges(const onnx::NodeProto &node, const OnnxDims &from, Inputs in) {
  auto list = [&](std::size_t number, const char *name) {
    const OnnxConstant *given = input(in, number);
    return given ? wholes(*given) : onnxInts(node, name);
  };
  OnnxDims starts = list(1, "starts"), ends = list(2, "ends"), axes = list(3, "axes"), steps = list(4, "steps");
  if (axes.empty())
    for (std::size_t i = 0; i < starts.size(); ++i)
      axes.push_back(static_cast<std::int64_t>(i));
  if (steps.empty())
    steps.assign(starts.size(), 1);
  if (ends.size() != starts.size() || axes.size() != starts.size() || steps.size() != starts.size())
    return std::nullopt;
  std::vector<OnnxRange> ranges;
  for (std::size_t i = 0; i < starts.size(); ++i) {
    auto axis = onnxAxis(axes[i], from.size());
    if (!axis || steps[i] == 0 || std::ranges::any_of(ranges, [&](const OnnxRange &r) { return r.axis == *axis; }))
      return std::nullopt;
    std::int64_t size = from[*axis], step = steps[i], low = step > 0 ? 0 : -1, high = step > 0 ? size : size - 1;
    auto clip = [&](std::int64_t v) { return std::clamp<std::int64_t>(v < 0 ? v + size : v, low, high); };
    std::int64_t first = clip(starts[i]), last = clip(ends[i]), way = step > 0 ? last - first : first - last;
    std::int64_t stride = step > 0 ? step : -step;
    ranges.push_back({*axis, first, way > 0 ? (way - 1) / stride + 1 : 0, step});
  }
  return ranges;
}

std::optional<OnnxDims> onnxParts(const onnx::NodeProto &node, std::int64_t size, const OnnxConstant *numbers) {
  OnnxDims parts = numbers ? wholes(*numbers) : onnxInts(node, "split");
  if (parts.empty()) {
    std::int64_t count = onnxInt(node, "num_outputs", node.output_size());
    if (count < 1 || count != node.output_size())
      return std::nullopt;
    std::int64_t each = (size + count - 1) / count;
    for (std::int64_t i = 0; i < count; ++i)
      parts.push_back(std::min(each, size - i * each));
  }
  std::int64_t sum = 0;
  for (std::int64_t part : parts)
    if (part < 0 || (sum += part) > size)
      return std::nullopt;
  return sum == size && parts.size() == static_cast<std::size_t>(node.output_size()) ? std::optional(parts)
                                                                                     : std::nullopt;
}

std::vector<OnnxConstant> foldOnnx(const onnx::NodeProto &node, Inputs in, std::size_t most) {
  if (in.empty() || !in[0])
    return {};
  if (node.op_type() == "Split")
    return split(node, in, most);
  Folded one = foldOne(node, in, most);
  std::vector<OnnxConstant> out;
  if (one)
    out.push_back(std::move(*one));
  return out;
}

} // namespace lpu::compiler
