// Where the tensors of a WeightStore come from: a GGUF or ONNX file, a Hugging
// Face folder, or a shape with a generator. Internal to the importer.
#pragma once

#include "lpu/compiler/Import/WeightStore.h"

namespace lpu::compiler {

class WeightSource {
public:
  virtual ~WeightSource() = default;

  /// Rows and columns of a tensor (a vector has one row); {0, 0} when absent.
  virtual std::pair<std::uint32_t, std::uint32_t> dimensions(std::string_view name) const = 0;
  /// Name of the encoding, "Q8_0"; empty when absent.
  virtual std::string typeName(std::string_view name) const = 0;
  /// Row `row` of an existing tensor as fp32. Error: a value that is not finite.
  virtual Status readRow(std::string_view name, std::uint32_t row, std::span<float> out) const = 0;
  /// The row's own blocks of 32 values times an fp16 scale, for encodings that are just that (Q8_0, Q4_0); false for
  /// others. `values` as readRow's, `scales` one per block.
  virtual bool readBlocks(std::string_view /*name*/, std::uint32_t /*row*/, std::span<std::int8_t> /*values*/,
                          std::span<float> /*scales*/) const {
    return false;
  }
  /// Whether a matrix is int8 codes in the file, with one scale a row, that are to be used as they are.
  virtual bool hasCodes(std::string_view) const { return false; }
  /// Codes of a row of such a matrix; returns their scale.
  virtual Result<float> readCodes(std::string_view name, std::uint32_t, std::span<std::int8_t>) const {
    return Error{std::string(name), "has no codes"};
  }
  /// False: names and sizes only.
  virtual bool hasValues() const { return true; }
};

/// What is read when a model is opened; values follow on demand.
struct OpenedModel {
  std::string path; ///< place of errors
  ModelShape shape;
  isa::Tokenizer tokenizer;
  std::unique_ptr<const WeightSource> source;
  std::optional<EncoderGraph> encoder{}; ///< instead of a decoder of that shape
};

/// A GGUF file of a supported architecture.
Result<OpenedModel> openGguf(const std::string &path);
/// A Hugging Face folder.
Result<OpenedModel> openHuggingFace(const std::string &folder);
/// An encoder as an ONNX file; of its outputs those named, separated by commas, or all.
Result<OpenedModel> openOnnx(const std::string &path, std::string_view outputs);
/// A shape (ArchFile.h) with weights "none" or "random:SEED".
Result<OpenedModel> openArch(const std::string &path, std::string_view weights);

} // namespace lpu::compiler
