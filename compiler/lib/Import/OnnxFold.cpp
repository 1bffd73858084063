// Operators on constants. Only what exporters use to compute shapes, positions and
// masks; values are doubles, which hold every whole number that occurs in them.

#include "OnnxGraph.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace lpu::compiler {

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
      return attribute.f();
  return fallback;
}

std::optional<std::size_t> onnxCount(std::span<const std::int64_t> dims) {
  std::size_t count = 1;
  for (std::int64_t dim : dims) {
    if (dim < 0 || (dim > 0 && count > kMostFolded / static_cast<std::size_t>(dim)))
      return std::nullopt;
    count *= static_cast<std::size_t>(dim);
  }
  return count;
}

namespace {

using Dims = std::vector<std::int64_t>;
using Folded = std::optional<OnnxConstant>;
using Inputs = std::span<const OnnxConstant *const>;

/// A whole number that is safe to convert.
std::int64_t whole(double value) { return static_cast<std::int64_t>(std::clamp(value, -1e15, 1e15)); }

Dims wholes(const OnnxConstant &constant) {
  Dims out;
  for (double v : constant.values)
    out.push_back(whole(v));
  return out;
}

std::optional<std::size_t> normalAxis(std::int64_t axis, std::size_t rank) {
  if (axis < 0)
    axis += static_cast<std::int64_t>(rank);
  return axis >= 0 && axis < static_cast<std::int64_t>(rank) ? std::optional(static_cast<std::size_t>(axis))
                                                             : std::nullopt;
}

std::optional<Dims> broadcastDims(const Dims &a, const Dims &b) {
  Dims out(std::max(a.size(), b.size()), 1);
  for (std::size_t i = 0; i < out.size(); ++i) {
    auto dim = [&](const Dims &dims) { return i < dims.size() ? dims[dims.size() - 1 - i] : 1; };
    if (dim(a) != dim(b) && dim(a) != 1 && dim(b) != 1)
      return std::nullopt;
    out[out.size() - 1 - i] = dim(a) == 1 ? dim(b) : dim(a);
  }
  return onnxCount(out) ? std::optional(out) : std::nullopt;
}

/// The element of a broadcast operand that stands at element `index` of `dims`.
double broadcastAt(const OnnxConstant &constant, const Dims &dims, std::size_t index) {
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

template <typename F> Folded elementwise(Inputs in, F compute) {
  Dims dims;
  for (const OnnxConstant *input : in) {
    auto joined = broadcastDims(dims, input->dims);
    if (!joined)
      return std::nullopt;
    dims = *joined;
  }
  OnnxConstant out{dims, std::vector<double>(*onnxCount(dims))};
  for (std::size_t i = 0; i < out.values.size(); ++i) {
    double v[3] = {};
    for (std::size_t k = 0; k < in.size(); ++k)
      v[k] = broadcastAt(*in[k], dims, i);
    out.values[i] = compute(v[0], v[1], v[2]);
  }
  return out;
}

/// Rows along an axis: `pick` numbers of it, in order.
OnnxConstant take(const OnnxConstant &in, std::size_t axis, std::span<const std::int64_t> pick) {
  std::size_t inner = 1, outer = 1;
  for (std::size_t i = 0; i < in.dims.size(); ++i)
    (i < axis ? outer : inner) *= i == axis ? 1 : static_cast<std::size_t>(in.dims[i]);
  OnnxConstant out{in.dims, {}};
  out.dims[axis] = static_cast<std::int64_t>(pick.size());
  for (std::size_t o = 0; o < outer; ++o)
    for (std::int64_t p : pick) {
      auto first =
          in.values.begin() + static_cast<std::ptrdiff_t>(
                                  (o * static_cast<std::size_t>(in.dims[axis]) + static_cast<std::size_t>(p)) * inner);
      out.values.insert(out.values.end(), first, first + static_cast<std::ptrdiff_t>(inner));
    }
  return out;
}

Folded gather(const onnx::NodeProto &node, Inputs in) {
  auto axis = in.size() == 2 ? normalAxis(onnxInt(node, "axis", 0), in[0]->dims.size()) : std::nullopt;
  if (!axis)
    return std::nullopt;
  Dims pick = wholes(*in[1]);
  for (std::int64_t &p : pick) {
    p += p < 0 ? in[0]->dims[*axis] : 0;
    if (p < 0 || p >= in[0]->dims[*axis])
      return std::nullopt;
  }
  Dims dims = in[0]->dims;
  dims.erase(dims.begin() + static_cast<std::ptrdiff_t>(*axis));
  dims.insert(dims.begin() + static_cast<std::ptrdiff_t>(*axis), in[1]->dims.begin(), in[1]->dims.end());
  if (!onnxCount(dims))
    return std::nullopt;
  OnnxConstant out = take(*in[0], *axis, pick);
  out.dims = dims;
  return out;
}

Folded slice(const onnx::NodeProto &node, Inputs in) {
  if (in.empty())
    return std::nullopt;
  OnnxConstant out = *in[0];
  Dims starts = in.size() > 2 ? wholes(*in[1]) : onnxInts(node, "starts"),
       ends = in.size() > 2 ? wholes(*in[2]) : onnxInts(node, "ends");
  Dims axes = in.size() > 3 ? wholes(*in[3]) : onnxInts(node, "axes"),
       steps = in.size() > 4 ? wholes(*in[4]) : Dims(starts.size(), 1);
  if (axes.empty())
    for (std::size_t i = 0; i < starts.size(); ++i)
      axes.push_back(static_cast<std::int64_t>(i));
  if (ends.size() != starts.size() || axes.size() != starts.size() || steps.size() != starts.size())
    return std::nullopt;
  for (std::size_t i = 0; i < starts.size(); ++i) {
    auto axis = normalAxis(axes[i], out.dims.size());
    if (!axis || steps[i] <= 0)
      return std::nullopt;
    std::int64_t size = out.dims[*axis];
    auto clip = [&](std::int64_t v) { return std::clamp<std::int64_t>(v < 0 ? v + size : v, 0, size); };
    Dims pick;
    for (std::int64_t p = clip(starts[i]); p < clip(ends[i]); p += steps[i])
      pick.push_back(p);
    out = take(out, *axis, pick);
  }
  return out;
}

Folded concat(const onnx::NodeProto &node, Inputs in) {
  if (in.empty())
    return std::nullopt;
  auto axis = normalAxis(onnxInt(node, "axis", 0), in[0]->dims.size());
  if (!axis || (*axis != 0 && in.size() > 1))
    return std::nullopt; // shapes are vectors
  OnnxConstant out{in[0]->dims, {}};
  out.dims[0] = 0;
  for (const OnnxConstant *input : in) {
    if (input->dims.size() != out.dims.size() ||
        !std::equal(input->dims.begin() + 1, input->dims.end(), out.dims.begin() + 1) ||
        out.values.size() + input->values.size() > kMostFolded)
      return std::nullopt;
    out.dims[0] += input->dims[0];
    out.values.insert(out.values.end(), input->values.begin(), input->values.end());
  }
  return out;
}

Folded reshaped(const OnnxConstant &in, Dims dims) {
  auto count = onnxCount(dims);
  if (!count || *count != in.values.size())
    return std::nullopt;
  return OnnxConstant{std::move(dims), in.values};
}

Folded unsqueeze(const onnx::NodeProto &node, Inputs in, bool squeezes) {
  if (in.empty())
    return std::nullopt;
  Dims axes = in.size() > 1 ? wholes(*in[1]) : onnxInts(node, "axes"), dims;
  auto rank = static_cast<std::int64_t>(in[0]->dims.size() + (squeezes ? 0 : axes.size()));
  auto named = [&](std::int64_t i) {
    return std::ranges::any_of(axes, [&](std::int64_t a) { return a == i || a + rank == i; });
  };
  auto next = in[0]->dims.begin();
  for (std::int64_t i = 0; i < rank; ++i) {
    bool isOne = named(i) || (squeezes && axes.empty() && *next == 1);
    if (!squeezes && isOne)
      dims.push_back(1);
    else if (next == in[0]->dims.end())
      return std::nullopt;
    else if (std::int64_t dim = *next++; !squeezes || !isOne)
      dims.push_back(dim);
  }
  return reshaped(*in[0], dims);
}

Folded filled(const Dims &dims, double value) {
  auto count = onnxCount(dims);
  return count ? Folded(OnnxConstant{dims, std::vector<double>(*count, value)}) : std::nullopt;
}

Folded constantOfShape(const onnx::NodeProto &node, Inputs in) {
  double value = 0;
  for (const auto &attribute : node.attribute())
    if (attribute.name() == "value" && attribute.has_t()) {
      const onnx::TensorProto &t = attribute.t();
      if (t.has_raw_data())
        value = std::any_of(t.raw_data().begin(), t.raw_data().end(), [](char c) { return c != 0; })
                    ? 1
                    : 0; // what exporters fill with
      else
        value = t.int64_data_size()   ? static_cast<double>(t.int64_data(0))
                : t.float_data_size() ? t.float_data(0)
                : t.int32_data_size() ? t.int32_data(0)
                                      : 0;
    }
  return in.size() == 1 ? filled(wholes(*in[0]), value) : std::nullopt;
}

Folded expand(Inputs in) {
  auto dims = in.size() == 2 ? broadcastDims(in[0]->dims, wholes(*in[1])) : std::nullopt;
  if (!dims)
    return std::nullopt;
  OnnxConstant out{*dims, std::vector<double>(*onnxCount(*dims))};
  for (std::size_t i = 0; i < out.values.size(); ++i)
    out.values[i] = broadcastAt(*in[0], *dims, i);
  return out;
}

Folded range(Inputs in) {
  if (in.size() != 3 || in[0]->values.size() != 1 || in[1]->values.size() != 1 || in[2]->values.size() != 1)
    return std::nullopt;
  double start = in[0]->values[0], limit = in[1]->values[0], delta = in[2]->values[0];
  double count = delta == 0 ? -1 : std::ceil((limit - start) / delta);
  if (!(count >= 0 && count <= static_cast<double>(kMostFolded)))
    return std::nullopt;
  OnnxConstant out{{static_cast<std::int64_t>(count)}, {}};
  for (std::int64_t i = 0; i < out.dims[0]; ++i)
    out.values.push_back(start + static_cast<double>(i) * delta);
  return out;
}

Folded reshape(Inputs in) {
  if (in.size() != 2)
    return std::nullopt;
  Dims dims = wholes(*in[1]);
  std::int64_t known = 1;
  for (std::size_t i = 0; i < dims.size(); ++i) {
    if (dims[i] == 0 && i < in[0]->dims.size())
      dims[i] = in[0]->dims[i];
    if (dims[i] > static_cast<std::int64_t>(kMostFolded))
      return std::nullopt;
    if (dims[i] > 0)
      known = std::min<std::int64_t>(known * dims[i], kMostFolded + 1);
  }
  for (std::int64_t &dim : dims)
    if (dim == -1)
      dim = static_cast<std::int64_t>(in[0]->values.size()) / known;
  return reshaped(*in[0], dims);
}

Folded cast(const onnx::NodeProto &node, Inputs in) {
  std::int64_t type = onnxInt(node, "to", onnx::TensorProto::FLOAT);
  using T = onnx::TensorProto;
  bool real = type == T::FLOAT || type == T::DOUBLE || type == T::FLOAT16 || type == T::BFLOAT16;
  return elementwise(in, [&](double a, double, double) {
    return type == T::BOOL ? a != 0 : real ? static_cast<double>(static_cast<float>(a)) : std::trunc(a);
  });
}

} // namespace

Folded foldOnnx(const onnx::NodeProto &node, Inputs in) {
  const std::string &op = node.op_type();
  auto unary = [&](auto f) {
    return in.size() == 1 ? elementwise(in, [&](double a, double, double) { return static_cast<double>(f(a)); })
                          : std::nullopt;
  };
  auto binary = [&](auto f) {
    return in.size() == 2 ? elementwise(in, [&](double a, double b, double) { return static_cast<double>(f(a, b)); })
                          : std::nullopt;
  };
  if (op == "Add")
    return binary(std::plus<>());
  if (op == "Sub")
    return binary(std::minus<>());
  if (op == "Mul")
    return binary(std::multiplies<>());
  if (op == "Div")
    return binary(std::divides<>());
  if (op == "Pow")
    return binary([](double a, double b) { return std::pow(a, b); });
  if (op == "Equal")
    return binary(std::equal_to<>());
  if (op == "Less")
    return binary(std::less<>());
  if (op == "Greater")
    return binary(std::greater<>());
  if (op == "LessOrEqual")
    return binary(std::less_equal<>());
  if (op == "GreaterOrEqual")
    return binary(std::greater_equal<>());
  if (op == "And")
    return binary(std::logical_and<>());
  if (op == "Or")
    return binary(std::logical_or<>());
  if (op == "Sqrt")
    return unary([](double a) { return std::sqrt(a); });
  if (op == "Neg")
    return unary(std::negate<>());
  if (op == "Not")
    return unary(std::logical_not<>());
  if (op == "Reciprocal")
    return unary([](double a) { return 1 / a; });
  if (op == "Floor")
    return unary([](double a) { return std::floor(a); });
  if (op == "Cast")
    return in.size() == 1 ? cast(node, in) : std::nullopt;
  if (op == "Where")
    return in.size() == 3 ? elementwise(in, [](double c, double a, double b) { return c != 0 ? a : b; }) : std::nullopt;
  if (op == "Gather")
    return gather(node, in);
  if (op == "Slice")
    return slice(node, in);
  if (op == "Concat")
    return concat(node, in);
  if (op == "Unsqueeze")
    return unsqueeze(node, in, false);
  if (op == "Squeeze")
    return unsqueeze(node, in, true);
  if (op == "Reshape")
    return reshape(in);
  if (op == "Expand")
    return expand(in);
  if (op == "Range")
    return range(in);
  if (op == "ConstantOfShape")
    return constantOfShape(node, in);
  return std::nullopt;
}

} // namespace lpu::compiler
