// Weights by name, decoded or quantized on demand. Only the int8 copies are kept:
// they are at most as large as the file's own Q8_0 rows, and several passes need them.

#include "lpu/compiler/Import/WeightStore.h"

#include "LlamaModel.h"
#include "lpu/compiler/Import/TensorTypes.h"
#include "lpu/isa/Numerics.h"

#include <algorithm>
#include <cmath>

namespace lpu::compiler {

float quantizeRow(std::span<const float> weights, std::span<std::int8_t> values) {
  float largest = 0;
  for (float w : weights)
    largest = std::max(largest, std::fabs(w));
  float scale = largest / 127.0f;
  // A row whose scale underflows cannot be divided by it; its values are below 1e-36 and count as zero.
  if (scale == 0 || !std::isnormal(scale)) {
    std::ranges::fill(values, std::int8_t{0});
    return 0;
  }
  for (std::size_t k = 0; k < weights.size(); ++k)
    values[k] = static_cast<std::int8_t>(isa::floatToInt(weights[k] / scale, -127, 127));
  return scale;
}

QuantizedMatrix quantizeRows(std::span<const float> weights, std::uint32_t rows, std::uint32_t cols) {
  QuantizedMatrix out{rows, cols, std::vector<std::int8_t>(std::size_t{rows} * cols), std::vector<float>(rows)};
  for (std::size_t n = 0; n < rows; ++n)
    out.scales[n] = quantizeRow(weights.subspan(n * cols, cols), std::span(out.values).subspan(n * cols, cols));
  return out;
}

Result<std::shared_ptr<WeightStore>> WeightStore::open(const std::string &path) {
  auto file = GgufFile::open(path);
  if (!file)
    return file.error();
  auto shape = readShape(**file);
  if (!shape)
    return shape.error();
  if (Status ok = checkTensors(**file, *shape); !ok)
    return ok.error();
  auto tokenizer = readTokenizer(**file, *shape);
  if (!tokenizer)
    return tokenizer.error();
  std::shared_ptr<WeightStore> store(new WeightStore());
  store->file = std::move(*file);
  store->modelShape = std::move(*shape);
  store->modelTokenizer = std::move(*tokenizer);
  return store;
}

std::pair<std::uint32_t, std::uint32_t> WeightStore::dimensions(std::string_view name) const {
  const GgufTensor *tensor = file->findTensor(name);
  if (!tensor && name == kRopeFreqs && modelShape.ropeFreqs)
    return {1, modelShape.headDim / 2};
  if (!tensor)
    return {0, 0};
  return {static_cast<std::uint32_t>(tensor->rows), static_cast<std::uint32_t>(tensor->cols)};
}

std::string WeightStore::typeName(std::string_view name) const {
  const GgufTensor *tensor = file->findTensor(name);
  return tensor ? tensorTypeName(tensor->type) : "";
}

Error WeightStore::missing(std::string_view name) const {
  return Error{path(), "tensor " + quote(name) + " is missing; the IR names a tensor this file does not have"};
}

Status WeightStore::decodeRow(const GgufTensor &tensor, std::uint64_t row, std::span<float> out) const {
  const TensorType &type = *findTensorType(tensor.type); // the parser admitted no other
  std::uint64_t rowBytes = tensor.bytes / tensor.rows;
  type.decode(file->data(tensor).subspan(row * rowBytes, rowBytes), out);
  auto bad = std::ranges::find_if(out, [](float v) { return !std::isfinite(v); });
  if (bad == out.end())
    return Ok{};
  auto column = static_cast<std::uint64_t>(bad - out.begin());
  return Error{path(),
               "tensor " + quote(tensor.name) + " at byte " +
                   std::to_string(tensor.offset + row * rowBytes + column / type.blockValues * type.blockBytes) +
                   ": value [" + std::to_string(row) + ", " + std::to_string(column) + "] is " +
                   (std::isnan(*bad) ? "NaN" : "infinite") +
                   "; the weights are damaged, fetch or export the file again"};
}

Result<std::vector<float>> WeightStore::loadRopeFreqs() const {
  std::vector<float> divisors(modelShape.headDim / 2, 1.0f);
  if (const GgufTensor *tensor = file->findTensor(kRopeFreqs))
    if (Status ok = decodeRow(*tensor, 0, divisors); !ok)
      return ok.error();
  for (std::size_t i = 0; i < divisors.size(); ++i) {
    divisors[i] = static_cast<float>(divisors[i] * modelShape.ropeScale);
    if (!std::isnormal(divisors[i]) || divisors[i] < 0)
      return Error{path(),
                   "tensor " + quote(kRopeFreqs) + ": value [0, " + std::to_string(i) + "] is " +
                       std::to_string(divisors[i]) +
                       ", a positive divisor is needed; the weights are damaged, fetch or export the file again"};
  }
  return divisors;
}

Result<std::vector<float>> WeightStore::load(std::string_view name) const {
  if (name == kRopeFreqs && modelShape.ropeFreqs)
    return loadRopeFreqs();
  const GgufTensor *tensor = file->findTensor(name);
  if (!tensor)
    return missing(name);
  std::vector<float> values(tensor->rows * tensor->cols);
  for (std::uint64_t row = 0; row < tensor->rows; ++row)
    if (Status ok = decodeRow(*tensor, row, std::span(values).subspan(row * tensor->cols, tensor->cols)); !ok)
      return ok.error();
  return values;
}

Status WeightStore::loadRow(std::string_view name, std::uint32_t row, std::span<float> out) const {
  const GgufTensor *tensor = file->findTensor(name);
  if (!tensor)
    return missing(name);
  if (row >= tensor->rows || out.size() != tensor->cols)
    return Error{path(), "tensor " + quote(name) + " has no row " + std::to_string(row) + " of " +
                             std::to_string(out.size()) + " values"};
  return decodeRow(*tensor, row, out);
}

Result<std::shared_ptr<const QuantizedMatrix>> WeightStore::quantized(std::string_view name) {
  std::lock_guard lock(cacheMutex);
  if (auto it = cache.find(std::string(name)); it != cache.end())
    return it->second;
  const GgufTensor *tensor = file->findTensor(name);
  if (!tensor)
    return missing(name);
  auto [rows, cols] = dimensions(name);
  auto matrix = std::make_shared<QuantizedMatrix>(
      QuantizedMatrix{rows, cols, std::vector<std::int8_t>(std::size_t{rows} * cols), std::vector<float>(rows)});
  std::vector<float> row(cols);
  for (std::size_t n = 0; n < rows; ++n) {
    if (Status ok = decodeRow(*tensor, n, row); !ok)
      return ok.error();
    matrix->scales[n] = quantizeRow(row, std::span(matrix->values).subspan(n * cols, cols));
  }
  std::shared_ptr<const QuantizedMatrix> result = std::move(matrix);
  cache.emplace(std::string(name), result);
  return result;
}

} // namespace lpu::compiler
