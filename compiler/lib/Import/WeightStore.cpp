// Weights by name, decoded or quantized on demand. Only the int8 copies are kept:
// they are at most as large as the file's own Q8_0 rows, and several passes need them.

#include "lpu/compiler/Import/WeightStore.h"

#include "ModelFile.h"
#include "WeightSource.h"
#include "lpu/isa/Numerics.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <numbers>

namespace lpu::compiler {

float quantizeRow(std::span<const float> weights, std::span<std::int8_t> values) {
  // Magnitudes are compared as integers, whose maximum vectorises; the order is the same.
  std::uint32_t magnitude = 0;
  for (float w : weights)
    magnitude = std::max(magnitude, std::bit_cast<std::uint32_t>(w) & 0x7FFFFFFFu);
  float scale = std::bit_cast<float>(magnitude) / 127.0f;
  // A row whose scale underflows cannot be divided by it; its values are below 1e-36 and count as zero.
  if (scale == 0 || !std::isnormal(scale)) {
    std::ranges::fill(values, std::int8_t{0});
    return 0;
  }
  // |w / scale| is at most a rounding above 127, so adding 1.5·2^23 rounds it to the nearest even integer, which
  // then stands in the low bits.
  constexpr float kRound = 12582912.0f;
  for (std::size_t k = 0; k < weights.size(); ++k)
    values[k] = static_cast<std::int8_t>(std::bit_cast<std::int32_t>(weights[k] / scale + kRound) -
                                         std::bit_cast<std::int32_t>(kRound));
  return scale;
}

float quantizeGroup(std::span<const float> weights, WeightType type, std::span<std::int8_t> values) {
  float largest = 0;
  for (float w : weights)
    if (std::fabs(w) > std::fabs(largest))
      largest = w;
  // Four bits reach one further below zero than above; the scale's sign turns that end towards the largest value.
  bool four = type == WeightType::Int4Group;
  float scale = isa::halfToFloat(isa::floatToHalf(four ? largest / -8.0f : std::fabs(largest) / 127.0f));
  if (scale == 0) {
    std::ranges::fill(values, std::int8_t{0});
    return 0;
  }
  for (std::size_t k = 0; k < weights.size(); ++k)
    values[k] = static_cast<std::int8_t>(isa::floatToInt(weights[k] / scale, four ? -8 : -127, four ? 7 : 127));
  return scale;
}

std::optional<int> groupExponent(const QuantizedMatrix &matrix) {
  double largestSum = 0, largestScale = 0;
  for (std::uint32_t n = 0; n < matrix.rows; ++n) {
    double sum = 0;
    auto row = matrix.row(n);
    for (std::uint32_t k = 0; k < matrix.cols; ++k)
      sum += 128.0 * std::abs(row[k]) * std::fabs(static_cast<double>(matrix.scale(n, k)));
    largestSum = std::max(largestSum, sum);
  }
  for (float scale : matrix.scales)
    largestScale = std::max(largestScale, std::fabs(static_cast<double>(scale)));
  // Rounding adds half a step for each group at most. Scaled by a power of two, scales stay fp16 values.
  constexpr double kLargestHalf = 65504;
  double room = isa::kDigit32Max - static_cast<double>(matrix.groups());
  for (int e = 30; e >= 0; --e)
    if (std::ldexp(largestSum, e) <= room && std::ldexp(largestScale, e) <= kLargestHalf)
      return e;
  return std::nullopt;
}

QuantizedMatrix quantizeRows(std::span<const float> weights, std::uint32_t rows, std::uint32_t cols) {
  QuantizedMatrix out{rows, cols, std::vector<std::int8_t>(std::size_t{rows} * cols), std::vector<float>(rows)};
  for (std::size_t n = 0; n < rows; ++n)
    out.scales[n] = quantizeRow(weights.subspan(n * cols, cols), std::span(out.values).subspan(n * cols, cols));
  return out;
}

double Llama3Rope::divisor(double frequency) const {
  double turns = originalContext * frequency / (2 * std::numbers::pi); // in the context of training
  if (turns >= highFactor)
    return 1;
  if (turns <= lowFactor)
    return factor;
  double smooth = (turns - lowFactor) / (highFactor - lowFactor);
  return 1 / ((1 - smooth) / factor + smooth);
}

std::string WeightStore::shapeName(const std::string &path, const std::string &weights) {
  return std::string(kShapePrefix) + path + std::string(kWeightsMark) + weights;
}

std::string WeightStore::outputsName(const std::string &path, const std::string &outputs) {
  return path + std::string(kOutputsMark) + outputs;
}

static Result<OpenedModel> openFile(const std::string &name) {
  auto mark = name.rfind(kOutputsMark);
  auto file = recognizeModel(name.substr(0, mark));
  if (!file)
    return file.error();
  switch (file->form) {
  case ModelForm::HuggingFace:
    return openHuggingFace(file->path);
  case ModelForm::Onnx:
    return openOnnx(file->path,
                    mark == std::string::npos ? "" : std::string_view(name).substr(mark + kOutputsMark.size()));
  case ModelForm::Gguf:
    break;
  }
  return openGguf(file->path);
}

Result<std::shared_ptr<WeightStore>> WeightStore::open(const std::string &name) {
  auto mark = name.rfind(kWeightsMark);
  bool isShape = name.starts_with(kShapePrefix) && mark != std::string::npos;
  auto model = isShape ? openArch(name.substr(kShapePrefix.size(), mark - kShapePrefix.size()),
                                  std::string_view(name).substr(mark + kWeightsMark.size()))
                       : openFile(name);
  if (!model)
    return model.error();
  std::shared_ptr<WeightStore> store(new WeightStore());
  store->modelName = name;
  store->filePath = std::move(model->path);
  store->modelShape = std::move(model->shape);
  store->modelTokenizer = std::move(model->tokenizer);
  store->source = std::move(model->source);
  store->encoderGraph = std::move(model->encoder);
  return store;
}

WeightStore::~WeightStore() = default;

bool WeightStore::hasWeights() const { return source->hasValues(); }

std::pair<std::uint32_t, std::uint32_t> WeightStore::dimensions(std::string_view name) const {
  auto size = source->dimensions(name);
  bool isLong = name == kLongRopeFreqs && !modelShape.longDivisors.empty();
  if (isLong || (!size.first && name == kRopeFreqs && modelShape.ropeFreqs))
    return {1, modelShape.headDim / 2};
  return size;
}

std::string WeightStore::typeName(std::string_view name) const { return source->typeName(name); }

Status WeightStore::expectValues(std::string_view name) const {
  if (!source->dimensions(name).first)
    return Error{path(), "tensor " + quote(name) + " is missing; the IR names a tensor this file does not have"};
  if (!hasWeights())
    return Error{path(), "tensor " + quote(name) + " has no values; choose --weights=random:SEED instead of none"};
  return Ok{};
}

std::uint32_t WeightStore::sourceRow(std::string_view name, std::uint32_t row) const {
  auto isOf = [&](std::string_view part) { return name.find(part) != std::string_view::npos; };
  bool isPaired =
      modelShape.ropeHalves && (isOf("attn_q.") || isOf("attn_k.") || isOf("attn_q_norm.") || isOf("attn_k_norm."));
  std::uint32_t dim = modelShape.headDim, turned = modelShape.rotary ? modelShape.rotary : dim, element = row % dim;
  return isPaired && element < turned ? row - element + element / 2 + element % 2 * (turned / 2) : row;
}

Status WeightStore::readRow(std::string_view name, std::uint32_t row, std::span<float> out) const {
  // A bias, or the gains of a head's norm, is one row of values that belong to the rows of a matrix.
  if (!name.ends_with(".bias") && name.find("_norm.weight") == std::string_view::npos)
    return source->readRow(name, sourceRow(name, row), out);
  std::vector<float> values(out.size());
  Status ok = source->readRow(name, row, values);
  for (std::uint32_t n = 0; ok && n < values.size(); ++n)
    out[n] = values[sourceRow(name, n)];
  return ok;
}

Result<std::vector<float>> WeightStore::loadRopeFreqs(std::string_view name) const {
  std::uint32_t turned = modelShape.rotary ? modelShape.rotary : modelShape.headDim;
  std::vector<float> divisors(turned / 2, 1.0f);
  if (name == kLongRopeFreqs) {
    divisors = modelShape.longDivisors;
  } else if (source->dimensions(kRopeFreqs).first) {
    if (Status ok = source->readRow(kRopeFreqs, 0, divisors); !ok)
      return ok.error();
  } else if (!modelShape.ropeDivisors.empty()) {
    divisors = modelShape.ropeDivisors;
  }
  for (std::size_t i = 0; i < divisors.size(); ++i) {
    double scale = modelShape.ropeScale;
    if (modelShape.llama3)
      scale *= modelShape.llama3->divisor(std::pow(modelShape.ropeBase, -2.0 * static_cast<double>(i) / turned));
    divisors[i] = static_cast<float>(divisors[i] * scale);
    if (!std::isnormal(divisors[i]) || divisors[i] < 0)
      return Error{
          path(), "tensor " + quote(name) + ": value [0, " + std::to_string(i) + "] is " + std::to_string(divisors[i]) +
                      ", a positive divisor is needed; the weights are damaged, fetch or export the file again"};
  }
  divisors.resize(modelShape.headDim / 2, std::numeric_limits<float>::infinity()); // pairs that do not turn
  return divisors;
}

Result<std::vector<float>> WeightStore::load(std::string_view name) const {
  if ((name == kRopeFreqs && modelShape.ropeFreqs) || (name == kLongRopeFreqs && !modelShape.longDivisors.empty()))
    return loadRopeFreqs(name);
  if (Status ok = expectValues(name); !ok)
    return ok.error();
  auto [rows, cols] = dimensions(name);
  std::vector<float> values(std::size_t{rows} * cols);
  for (std::uint32_t row = 0; row < rows; ++row)
    if (Status ok = readRow(name, row, std::span(values).subspan(std::size_t{row} * cols, cols)); !ok)
      return ok.error();
  return values;
}

Status WeightStore::loadRow(std::string_view name, std::uint32_t row, std::span<float> out) const {
  if (Status ok = expectValues(name); !ok)
    return ok;
  auto [rows, cols] = dimensions(name);
  if (row >= rows || out.size() != cols)
    return Error{path(), "tensor " + quote(name) + " has no row " + std::to_string(row) + " of " +
                             std::to_string(out.size()) + " values"};
  return readRow(name, row, out);
}

Status WeightStore::quantizeInto(QuantizedMatrix &matrix, std::string_view name, WeightType type) const {
  std::vector<float> row(matrix.cols);
  bool hasCodes = type == WeightType::Int8 && source->hasCodes(name);
  for (std::uint32_t n = 0; n < matrix.rows; ++n) {
    auto values = std::span(matrix.values).subspan(std::size_t{n} * matrix.cols, matrix.cols);
    auto scales = std::span(matrix.scales).subspan(std::size_t{n} * matrix.groups(), matrix.groups());
    if (hasCodes) {
      auto scale = source->readCodes(name, n, values);
      if (!scale)
        return scale.error();
      scales[0] = *scale;
      continue;
    }
    if (Status ok = readRow(name, n, row); !ok) // damaged values are found here, whatever the type
      return ok;
    if (type == WeightType::Int8)
      scales[0] = quantizeRow(row, values);
    else if (!keepsBlocks(name, type) || !source->readBlocks(name, sourceRow(name, n), values, scales))
      for (std::uint32_t k = 0; k < matrix.cols; k += matrix.group) {
        std::uint32_t count = std::min(matrix.group, matrix.cols - k);
        scales[k / matrix.group] = quantizeGroup(std::span(row).subspan(k, count), type, values.subspan(k, count));
      }
  }
  return Ok{};
}

WeightStore::Entry &WeightStore::entryOf(std::string_view name, WeightType type) {
  std::lock_guard lock(cacheMutex);
  std::unique_ptr<Entry> &entry = cache[std::pair(std::string(name), type)];
  if (!entry)
    entry = std::make_unique<Entry>();
  return *entry;
}

Result<std::shared_ptr<const QuantizedMatrix>> WeightStore::quantized(std::string_view name, WeightType type) {
  Entry &entry = entryOf(name, type);
  std::lock_guard lock(entry.mutex);
  if (entry.matrix)
    return entry.matrix;
  if (Status ok = expectValues(name); !ok)
    return ok.error();
  auto [rows, cols] = dimensions(name);
  auto matrix = std::make_shared<QuantizedMatrix>();
  matrix->rows = rows, matrix->cols = cols, matrix->group = type == WeightType::Int8 ? 0 : kWeightGroup;
  matrix->values.resize(std::size_t{rows} * cols);
  matrix->scales.resize(std::size_t{rows} * matrix->groups());
  if (Status ok = quantizeInto(*matrix, name, type); !ok)
    return ok.error();
  if (matrix->group) {
    auto exponent = groupExponent(*matrix);
    if (!exponent)
      return Error{
          path(),
          "tensor " + quote(name) +
              ": sums of its products do not fit 32 bits; the weights are damaged, fetch or export the file again"};
    matrix->exponent = *exponent;
  }
  entry.matrix = std::move(matrix);
  return entry.matrix;
}

bool WeightStore::keepsBlocks(std::string_view name, WeightType type) const {
  std::string own = typeName(name);
  return (own == "Q4_0" && type != WeightType::Int8) || (own == "Q8_0" && type == WeightType::Int8Group);
}

void WeightStore::setQuantized(std::string_view name, WeightType type, QuantizedMatrix matrix) {
  if (matrix.group)
    matrix.exponent = groupExponent(matrix).value_or(0);
  Entry &entry = entryOf(name, type);
  std::lock_guard lock(entry.mutex);
  entry.matrix = std::make_shared<const QuantizedMatrix>(std::move(matrix));
}

} // namespace lpu::compiler
