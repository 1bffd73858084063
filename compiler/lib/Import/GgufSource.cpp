// Tensors of a GGUF file, decoded row by row from the mapping.

#include "LlamaModel.h"
#include "WeightSource.h"
#include "lpu/compiler/Import/TensorTypes.h"

#include <algorithm>
#include <cmath>

namespace lpu::compiler {
namespace {

class GgufSource : public WeightSource {
public:
  explicit GgufSource(std::shared_ptr<const GgufFile> opened) : file(std::move(opened)) {}

  std::pair<std::uint32_t, std::uint32_t> dimensions(std::string_view name) const override {
    const GgufTensor *tensor = file->findTensor(name);
    if (!tensor)
      return {0, 0};
    return {static_cast<std::uint32_t>(tensor->rows), static_cast<std::uint32_t>(tensor->cols)};
  }
  std::string typeName(std::string_view name) const override {
    const GgufTensor *tensor = file->findTensor(name);
    return tensor ? tensorTypeName(tensor->type) : "";
  }
  Status readRow(std::string_view name, std::uint32_t row, std::span<float> out) const override;

private:
  std::shared_ptr<const GgufFile> file;
};

Status GgufSource::readRow(std::string_view name, std::uint32_t row, std::span<float> out) const {
  const GgufTensor &tensor = *file->findTensor(name);
  const TensorType &type = *findTensorType(tensor.type); // the parser admitted no other
  std::uint64_t rowBytes = tensor.bytes / tensor.rows;
  type.decode(file->data(tensor).subspan(row * rowBytes, rowBytes), out);
  auto bad = std::ranges::find_if(out, [](float v) { return !std::isfinite(v); });
  if (bad == out.end())
    return Ok{};
  auto column = static_cast<std::uint64_t>(bad - out.begin());
  return Error{file->path(),
               "tensor " + quote(tensor.name) + " at byte " +
                   std::to_string(tensor.offset + row * rowBytes + column / type.blockValues * type.blockBytes) +
                   ": value [" + std::to_string(row) + ", " + std::to_string(column) + "] is " +
                   (std::isnan(*bad) ? "NaN" : "infinite") +
                   "; the weights are damaged, fetch or export the file again"};
}

} // namespace

Result<OpenedModel> openGguf(const std::string &path) {
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
  return OpenedModel{path, std::move(*shape), std::move(*tokenizer), std::make_unique<GgufSource>(std::move(*file))};
}

} // namespace lpu::compiler
