// Makes an EncoderGraph out of an ONNX graph. Internal to the importer.
//
// Every value of the file's graph gets an abstract one: constants are folded for a
// sample sequence, so that all arithmetic on shapes, positions and masks disappears,
// and what depends on the ids is followed through the forms in which exporters write
// the parts of an encoder (a centered value, its square, their mean, …).
#pragma once

#include "OnnxFile.h"
#include "lpu/compiler/Import/EncoderGraph.h"

#include <functional>
#include <optional>

namespace lpu::compiler {

/// A tensor of the store, made from one of the file.
struct OnnxWeight {
  const OnnxTensor *tensor = nullptr;
  bool transposed = false; ///< rows are the tensor's second dimension
  /// Value = (code − zero)·scale, one for all or one per entry of the tensor's dimension `axis`; empty: values as they
  /// are.
  std::vector<float> scales;
  std::vector<std::int32_t> zeros;
  std::int64_t axis = 0;
  bool rounds = false; ///< the tensor holds real values that become codes in [low, high]
  std::int32_t low = -128, high = 127;

  std::uint32_t rows() const {
    return static_cast<std::uint32_t>(tensor->dims.size() == 2 ? tensor->dims[transposed ? 1 : 0] : 1);
  }
  std::uint32_t cols() const {
    return static_cast<std::uint32_t>(tensor->dims.size() == 2 ? tensor->dims[transposed ? 0 : 1] : tensor->count);
  }
  /// As many scales and zeros as `axis` asks for.
  bool isConsistent() const;
  /// A scale for each row, and differences that fit int8.
  bool hasCodes() const;
  std::size_t index(std::size_t row, std::size_t col) const {
    return transposed ? col * rows() + row : row * cols() + col;
  }
  /// code − zero and the scale that goes with it; of a tensor with scales.
  std::pair<std::int32_t, float> code(std::size_t row, std::size_t col) const;
  float value(std::size_t row, std::size_t col) const;
};

struct OnnxModel {
  EncoderGraph graph;
  std::map<std::string, OnnxWeight, std::less<>> weights;
};

Result<OnnxModel> readOnnxGraph(const OnnxFile &file);

/// Numbers known for the sample sequence.
struct OnnxConstant {
  std::vector<std::int64_t> dims;
  std::vector<double> values;
};
/// Larger constants are weights, with which shapes are not computed.
inline constexpr std::size_t kMostFolded = std::size_t{1} << 18;
std::optional<std::size_t> onnxCount(std::span<const std::int64_t> dims);
/// An operator on constants; nothing when it is none that folds, or the operands do not fit it.
std::optional<OnnxConstant> foldOnnx(const onnx::NodeProto &node, std::span<const OnnxConstant *const> inputs);

/// An attribute's whole numbers or number; empty or `fallback` when absent.
std::vector<std::int64_t> onnxInts(const onnx::NodeProto &node, std::string_view name);
std::int64_t onnxInt(const onnx::NodeProto &node, std::string_view name, std::int64_t fallback);
double onnxFloat(const onnx::NodeProto &node, std::string_view name, double fallback);
/// How errors name a node.
std::string onnxNodeName(const onnx::NodeProto &node);

} // namespace lpu::compiler
