// The walk: inputs, nodes in their order, outputs. What cannot be compiled is
// collected and reported together, so that one look shows all of it.

#include "OnnxMatcher.h"

#include "ModelTensors.h"
#include "lpu/compiler/Import/GgufFile.h"

#include <algorithm>
#include <cmath>

namespace lpu::compiler {

std::string onnxNodeName(const onnx::NodeProto &node) {
  std::string name = node.name().empty() && node.output_size() ? node.output(0) : node.name();
  return node.op_type().substr(0, 64) + " (node " + quote(name) + ")";
}

bool OnnxWeight::isConsistent() const {
  if (scales.empty())
    return zeros.empty() && tensor->isFloat();
  bool inside = axis >= 0 && axis < static_cast<std::int64_t>(tensor->dims.size());
  std::size_t entries = inside ? static_cast<std::size_t>(tensor->dims[static_cast<std::size_t>(axis)]) : 1;
  auto fits = [&](std::size_t count) { return count <= 1 || count == entries; };
  return fits(scales.size()) && fits(zeros.size()) && rounds == tensor->isFloat();
}

bool OnnxWeight::hasCodes() const {
  if (scales.empty() || (scales.size() > 1 && tensor->dims.size() == 2 && axis != (transposed ? 1 : 0)))
    return false;
  if (rounds)
    return true;
  bool isSigned = tensor->type == onnx::TensorProto::INT8;
  return std::ranges::all_of(zeros, [&](std::int32_t zero) { return isSigned ? zero == 0 : zero == 128; });
}

std::pair<std::int32_t, float> OnnxWeight::code(std::size_t row, std::size_t col) const {
  std::size_t at = index(row, col), entry = tensor->dims.size() < 2 || (axis == 0) == transposed ? col : row;
  float scale = scales.size() > 1 ? scales[entry] : scales[0];
  std::int32_t zero = zeros.empty() ? 0 : zeros.size() > 1 ? zeros[entry] : zeros[0];
  double value = tensor->at(at);
  if (!rounds)
    return {static_cast<std::int32_t>(value) - zero, scale};
  double rounded = std::nearbyint(static_cast<double>(static_cast<float>(value) / scale));
  return {static_cast<std::int32_t>(std::clamp<double>(rounded + zero, low, high)) - zero, scale};
}

float OnnxWeight::value(std::size_t row, std::size_t col) const {
  if (scales.empty())
    return static_cast<float>(tensor->at(index(row, col)));
  auto [code, scale] = this->code(row, col);
  return static_cast<float>(code) * scale;
}

Result<OnnxModel> readOnnxGraph(const OnnxFile &file) { return OnnxMatcher(file).run(); }

Result<OnnxModel> OnnxMatcher::run() {
  if (Status read = readInputs(); !read)
    return read.error();
  std::set<const onnx::NodeProto *> needed = neededNodes();
  for (const onnx::NodeProto &node : file.graph().node())
    if (needed.contains(&node))
      visit(node);
  if (!problems.empty()) {
    constexpr std::size_t kShown = 20;
    std::string list;
    for (std::size_t i = 0; i < std::min(problems.size(), kShown); ++i)
      list += (i ? ", " : "") + problems[i];
    if (problems.size() > kShown)
      list += " and " + std::to_string(problems.size() - kShown) + " more";
    return fail("has operators that cannot be compiled: " + list + "; docs/howto/compile-an-encoder.md says what can");
  }
  if (Status taken = takeOutputs(); !taken)
    return taken.error();
  if (Status described = describe(); !described)
    return described.error();
  return std::move(model);
}

Status OnnxMatcher::readInputs() {
  bool hasTokens = false;
  for (const onnx::ValueInfoProto &input : file.graph().input()) {
    if (file.find(input.name()))
      continue;
    const auto &shape = input.type().tensor_type().shape();
    auto fixedDim = [&](int i) { return shape.dim(i).has_dim_value() ? shape.dim(i).dim_value() : 0; };
    if (shape.dim_size() != 2 || fixedDim(0) > 1)
      return fail("input " + quote(input.name()) +
                  " is not of shape [1, tokens]; export the encoder with ids of one sequence as inputs");
    if (std::int64_t tokens = fixedDim(1); tokens > 0) {
      if (tokens > static_cast<std::int64_t>(kMostFolded) || (isFixed && tokens != sample))
        return fail("input " + quote(input.name()) + " has " + std::to_string(tokens) +
                    " tokens, which does not go with the others; export the encoder again");
      sample = tokens, isFixed = true;
    }
  }
  for (const onnx::ValueInfoProto &input : file.graph().input()) {
    if (file.find(input.name()))
      continue;
    auto contains = [&](const char *part) { return input.name().find(part) != std::string::npos; };
    Value value;
    value.dims = {1, sample};
    OnnxConstant numbers{value.dims, std::vector<double>(static_cast<std::size_t>(sample), 1.0)};
    if (contains("mask")) {
      value.form = OnnxForm::Constant;
    } else if (contains("position")) {
      value.form = OnnxForm::Constant;
      for (std::size_t i = 0; i < numbers.values.size(); ++i)
        numbers.values[i] = static_cast<double>(i);
    } else {
      value.form = OnnxForm::Ids;
      value.isType = contains("type") || contains("segment");
      if (!value.isType && std::exchange(hasTokens, true))
        return fail("input " + quote(input.name()) +
                    " is a second sequence of ids; only encoders of one sequence can be compiled");
    }
    if (value.form == OnnxForm::Constant)
      value.constant = std::make_shared<OnnxConstant>(std::move(numbers));
    values[input.name()] = std::move(value);
  }
  return hasTokens ? Status(Ok{}) : fail("has no input of token ids; export an encoder with input_ids");
}

std::set<const onnx::NodeProto *> OnnxMatcher::neededNodes() const {
  std::map<std::string_view, const onnx::NodeProto *> makers;
  for (const onnx::NodeProto &node : file.graph().node())
    for (const std::string &output : node.output())
      makers.try_emplace(output, &node);
  std::set<const onnx::NodeProto *> needed;
  std::vector<std::string_view> wanted;
  for (const auto &output : file.graph().output())
    wanted.push_back(output.name());
  while (!wanted.empty()) {
    auto maker = makers.find(wanted.back());
    wanted.pop_back();
    if (maker != makers.end() && needed.insert(maker->second).second)
      for (const std::string &input : maker->second->input())
        wanted.push_back(input);
  }
  return needed;
}

void OnnxMatcher::visit(const onnx::NodeProto &node) {
  Match match = valueOf(node);
  for (const std::string &output : node.output())
    if (!values.contains(output)) // rules with several results have entered the others
      values[output] = match ? *match : Value();
}

/// The node's first result; nothing after a problem, or when an operand had one.
OnnxMatcher::Match OnnxMatcher::valueOf(const onnx::NodeProto &node) {
  static const Value kAbsent;
  auto fail = [&](const std::string &more = "") {
    problems.push_back(onnxNodeName(node) + more);
    return std::nullopt;
  };
  std::vector<const Value *> in;
  for (const std::string &name : node.input()) {
    auto known = values.find(name);
    if (known == values.end())
      if (const OnnxTensor *tensor = file.find(name)) {
        Value value;
        value.form = OnnxForm::Tensor, value.dims = tensor->dims;
        value.weight.emplace().tensor = tensor;
        known = values.emplace(name, std::move(value)).first;
      }
    if (known == values.end() && !name.empty())
      return fail(" takes " + quote(name) + ", which nothing before it makes");
    in.push_back(name.empty() ? &kAbsent : &known->second);
  }
  auto rule = rules().find(node.op_type());
  bool foreign = !node.domain().empty() && node.domain() != "ai.onnx" &&
                 !(node.domain() == "com.microsoft" && node.op_type().ends_with("Gelu"));
  if (rule == rules().end() || foreign)
    return fail();
  // What depends on a value that was reported already says nothing new.
  for (std::size_t i = 0; i < in.size(); ++i)
    if (in[i]->form == OnnxForm::Unknown && !node.input(static_cast<int>(i)).empty())
      return std::nullopt;
  if (auto folded = fold(node, in)) {
    Value value;
    value.form = OnnxForm::Constant, value.dims = folded->dims;
    value.constant = std::make_shared<OnnxConstant>(std::move(*folded));
    return value;
  }
  Match match = rule->second ? (this->*rule->second)(node, in) : std::nullopt;
  return match ? match : fail();
}

std::optional<OnnxConstant> OnnxMatcher::fold(const onnx::NodeProto &node, Inputs in) {
  if (node.op_type() == "Constant" || node.op_type() == "Identity" || node.op_type() == "QuantizeLinear" ||
      node.op_type() == "DequantizeLinear")
    return std::nullopt;
  if (node.op_type() == "Gather" && !in.empty() && in[0]->form == OnnxForm::Tensor && in[0]->dims.size() == 2 &&
      in[0]->weight->tensor->type != onnx::TensorProto::INT64)
    return std::nullopt; // a table of embeddings, however small
  std::vector<const OnnxConstant *> constants;
  for (const Value *value : in) {
    if (value->form == OnnxForm::Unknown)
      continue; // an optional input left out
    const OnnxConstant *constant = numbers(*value);
    if (!constant)
      return std::nullopt;
    constants.push_back(constant);
  }
  return foldOnnx(node, constants);
}

Status OnnxMatcher::takeOutputs() {
  for (const auto &output : file.graph().output()) {
    auto value = values.find(output.name());
    auto node = value == values.end() ? std::nullopt : rows(value->second);
    if (!node)
      return fail(
          "output " + quote(output.name()) +
          " is no vector of every token or of the first one; export the encoder with its hidden states as outputs");
    model.graph.outputs.push_back({output.name(), *node});
  }
  if (model.graph.outputs.empty())
    return fail("has no outputs; export the encoder again");
  return Ok{};
}

/// Sizes of the whole, and that everything asked for is within what the compiler admits.
Status OnnxMatcher::describe() {
  EncoderGraph &graph = model.graph;
  for (const EncoderNode &node : graph.nodes) {
    graph.layers += node.kind == EncoderNode::Kind::Attention;
    if (node.width > kMaxWidth)
      return fail("a vector has " + std::to_string(node.width) + " elements, at most " + std::to_string(kMaxWidth) +
                  " are possible");
    if (node.kind != EncoderNode::Kind::Embedding)
      continue;
    std::uint32_t positions = model.weights.at(node.bias).rows();
    graph.maxTokens = isFixed ? std::min(positions, static_cast<std::uint32_t>(sample)) : positions;
    graph.vocabulary = model.weights.at(node.weight).rows();
    graph.tokenTypes = node.types.empty() ? 0 : model.weights.at(node.types).rows();
  }
  if (graph.vocabulary == 0 || graph.layers == 0)
    return fail("is no encoder transformer: there are no embeddings or no attention in it");
  if (graph.vocabulary > kMaxVocabulary)
    return fail("has a vocabulary of " + std::to_string(graph.vocabulary) + ", at most " +
                std::to_string(kMaxVocabulary) + " are possible");
  return Ok{};
}

} // namespace lpu::compiler
