// The structure of an ONNX file: protobuf, and tensors that stand in it or in files
// beside it. Everything is checked when opened, values are decoded on demand.
#pragma once

#include "OnnxProto.h"
#include "lpu/compiler/Support/MappedFile.h"
#include "lpu/isa/Result.h"

#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace lpu::compiler {

/// A tensor of constants.
class OnnxTensor {
public:
  std::string name;
  std::int32_t type = 0;          ///< onnx::TensorProto::DataType
  std::vector<std::int64_t> dims; ///< slowest first; empty: a scalar
  std::size_t count = 0;          ///< values
  std::size_t offset = 0;         ///< of the data in its external file, for errors

  /// A tensor of float32 that is not the file's.
  static std::unique_ptr<OnnxTensor> computed(std::string name, std::vector<std::int64_t> dims,
                                              std::vector<float> values);
  bool isFloat() const;
  /// Of a value by its number, row-major.
  double at(std::size_t index) const;

private:
  friend class OnnxFile;
  const onnx::TensorProto *proto = nullptr; ///< holds typed values when `raw` is empty
  std::vector<float> own;                   ///< computed
  std::span<const std::uint8_t> raw;
  std::size_t valueBytes = 0;
};

class OnnxFile {
public:
  static Result<std::shared_ptr<const OnnxFile>> open(const std::string &path);

  const std::string &path() const { return filePath; }
  const onnx::GraphProto &graph() const { return model.graph(); }
  /// Initializers and Constant nodes; null when absent.
  const OnnxTensor *find(const std::string &name) const;
  /// A tensor that stands in an attribute, with its data; nothing when it is damaged or empty.
  static std::optional<OnnxTensor> read(const onnx::TensorProto &proto);
  /// Values of all tensors.
  std::size_t valueCount() const { return values; }
  /// This file and those that hold tensors of it.
  std::vector<std::string> files() const;
  /// Version of the default operator set.
  std::int64_t opset() const { return version; }

private:
  OnnxFile() = default;
  Status parse(std::span<const std::uint8_t> bytes);
  Status add(const std::string &name, const onnx::TensorProto &proto);
  /// Constants of a graph, and of the branches within it.
  Status addConstants(const onnx::GraphProto &graph, int depth);
  static Status measure(const std::string &what, const onnx::TensorProto &proto, OnnxTensor &tensor);
  static Status decode(const std::string &what, const onnx::TensorProto &proto, OnnxTensor &tensor);
  Result<std::span<const std::uint8_t>> external(const std::string &name, const onnx::TensorProto &proto,
                                                 OnnxTensor &tensor);
  Error fail(const std::string &message) const { return {filePath, message}; }

  std::string filePath;
  onnx::ModelProto model;
  std::int64_t version = 0;
  std::size_t values = 0;
  std::map<std::string, OnnxTensor, std::less<>> tensors;
  std::map<std::string, std::shared_ptr<const MappedFile>> externals;
};

} // namespace lpu::compiler
