// Makes an EncoderGraph out of an ONNX graph. Internal to the importer.
//
// Every value of the file's graph gets an abstract one: constants are folded for a
// sample sequence, so that all arithmetic on shapes, positions and masks disappears,
// and what depends on the ids is followed as rows of elements, a curve of one value
// (OnnxCurves.cpp), or a step of a norm or of attention.
#pragma once

#include "OnnxFile.h"
#include "lpu/compiler/Import/EncoderGraph.h"

#include <functional>
#include <optional>

namespace lpu::compiler {

using OnnxDims = std::vector<std::int64_t>;

/// A tensor of the store: a view of one of the file, or of one that was computed from constants.
struct OnnxWeight {
  const OnnxTensor *tensor = nullptr;
  OnnxDims dims, strides; ///< of the view, in values of the tensor
  std::size_t offset = 0;
  /// Value = (code − zero)·scale, one for all or one per entry of the tensor's dimension `axis`; empty: values as they
  /// are.
  std::vector<float> scales;
  std::vector<std::int32_t> zeros;
  std::int64_t axis = 0;
  bool rounds = false; ///< the tensor holds real values that become codes in [low, high]
  std::int32_t low = -128, high = 127;
  std::string name{}; ///< under which the store has it

  OnnxWeight() = default;
  explicit OnnxWeight(const OnnxTensor &whole);

  std::uint32_t rows() const { return static_cast<std::uint32_t>(dims.size() == 2 ? dims[0] : 1); }
  std::uint32_t cols() const { return static_cast<std::uint32_t>(dims.empty() ? 1 : dims.back()); }
  std::size_t count() const;
  /// As many scales and zeros as `axis` asks for, and codes exactly where there are scales.
  bool isConsistent() const;
  /// Every row of the two-dimensional view has one scale and one zero.
  bool isScaledByRow() const;
  /// A scale for each row, and differences that fit int8.
  bool hasCodes() const;
  /// code − zero and the scale that goes with it; of a tensor with scales. `at` is a place in the tensor.
  std::pair<std::int32_t, float> codeAt(std::size_t at) const;
  double valueAt(std::size_t at) const;
  std::pair<std::int32_t, float> code(std::size_t row, std::size_t col) const { return codeAt(place(row, col)); }
  float value(std::size_t row, std::size_t col) const { return static_cast<float>(valueAt(place(row, col))); }
  std::size_t place(std::size_t row, std::size_t col) const;
  /// The place of element `index`, row-major, of a view of any dimensions.
  std::size_t placeOf(std::size_t index) const;

  OnnxWeight transposed(std::span<const std::int64_t> perm) const;
  /// Entries first, first + step, … of a dimension.
  OnnxWeight slice(std::size_t dimension, std::int64_t first, std::int64_t entries, std::int64_t step = 1) const;
  /// Nothing when the view would need its values moved.
  std::optional<OnnxWeight> reshaped(const OnnxDims &to) const;
};

struct OnnxModel {
  EncoderGraph graph;
  std::map<std::string, OnnxWeight, std::less<>> weights;
  std::vector<std::unique_ptr<OnnxTensor>> computed;
};

/// `outputs` names those that are wanted; empty: all of them.
Result<OnnxModel> readOnnxGraph(const OnnxFile &file, std::span<const std::string> outputs = {});

/// Numbers known for the sample sequence.
struct OnnxConstant {
  OnnxDims dims;
  std::vector<double> values;
  bool isWhole = false; ///< of an integer type, in which divisions truncate
};
/// Larger constants are weights, with which shapes are not computed.
inline constexpr std::size_t kMostFolded = std::size_t{1} << 18;
std::optional<std::size_t> onnxCount(std::span<const std::int64_t> dims, std::size_t most = kMostFolded);
std::optional<OnnxDims> broadcastDims(const OnnxDims &a, const OnnxDims &b, std::size_t most = kMostFolded);
/// A whole number that is safe to convert.
std::int64_t onnxWhole(double value);
std::optional<std::size_t> onnxAxis(std::int64_t axis, std::size_t rank);

/// Results of an operator on constants; nothing when it is none that folds, or the operands do not fit it. An input
/// that is left out is null. No result has more values than `most`.
std::vector<OnnxConstant> foldOnnx(const onnx::NodeProto &node, std::span<const OnnxConstant *const> inputs,
                                   std::size_t most = kMostFolded);
/// One of a single value per element; the same for numbers of any kind.
std::optional<OnnxConstant> foldElementwise(const onnx::NodeProto &node, std::span<const OnnxConstant *const> inputs,
                                            std::size_t most = kMostFolded);

/// The dimensions a Reshape (or Flatten, Squeeze, Unsqueeze) gives to a value of `from`. `numbers` are its second input
/// or null.
std::optional<OnnxDims> onnxReshapedDims(const onnx::NodeProto &node, const OnnxDims &from,
                                         const OnnxConstant *numbers);
/// What a Slice takes along each dimension it names.
struct OnnxRange {
  std::size_t axis;
  std::int64_t first, count, step;
};
std::optional<std::vector<OnnxRange>> onnxRanges(const onnx::NodeProto &node, const OnnxDims &from,
                                                 std::span<const OnnxConstant *const> inputs);
/// Sizes of the parts of a Split.
std::optional<OnnxDims> onnxParts(const onnx::NodeProto &node, std::int64_t size, const OnnxConstant *numbers);

/// An attribute's whole numbers or number; empty or `fallback` when absent.
std::vector<std::int64_t> onnxInts(const onnx::NodeProto &node, std::string_view name);
std::int64_t onnxInt(const onnx::NodeProto &node, std::string_view name, std::int64_t fallback);
double onnxFloat(const onnx::NodeProto &node, std::string_view name, double fallback);
std::string onnxText(const onnx::NodeProto &node, std::string_view name);
bool onnxHas(const onnx::NodeProto &node, std::string_view name);
/// How errors name a node.
std::string onnxNodeName(const onnx::NodeProto &node);

} // namespace lpu::compiler
