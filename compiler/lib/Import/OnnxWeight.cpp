// Views of tensors: any order of dimensions, any slice, codes and real values alike.

#include "OnnxGraph.h"

#include <algorithm>
#include <cmath>

namespace lpu::compiler {
namespace {

OnnxDims rowMajor(const OnnxDims &dims) {
  OnnxDims strides(dims.size(), 1);
  for (std::size_t i = dims.size(); i-- > 1;)
    strides[i - 1] = strides[i] * std::max<std::int64_t>(1, dims[i]);
  return strides;
}

} // namespace

OnnxWeight::OnnxWeight(const OnnxTensor &whole)
    : tensor(&whole), dims(whole.dims), strides(rowMajor(whole.dims)), name(whole.name) {}

std::size_t OnnxWeight::count() const {
  std::size_t product = 1;
  for (std::int64_t dim : dims)
    product *= static_cast<std::size_t>(dim);
  return product;
}

bool OnnxWeight::isConsistent() const {
  if (scales.empty())
    return zeros.empty() && tensor->isFloat();
  bool inside = axis >= 0 && axis < static_cast<std::int64_t>(tensor->dims.size());
  std::size_t entries = inside ? static_cast<std::size_t>(tensor->dims[static_cast<std::size_t>(axis)]) : 1;
  auto fits = [&](std::size_t number) { return number <= 1 || number == entries; };
  return fits(scales.size()) && fits(zeros.size()) && rounds == tensor->isFloat();
}

bool OnnxWeight::isScaledByRow() const {
  if ((scales.size() <= 1 && zeros.size() <= 1) || dims.size() != 2)
    return true;
  std::size_t inner = 1;
  for (std::size_t i = static_cast<std::size_t>(axis) + 1; i < tensor->dims.size(); ++i)
    inner *= static_cast<std::size_t>(tensor->dims[i]);
  auto entries = static_cast<std::size_t>(tensor->dims[static_cast<std::size_t>(axis)]);
  auto entry = [&](std::size_t row, std::size_t col) { return place(row, col) / inner % entries; };
  for (std::size_t row = 0; row < rows(); ++row)
    for (std::size_t col = 1; col < cols(); ++col)
      if (entry(row, col) != entry(row, 0))
        return false;
  return true;
}

bool OnnxWeight::hasCodes() const {
  if (scales.empty() || !isScaledByRow())
    return false;
  if (rounds)
    return true;
  bool isSigned = tensor->type == onnx::TensorProto::INT8;
  return std::ranges::all_of(zeros, [&](std::int32_t zero) { return isSigned ? zero == 0 : zero == 128; });
}

std::pair<std::int32_t, float> OnnxWeight::codeAt(std::size_t at) const {
  std::size_t entry = 0;
  if (scales.size() > 1 || zeros.size() > 1) {
    std::size_t inner = 1;
    for (std::size_t i = static_cast<std::size_t>(axis) + 1; i < tensor->dims.size(); ++i)
      inner *= static_cast<std::size_t>(tensor->dims[i]);
    entry = at / inner % static_cast<std::size_t>(tensor->dims[static_cast<std::size_t>(axis)]);
  }
  float scale = scales.size() > 1 ? scales[entry] : scales[0];
  std::int32_t zero = zeros.empty() ? 0 : zeros.size() > 1 ? zeros[entry] : zeros[0];
  double value = tensor->at(at);
  if (!rounds)
    return {static_cast<std::int32_t>(onnxWhole(value) - zero), scale};
  double rounded = std::nearbyint(static_cast<double>(static_cast<float>(value) / scale));
  return {static_cast<std::int32_t>(onnxWhole(std::clamp<double>(rounded + zero, low, high)) - zero), scale};
}

double OnnxWeight::valueAt(std::size_t at) const {
  if (scales.empty())
    return tensor->at(at);
  auto [code, scale] = codeAt(at);
  return static_cast<double>(static_cast<float>(code) * scale);
}

std::size_t OnnxWeight::place(std::size_t row, std::size_t col) const {
  std::size_t at = offset + (dims.empty() ? 0 : col * static_cast<std::size_t>(strides.back()));
  return dims.size() == 2 ? at + row * static_cast<std::size_t>(strides[0]) : at;
}

std::size_t OnnxWeight::placeOf(std::size_t index) const {
  std::size_t at = offset;
  for (std::size_t i = dims.size(); i-- > 0;) {
    auto dim = static_cast<std::size_t>(dims[i]);
    at += index % dim * static_cast<std::size_t>(strides[i]);
    index /= dim;
  }
  return at;
}

OnnxWeight OnnxWeight::transposed(std::span<const std::int64_t> perm) const {
  OnnxWeight view = *this;
  view.name += ".T";
  for (std::size_t i = 0; i < perm.size(); ++i) {
    view.dims[i] = dims[static_cast<std::size_t>(perm[i])];
    view.strides[i] = strides[static_cast<std::size_t>(perm[i])];
    if (perm.size() != 2)
      view.name += std::to_string(perm[i]);
  }
  if (name.ends_with(".T") && perm.size() == 2) // back again
    view.name = name.substr(0, name.size() - 2);
  return view;
}

OnnxWeight OnnxWeight::slice(std::size_t dimension, std::int64_t first, std::int64_t entries, std::int64_t step) const {
  if (first == 0 && entries == dims[dimension])
    return *this;
  OnnxWeight view = *this;
  view.offset += static_cast<std::size_t>(first * strides[dimension]);
  view.dims[dimension] = entries;
  view.strides[dimension] *= entries > 1 ? step : 1;
  view.name += "[" + std::to_string(dimension) + ":" + std::to_string(first) + "+" + std::to_string(entries) +
               (step == 1 ? "" : "/" + std::to_string(step)) + "]";
  return view;
}

std::optional<OnnxWeight> OnnxWeight::reshaped(const OnnxDims &to) const {
  OnnxWeight view = *this;
  view.dims = to, view.strides.assign(to.size(), 1);
  // Groups of dimensions that have the same product on both sides; each of the old must lie closely.
  std::size_t i = 0, j = 0;
  while (i < dims.size() || j < to.size()) {
    std::size_t i0 = i, j0 = j;
    std::int64_t old = i < dims.size() ? dims[i++] : 1, fresh = j < to.size() ? to[j++] : 1;
    while (old != fresh) {
      if (old < fresh ? i == dims.size() : j == to.size())
        return std::nullopt;
      (old < fresh ? old : fresh) *= old < fresh ? dims[i++] : to[j++];
    }
    std::int64_t stride = 1;
    bool isFirst = true;
    for (std::size_t k = i; k-- > i0;) {
      if (dims[k] == 1)
        continue;
      if (isFirst)
        stride = strides[k], isFirst = false;
      else if (strides[k] != stride)
        return std::nullopt;
      stride *= dims[k];
    }
    stride = old > 0 ? stride / old : 1;
    if (isFirst)
      stride = 1;
    for (std::size_t k = j; k-- > j0;)
      view.strides[k] = stride, stride *= std::max<std::int64_t>(1, to[k]);
  }
  if (to.size() != dims.size() || to != dims)
    for (std::size_t k = 0; k < to.size(); ++k)
      view.name += (k ? "x" : ".") + std::to_string(to[k]);
  return view;
}

} // namespace lpu::compiler
