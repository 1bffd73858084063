// The walk over an ONNX graph: what is known about each of its values. Internal to OnnxGraph.
#pragma once

#include "OnnxCurves.h"
#include "OnnxGraph.h"

#include <set>

namespace lpu::compiler {

/// What a value of the file's graph is. Where a form speaks of x, `node` is x. Forms up to Probabilities have a curve.
enum class OnnxForm : std::uint8_t {
  Rows,          ///< x
  Centered,      ///< x less its mean
  Variance,      ///< of x
  SquareSum,     ///< of x, over its elements
  TokenSum,      ///< of x, over the tokens
  Scores,        ///< products of queries x and keys `other`
  Probabilities, ///< softmax of `factor` times those
  Unknown,
  Constant,   ///< `constant`
  Tensor,     ///< `weight`
  Ids,        ///< token ids, or with `isType` token types
  Embedded,   ///< sum of table rows: `words`, `types`, `positions`, as far as not empty
  Mean,       ///< of x, over its elements
  Normalized, ///< x less its mean, over its deviation, with `eps`
  Scaled,     ///< the same times `gains`
  Codes,      ///< `inner` as codes of `fixed`
  DynamicCodes,
  DynamicScale,
  DynamicZero,
  Products, ///< codes of x; their scale times `scales`; sums of products with `weight`
};

/// A factor of a dimension. Elements of a row of x that are `stride` apart; the others number tokens and heads.
struct OnnxAtom {
  enum class Kind : std::uint8_t { Token, Key, Head, Element } kind;
  std::int64_t size, stride = 1;
  bool operator==(const OnnxAtom &) const = default;
};
/// What a dimension runs over, outermost first; empty: nothing, it is 1.
using OnnxAxis = std::vector<OnnxAtom>;

struct OnnxValue {
  OnnxForm form = OnnxForm::Unknown;
  OnnxDims dims;
  std::vector<OnnxAxis> axes; ///< one for each dimension, of values that depend on the ids
  OnnxCurve curve;            ///< null: the value itself
  mutable std::shared_ptr<const OnnxConstant> constant;
  std::optional<OnnxWeight> weight, words, types, positions, gains;
  std::optional<OnnxWeight> table; ///< Tensor: the rows it was sliced from, to their end
  bool isType = false;
  std::size_t node = 0, other = 0;
  double factor = 1, eps = 0;
  std::optional<FixedScale> fixed; ///< Rows and Codes: what QuantizeLinear makes of it
  std::int32_t zero = 0;
  std::vector<float> scales;
  std::shared_ptr<const OnnxValue> inner;
  const onnx::NodeProto *maker = nullptr;
  std::string label{}; ///< Constant: what it is called as a tensor

  bool hasCurve() const { return form <= OnnxForm::Probabilities; }
};

class OnnxMatcher {
public:
  OnnxMatcher(const OnnxFile &opened, std::span<const std::string> outputs, std::int64_t tokens)
      : file(opened), wanted(outputs), sample(tokens) {}
  Result<OnnxModel> run();
  bool isFixedLength() const { return isFixed; }

private:
  using Value = OnnxValue;
  using Match = std::optional<Value>;
  using Inputs = std::span<const Value *const>;
  using Rule = Match (OnnxMatcher::*)(const onnx::NodeProto &, Inputs);
  /// By operator; null where only constants have one.
  static const std::map<std::string_view, Rule> &rules();

  Status readInputs();
  Status chooseOutputs();
  /// Nodes that one of the outputs depends on.
  std::set<const onnx::NodeProto *> neededNodes(std::span<const std::string> outputs) const;
  void visit(const onnx::NodeProto &node);
  void visitBranch(const onnx::NodeProto &node);
  Match valueOf(const onnx::NodeProto &node);
  Match visitRule(const onnx::NodeProto &node, Inputs in);
  bool fold(const onnx::NodeProto &node, Inputs in);
  void enter(const std::string &name, Value value);
  bool takeOutput(const std::string &name);
  Status takeOutputs();
  Status describe();
  Error fail(const std::string &message) const { return {file.path(), message}; }

  // OnnxRules.cpp: one rule per operator, of what is not constant; nothing: not a form the compiler knows.
  Match elementwise(const onnx::NodeProto &node, Inputs in);
  Match same(const onnx::NodeProto &node, Inputs in);
  Match add(const onnx::NodeProto &node, Inputs in);
  Match sub(const onnx::NodeProto &node, Inputs in);
  Match mul(const onnx::NodeProto &node, Inputs in);
  Match div(const onnx::NodeProto &node, Inputs in);
  Match where(const onnx::NodeProto &node, Inputs in);
  Match equal(const onnx::NodeProto &node, Inputs in);
  Value zerosLike(const Value &ids) const;
  Match reduce(const onnx::NodeProto &node, Inputs in);
  Match layerNormalization(const onnx::NodeProto &node, Inputs in);
  Match lpNormalization(const onnx::NodeProto &node, Inputs in);
  // OnnxMoves.cpp: what moves values.
  Match shapeOf(const onnx::NodeProto &node, Inputs in);
  Match gather(const onnx::NodeProto &node, Inputs in);
  Match slice(const onnx::NodeProto &node, Inputs in);
  Match split(const onnx::NodeProto &node, Inputs in);
  Match reshape(const onnx::NodeProto &node, Inputs in);
  Match transpose(const onnx::NodeProto &node, Inputs in);
  Match transposeLast(const onnx::NodeProto &node, Inputs in);
  Match expand(const onnx::NodeProto &node, Inputs in);
  Match constantNode(const onnx::NodeProto &node, Inputs in);
  // OnnxProducts.cpp
  Match matMul(const onnx::NodeProto &node, Inputs in);
  Match gemm(const onnx::NodeProto &node, Inputs in);
  Match softmax(const onnx::NodeProto &node, Inputs in);
  Match attentionBias(const onnx::NodeProto &node, Inputs in);
  Match attentionMask(const onnx::NodeProto &node, Inputs in);
  // OnnxQuantized.cpp
  Match dynamicQuantize(const onnx::NodeProto &node, Inputs in);
  Match matMulInteger(const onnx::NodeProto &node, Inputs in);
  Match quantize(const onnx::NodeProto &node, Inputs in);
  Match dequantize(const onnx::NodeProto &node, Inputs in);

  /// Numbers of a constant or a small tensor; null when it is neither.
  const OnnxConstant *numbers(const Value &value, std::size_t most = kMostFolded / 16);
  std::optional<double> scalar(const Value &value);
  /// The one number that all entries of a constant are.
  std::optional<double> uniform(const Value &value);
  /// A constant as a tensor.
  std::optional<OnnxWeight> weightOf(const Value &value);
  /// The name under which the store has a tensor from now on, in one of its uses.
  std::string keep(OnnxWeight weight, bool isMatrix);
  /// A vector of `width` values as a tensor of the store.
  std::optional<std::string> vector(const Value &value, std::uint32_t width);
  /// A vector that the file does not have.
  std::string filled(double number, std::uint32_t width);

  /// Enters the node, or finds the one that is the same already.
  std::size_t nodeOf(EncoderNode node);
  /// All of a value is one node's rows in their order, tokens before elements: that node.
  std::optional<std::size_t> rows(const Value &value);
  /// The node that a value of any arrangement is, but for a factor.
  std::optional<std::pair<std::size_t, double>> source(const Value &value);
  std::optional<std::size_t> nodeOfCurve(std::size_t x, const OnnxCurve &curve);
  bool isSingle(std::size_t node) const { return model.graph.nodes[node].isSingle; }
  std::uint32_t width(std::size_t node) const { return model.graph.nodes[node].width; }

  Match linear(const Value &input, const OnnxWeight &matrix);
  Value rowsOf(EncoderNode node, std::vector<OnnxAxis> axes);
  Match first(const Value &value, std::size_t axis, bool keepsAxis);
  Match columns(const Value &value, std::size_t axis, std::int64_t start, std::int64_t count);
  Match meanOverTokens(const Value &value, std::size_t axis, bool keepsAxis);
  Match normalized(const Value &value, const Value &operand, bool isOffset);
  Match overDeviation(const Value &a, const Value &b, bool isInverse);
  Match embeddedSum(const Value &a, const Value &b);
  Match withBias(const Value &value, const Value &bias);
  std::optional<std::size_t> nodeWithBias(std::size_t node, const Value &bias);
  Match dynamicProduct(const Value &products, const Value &scale);
  Match scoresOf(const Value &queries, const Value &keys);
  Match mixed(const Value &probabilities, const Value &values);

  const OnnxFile &file;
  std::span<const std::string> wanted;
  OnnxModel model;
  std::int64_t sample;  ///< tokens of the sample sequence
  bool isFixed = false; ///< the graph takes sequences of that length alone
  std::map<std::string, Value, std::less<>> values;
  std::map<std::string, bool> isMatrixOf; ///< names in the store
  std::vector<std::string> outputs;       ///< those that are wanted, in the file's order
  std::vector<std::pair<const onnx::NodeProto *, std::string>> problems;
  std::size_t budget = 0;                 ///< values that may still be folded
  int depth = 0;                          ///< of branches under way
  const onnx::NodeProto *outer = nullptr; ///< the node of the graph that is visited, or whose branch is
};

/// The axes of a value whose dimensions become `dims`; nothing when these cut across what the axes run over.
std::optional<std::vector<OnnxAxis>> regroup(const std::vector<OnnxAxis> &axes, const OnnxDims &dims);
/// Dimensions of axes.
OnnxDims dimsOf(const std::vector<OnnxAxis> &axes);
/// All atoms in order, neighbours joined.
OnnxAxis flatten(const std::vector<OnnxAxis> &axes);

} // namespace lpu::compiler
