// The walk over an ONNX graph: what is known about each of its values. Internal to OnnxGraph.
#pragma once

#include "OnnxGraph.h"

#include <set>

namespace lpu::compiler {

/// What a value of the file's graph is. Where a form speaks of x, `node` is x.
enum class OnnxForm : std::uint8_t {
  Unknown,
  Constant, ///< `constant`
  Tensor,   ///< `weight`, seen with `dims`
  Ids,      ///< token ids, or with `isType` token types
  Embedded, ///< sum of table rows: `words`, `types`, `positions`, as far as not empty
  Rows,     ///< x·factor, arranged as `view` says
  Mean,
  Centered,
  Square,
  Variance,
  Deviation,
  InverseDeviation,
  Normalized,
  Scaled, ///< steps of a layer norm of x, with `eps` and `gains`
  Erf,
  ErfPlusOne, ///< of x/√2
  Cube,
  Inner,
  InnerTanh,
  InnerTanhPlusOne, ///< factor·x³; factor·(x + 0.044715·x³); its tanh
  Scores,
  Probabilities, ///< of queries x and keys `other`, the products times `factor`
  Codes,         ///< `inner` as codes of `fixed`
  DynamicCodes,
  DynamicScale,
  DynamicZero,
  Products, ///< codes of x; their scale times `scales`; sums of products with `weight`
};

/// How tokens [L, W], W = heads · d, are arranged: as they are, [1, L, heads, d], [1, heads, L, d], [1, heads, d, L].
enum class OnnxView : std::uint8_t { Plain, Heads, HeadsFirst, HeadsLast };

struct OnnxValue {
  OnnxForm form = OnnxForm::Unknown;
  std::vector<std::int64_t> dims;
  std::shared_ptr<const OnnxConstant> constant;
  std::optional<OnnxWeight> weight;
  bool isType = false;
  std::string words, types, positions, gains;
  std::size_t node = 0, other = 0;
  double factor = 1, eps = 0;
  OnnxView view = OnnxView::Plain;
  std::uint32_t heads = 0;
  std::optional<FixedScale> fixed; ///< Rows and Codes: what QuantizeLinear makes of it
  std::int32_t zero = 0;
  std::vector<float> scales;
  std::shared_ptr<const OnnxValue> inner;
};

class OnnxMatcher {
public:
  explicit OnnxMatcher(const OnnxFile &opened) : file(opened) {}
  Result<OnnxModel> run();

private:
  using Value = OnnxValue;
  using Match = std::optional<Value>;
  using Inputs = std::span<const Value *const>;
  using Rule = Match (OnnxMatcher::*)(const onnx::NodeProto &, Inputs);
  static const std::map<std::string_view, Rule> &rules();

  Status readInputs();
  std::set<const onnx::NodeProto *> neededNodes() const;
  void visit(const onnx::NodeProto &node);
  Match valueOf(const onnx::NodeProto &node);
  std::optional<OnnxConstant> fold(const onnx::NodeProto &node, Inputs in);
  Status takeOutputs();
  Status describe();
  Error fail(const std::string &message) const { return {file.path(), message}; }

  // OnnxRules.cpp: one rule per operator, of what is not constant; nothing: not a form the compiler knows.
  Match shapeOf(const onnx::NodeProto &node, Inputs in);
  Match same(const onnx::NodeProto &node, Inputs in);
  Match add(const onnx::NodeProto &node, Inputs in);
  Match sub(const onnx::NodeProto &node, Inputs in);
  Match mul(const onnx::NodeProto &node, Inputs in);
  Match div(const onnx::NodeProto &node, Inputs in);
  Match pow(const onnx::NodeProto &node, Inputs in);
  Match sqrt(const onnx::NodeProto &node, Inputs in);
  Match reciprocal(const onnx::NodeProto &node, Inputs in);
  Match reduceMean(const onnx::NodeProto &node, Inputs in);
  Match layerNormalization(const onnx::NodeProto &node, Inputs in);
  Match erf(const onnx::NodeProto &node, Inputs in);
  Match tanh(const onnx::NodeProto &node, Inputs in);
  Match gelu(const onnx::NodeProto &node, Inputs in);
  Match where(const onnx::NodeProto &node, Inputs in);
  // OnnxRules2.cpp: what moves values, and products.
  Match gather(const onnx::NodeProto &node, Inputs in);
  Match slice(const onnx::NodeProto &node, Inputs in);
  Match reshape(const onnx::NodeProto &node, Inputs in);
  Match squeeze(const onnx::NodeProto &node, Inputs in);
  Match transpose(const onnx::NodeProto &node, Inputs in);
  Match matMul(const onnx::NodeProto &node, Inputs in);
  Match gemm(const onnx::NodeProto &node, Inputs in);
  Match softmax(const onnx::NodeProto &node, Inputs in);
  Match dynamicQuantize(const onnx::NodeProto &node, Inputs in);
  Match matMulInteger(const onnx::NodeProto &node, Inputs in);
  Match quantize(const onnx::NodeProto &node, Inputs in);
  Match dequantize(const onnx::NodeProto &node, Inputs in);
  Match constantNode(const onnx::NodeProto &node, Inputs in);

  /// Numbers of a constant or a small tensor; null when it is neither.
  const OnnxConstant *numbers(const Value &value);
  std::optional<double> scalar(const Value &value);
  /// All of a value is x, unarranged.
  std::optional<std::size_t> rows(const Value &value);
  /// A vector of `width` values as a tensor of the store.
  std::optional<std::string> vector(const Value &value, std::uint32_t width);
  std::string keep(const OnnxWeight &weight);
  Match linear(const Value &input, const Value &matrix, bool matrixTransposed, std::vector<std::int64_t> dims);
  Value rowsOf(EncoderNode node, std::vector<std::int64_t> dims);
  Value rowsAt(std::size_t node, std::vector<std::int64_t> dims);
  Match normalized(Value value, const Value &gains, bool isOffset);
  Match geluOf(std::size_t node, double factor, bool approximate, const std::vector<std::int64_t> &dims);
  Match productOf(const Value &a, const Value &b);
  Match withBias(const Value &value, const Value &bias);

  const OnnxFile &file;
  OnnxModel model;
  std::int64_t sample = 7; ///< tokens of the sample sequence
  bool isFixed = false;    ///< the graph takes sequences of that length alone
  std::map<std::string, Value, std::less<>> values;
  std::map<std::string, std::shared_ptr<const OnnxConstant>, std::less<>> decoded; ///< small tensors
  std::vector<std::string> problems;
};

} // namespace lpu::compiler
