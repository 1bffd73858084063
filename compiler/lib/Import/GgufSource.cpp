// Tensors of a GGUF file, decoded row by row from the mapping.

#include "FusedTensors.h"
#include "GgufParts.h"
#include "LlamaModel.h"
#include "WeightSource.h"
#include "lpu/compiler/Import/TensorTypes.h"
#include "lpu/isa/Numerics.h"

#include <algorithm>
#include <cmath>

namespace lpu::compiler {
namespace {

class GgufSource : public WeightSource {
public:
  explicit GgufSource(GgufParts opened) : parts(std::move(opened)) {}

  std::pair<std::uint32_t, std::uint32_t> dimensions(std::string_view name) const override {
    const GgufTensor *tensor = parts.findTensor(name);
    if (!tensor)
      return {0, 0};
    return {static_cast<std::uint32_t>(tensor->rows), static_cast<std::uint32_t>(tensor->cols)};
  }
  std::string typeName(std::string_view name) const override {
    const GgufTensor *tensor = parts.findTensor(name);
    return tensor ? tensorTypeName(tensor->type) : "";
  }
  Status readRow(std::string_view name, std::uint32_t row, std::span<float> out) const override;
  bool readBlocks(std::string_view name, std::uint32_t row, std::span<std::int8_t> values,
                  std::span<float> scales) const override;

private:
  GgufParts parts;
};

Status GgufSource::readRow(std::string_view name, std::uint32_t row, std::span<float> out) const {
  const GgufParts::Located &at = parts.tensors().find(name)->second;
  const GgufTensor &tensor = *at.tensor;
  const TensorType &type = *findTensorType(tensor.type); // the parser admitted no other
  std::uint64_t rowBytes = tensor.bytes / tensor.rows;
  type.decode(at.data().subspan(row * rowBytes, rowBytes), out);
  auto bad = std::ranges::find_if(out, [](float v) { return !std::isfinite(v); });
  if (bad == out.end())
    return Ok{};
  auto column = static_cast<std::uint64_t>(bad - out.begin());
  return Error{at.file->path(),
               "tensor " + quote(tensor.name) + " at byte " +
                   std::to_string(tensor.offset + row * rowBytes + column / type.blockValues * type.blockBytes) +
                   ": value [" + std::to_string(row) + ", " + std::to_string(column) + "] is " +
                   (std::isnan(*bad) ? "NaN" : "infinite") +
                   "; the weights are damaged, fetch or export the file again"};
}

bool GgufSource::readBlocks(std::string_view name, std::uint32_t row, std::span<std::int8_t> values,
                            std::span<float> scales) const {
  const GgufParts::Located &at = parts.tensors().find(name)->second;
  const GgufTensor &tensor = *at.tensor;
  std::string type = tensorTypeName(tensor.type);
  if (type != "Q8_0" && type != "Q4_0")
    return false;
  std::uint64_t rowBytes = tensor.bytes / tensor.rows, blockBytes = rowBytes / scales.size();
  for (std::size_t b = 0; b < scales.size(); ++b) {
    auto block = at.data().subspan(row * rowBytes + b * blockBytes, blockBytes);
    scales[b] = isa::halfToFloat(static_cast<std::uint16_t>(block[0] | block[1] << 8));
    for (std::size_t i = 0; i < 32; ++i) {
      // Q8_0: a byte each. Q4_0: values 0..15 in the low nibbles of 16 bytes, 16..31 in the high ones, 8 more than
      // meant.
      std::uint8_t byte = block[2 + (type == "Q8_0" ? i : i % 16)];
      values[32 * b + i] = static_cast<std::int8_t>(type == "Q8_0" ? byte : (i < 16 ? byte & 15 : byte >> 4) - 8);
    }
  }
  return true;
}

} // namespace

Result<OpenedModel> openGguf(const std::string &path) {
  auto parts = GgufParts::open(path);
  if (!parts)
    return parts.error();
  auto shape = readShape(*parts);
  if (!shape)
    return shape.error();
  if (Status ok = checkTensors(*parts, *shape); !ok)
    return ok.error();
  auto tokenizer = readTokenizer(parts->first(), *shape);
  if (!tokenizer)
    return tokenizer.error();
  std::unique_ptr<const WeightSource> source = std::make_unique<GgufSource>(std::move(*parts));
  for (auto [name, divisors] : {std::pair(kShortFactors, &shape->ropeDivisors), {kLongFactors, &shape->longDivisors}}) {
    divisors->resize(source->dimensions(name).second);
    if (Status ok = divisors->empty() ? Status(Ok{}) : source->readRow(name, 0, *divisors); !ok)
      return ok.error();
  }
  source = splitFused(std::move(source), *shape);
  return OpenedModel{path, std::move(*shape), std::move(*tokenizer), std::move(source)};
}

} // namespace lpu::compiler
