// Tensors of an ONNX encoder, decoded row by row from the file.

#include "HuggingFace.h"
#include "OnnxGraph.h"
#include "WeightSource.h"

#include <cmath>
#include <filesystem>

namespace lpu::compiler {
namespace {

class OnnxSource final : public WeightSource {
public:
  OnnxSource(std::shared_ptr<const OnnxFile> opened, OnnxModel model)
      : file(std::move(opened)), weights(std::move(model.weights)), computed(std::move(model.computed)) {}

  std::pair<std::uint32_t, std::uint32_t> dimensions(std::string_view name) const override {
    const OnnxWeight *weight = find(name);
    return weight ? std::pair{weight->rows(), weight->cols()} : std::pair<std::uint32_t, std::uint32_t>{0, 0};
  }
  std::string typeName(std::string_view name) const override {
    const OnnxWeight *weight = find(name);
    return !weight                  ? ""
           : weight->scales.empty() ? onnx::TensorProto::DataType_Name(weight->tensor->type)
                                    : "int8 codes";
  }
  Status readRow(std::string_view name, std::uint32_t row, std::span<float> out) const override {
    const OnnxWeight &weight = *find(name);
    for (std::uint32_t col = 0; col < out.size(); ++col) {
      out[col] = weight.value(row, col);
      if (!std::isfinite(out[col]))
        return Error{file->path(), "tensor " + quote(weight.tensor->name) + ": value [" + std::to_string(row) + ", " +
                                       std::to_string(col) + "] is " + (std::isnan(out[col]) ? "NaN" : "infinite") +
                                       "; the weights are damaged, fetch or export the file again"};
    }
    return Ok{};
  }
  bool hasCodes(std::string_view name) const override {
    const OnnxWeight *weight = find(name);
    return weight && weight->dims.size() == 2 && weight->hasCodes();
  }
  Result<float> readCodes(std::string_view name, std::uint32_t row, std::span<std::int8_t> out) const override {
    const OnnxWeight &weight = *find(name);
    float rowScale = 0;
    for (std::uint32_t col = 0; col < out.size(); ++col) {
      auto [code, scale] = weight.code(row, col);
      out[col] = static_cast<std::int8_t>(code), rowScale = scale;
    }
    if (!std::isnormal(rowScale) || rowScale < 0)
      return Error{file->path(), "tensor " + quote(weight.tensor->name) + ": row " + std::to_string(row) +
                                     " has the scale " + std::to_string(rowScale) +
                                     ", a positive number is needed; export the file again"};
    return rowScale;
  }

private:
  const OnnxWeight *find(std::string_view name) const {
    auto it = weights.find(name);
    return it == weights.end() ? nullptr : &it->second;
  }

  std::shared_ptr<const OnnxFile> file;
  std::map<std::string, OnnxWeight, std::less<>> weights;
  std::vector<std::unique_ptr<OnnxTensor>> computed; ///< tensors that are not the file's
};

/// Of the folder that the file is in, or where exporters put it into a folder "onnx", of the one around that.
Result<isa::Tokenizer> tokenizerBeside(const std::filesystem::path &path, std::uint32_t vocabulary) {
  std::filesystem::path folder = path.parent_path();
  if (folder.filename() == "onnx" && !std::filesystem::exists(folder / "tokenizer.json"))
    folder = folder.parent_path();
  HfConfig config;
  config.shape.vocabulary = vocabulary;
  return readTokenizer(folder.empty() ? "." : folder.string(), config);
}

std::string_view trimmed(std::string_view text) {
  while (text.starts_with(' '))
    text.remove_prefix(1);
  while (text.ends_with(' '))
    text.remove_suffix(1);
  return text;
}

} // namespace

Result<OpenedModel> openOnnx(const std::string &path, std::string_view names) {
  std::vector<std::string> outputs;
  for (std::size_t at = 0; !names.empty() && at <= names.size();) {
    std::size_t end = std::min(names.find(',', at), names.size());
    outputs.emplace_back(trimmed(names.substr(at, end - at))), at = end + 1;
  }
  auto file = OnnxFile::open(path);
  if (!file)
    return file.error();
  auto read = readOnnxGraph(**file, outputs);
  if (!read)
    return read.error();
  OpenedModel model{path, {}, {}, nullptr, read->graph};
  const EncoderGraph &graph = *model.encoder;
  ModelShape &shape = model.shape;
  shape.name = std::filesystem::path(path).stem().string(), shape.architecture = "encoder";
  shape.layers = graph.layers, shape.vocabulary = graph.vocabulary, shape.context = graph.maxTokens,
  shape.tokenTypes = std::max(1U, graph.tokenTypes);
  for (const EncoderNode &node : graph.nodes)
    if (node.kind == EncoderNode::Kind::Attention) {
      shape.heads = shape.kvHeads = node.heads, shape.hidden = node.width, shape.headDim = node.width / node.heads;
    }
  auto tokenizer = tokenizerBeside(path, graph.vocabulary);
  if (!tokenizer)
    return tokenizer.error();
  model.tokenizer = std::move(*tokenizer);
  model.source = std::make_unique<OnnxSource>(std::move(*file), std::move(*read));
  return model;
}

} // namespace lpu::compiler
