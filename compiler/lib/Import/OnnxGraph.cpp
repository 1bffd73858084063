// The walk: inputs, nodes in their order, outputs. What cannot be compiled is
// collected and reported together, so that one look shows all of it.

#include "OnnxMatcher.h"

#include "ModelTensors.h"
#include "lpu/compiler/Import/GgufFile.h"

#include <algorithm>
#include <cmath>

namespace lpu::compiler {
namespace {

using Form = OnnxForm;
using Kind = EncoderNode::Kind;

/// Values that a node takes, those inside of its branches included.
void addInputs(const onnx::NodeProto &node, std::vector<std::string_view> &to, int depth = 0) {
  to.insert(to.end(), node.input().begin(), node.input().end());
  for (const auto &attribute : node.attribute())
    if (attribute.has_g() && depth < 8) {
      for (const onnx::NodeProto &inner : attribute.g().node())
        addInputs(inner, to, depth + 1);
      for (const auto &output : attribute.g().output())
        to.push_back(output.name());
    }
}

std::string quoted(std::span<const std::string> names) {
  std::string list;
  for (std::size_t i = 0; i < names.size(); ++i)
    list += (i == 0 ? "" : i + 1 == names.size() ? " and " : ", ") + quote(names[i]);
  return list;
}

} // namespace

std::string onnxNodeName(const onnx::NodeProto &node) {
  std::string name = node.name().empty() && node.output_size() ? node.output(0) : node.name();
  return node.op_type().substr(0, 64) + " (node " + quote(name) + ")";
}

/// What is found must not depend on the length of the sample, unless the graph has one length only.
Result<OnnxModel> readOnnxGraph(const OnnxFile &file, std::span<const std::string> outputs) {
  OnnxMatcher matcher(file, outputs, 7);
  auto model = matcher.run();
  if (!model || matcher.isFixedLength())
    return model;
  auto other = OnnxMatcher(file, outputs, 11).run();
  if (!other)
    return other;
  if (model->graph.nodes != other->graph.nodes || model->graph.outputs != other->graph.outputs)
    return Error{file.path(), "has factors or tables that depend on the number of tokens; export it again, for "
                              "sequences of a fixed length"};
  return model;
}

Result<OnnxModel> OnnxMatcher::run() {
  if (Status read = readInputs(); !read)
    return read.error();
  if (Status chosen = chooseOutputs(); !chosen)
    return chosen.error();
  budget = (std::size_t{1} << 22) + 4 * file.valueCount();
  std::set<const onnx::NodeProto *> needed = neededNodes(outputs);
  for (const onnx::NodeProto &node : file.graph().node())
    if (needed.contains(&node))
      visit(node);
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
      if (tokens < 2 || tokens > static_cast<std::int64_t>(kMostFolded) || (isFixed && tokens != sample))
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
    OnnxConstant numbers{value.dims, std::vector<double>(static_cast<std::size_t>(sample), 1.0), true};
    if (contains("mask")) {
      value.form = Form::Constant;
    } else if (contains("position")) {
      value.form = Form::Constant;
      for (std::size_t i = 0; i < numbers.values.size(); ++i)
        numbers.values[i] = static_cast<double>(i);
    } else {
      value.form = Form::Ids;
      value.axes = {{}, {{OnnxAtom::Kind::Token, sample}}};
      value.isType = contains("type") || contains("segment");
      if (!value.isType && std::exchange(hasTokens, true))
        return fail("input " + quote(input.name()) +
                    " is a second sequence of ids by its name (\"mask\", \"position\", \"type\" and \"segment\" tell "
                    "the others); only encoders of one sequence can be compiled");
    }
    if (value.form == Form::Constant)
      value.constant = std::make_shared<OnnxConstant>(std::move(numbers));
    enter(input.name(), std::move(value));
  }
  return hasTokens ? Status(Ok{}) : fail("has no input of token ids; export an encoder with input_ids");
}

Status OnnxMatcher::chooseOutputs() {
  std::vector<std::string> all;
  for (const auto &output : file.graph().output())
    if (std::ranges::find(all, output.name()) == all.end())
      all.push_back(output.name());
  for (const std::string &name : wanted)
    if (std::ranges::find(all, name) == all.end())
      return fail("has no output " + quote(name) + "; it has " + quoted(all));
  for (const std::string &name : all)
    if (wanted.empty() || std::ranges::find(wanted, name) != wanted.end())
      outputs.push_back(name);
  return outputs.empty() ? fail("has no outputs; export the encoder again") : Status(Ok{});
}

std::set<const onnx::NodeProto *> OnnxMatcher::neededNodes(std::span<const std::string> names) const {
  std::map<std::string_view, const onnx::NodeProto *> makers;
  for (const onnx::NodeProto &node : file.graph().node())
    for (const std::string &output : node.output())
      makers.try_emplace(output, &node);
  std::set<const onnx::NodeProto *> needed;
  std::vector<std::string_view> open(names.begin(), names.end());
  while (!open.empty()) {
    auto maker = makers.find(open.back());
    open.pop_back();
    if (maker != makers.end() && needed.insert(maker->second).second)
      addInputs(*maker->second, open);
  }
  return needed;
}

void OnnxMatcher::enter(const std::string &name, Value value) {
  if (value.label.empty())
    value.label = name;
  if (!name.empty())
    values.try_emplace(name, std::move(value));
}

void OnnxMatcher::visit(const onnx::NodeProto &node) {
  outer = depth ? outer : &node;
  if (node.op_type() == "If")
    return visitBranch(node);
  Match match = valueOf(node);
  if (match)
    match->maker = &node, match->label.clear();
  for (const std::string &output : node.output()) // rules with several results have entered the others
    enter(output, match ? *match : Value());
}

/// A condition that is known leaves one branch, whose nodes are as good as those around it.
void OnnxMatcher::visitBranch(const onnx::NodeProto &node) {
  auto condition = values.find(node.input_size() == 1 ? node.input(0) : "");
  auto number = condition == values.end() ? std::nullopt : uniform(condition->second);
  for (const auto &attribute : node.attribute()) {
    if (!number || depth > 4 || attribute.name() != (*number != 0 ? "then_branch" : "else_branch") ||
        attribute.g().output_size() != node.output_size())
      continue;
    ++depth;
    for (const onnx::NodeProto &inner : attribute.g().node())
      visit(inner);
    --depth;
    for (int i = 0; i < node.output_size(); ++i) {
      auto result = values.find(attribute.g().output(i).name());
      enter(node.output(i), result == values.end() ? Value() : result->second);
    }
    return;
  }
  problems.emplace_back(outer, onnxNodeName(node));
  for (const std::string &output : node.output())
    enter(output, Value());
}

/// The node's first result; nothing after a problem, or when an operand had one.
OnnxMatcher::Match OnnxMatcher::valueOf(const onnx::NodeProto &node) {
  static const Value kAbsent;
  std::vector<const Value *> in;
  auto fail = [&](const std::string &more = "") {
    // An activation that is not known shows where something takes its result.
    const onnx::NodeProto *blamed = &node;
    for (const Value *value : in)
      if (value->form == Form::Rows && value->curve && value->maker && !activationOf(value->curve))
        blamed = value->maker;
    problems.emplace_back(outer, onnxNodeName(*blamed) + more);
    return std::nullopt;
  };
  for (const std::string &name : node.input()) {
    auto known = values.find(name);
    if (known == values.end())
      if (const OnnxTensor *tensor = file.find(name)) {
        Value value;
        value.form = Form::Tensor, value.dims = tensor->dims, value.weight = OnnxWeight(*tensor);
        enter(name, std::move(value));
        known = values.find(name);
      }
    if (known == values.end() && !name.empty())
      return fail(" takes " + quote(name) + ", which nothing before it makes");
    in.push_back(name.empty() ? &kAbsent : &known->second);
  }
  bool isForeign = !node.domain().empty() && node.domain() != "ai.onnx" && node.domain() != "lpu";
  if (isForeign || !rules().contains(node.op_type()))
    return fail();
  // What depends on a value that was reported already says nothing new.
  for (std::size_t i = 0; i < in.size(); ++i)
    if (in[i]->form == Form::Unknown && !node.input(static_cast<int>(i)).empty())
      return std::nullopt;
  // Views of tensors stay views of the file; all else that is constant is computed.
  bool isView = !in.empty() && in[0]->form == Form::Tensor && node.op_type() != "Shape";
  if (isView)
    if (Match match = visitRule(node, in))
      return match;
  if (fold(node, in))
    return values.at(node.output(0));
  Match match = isView ? std::nullopt : visitRule(node, in);
  return match ? match : fail();
}

OnnxMatcher::Match OnnxMatcher::visitRule(const onnx::NodeProto &node, Inputs in) {
  if (in.empty() && node.op_type() != "Constant") // broken: rules read their first input
    return std::nullopt;
  auto rule = rules().find(node.op_type());
  return rule->second ? (this->*rule->second)(node, in) : std::nullopt;
}

/// Computes a node of constants and enters its results. Weights may be computed, too, but nothing grows beyond them.
bool OnnxMatcher::fold(const onnx::NodeProto &node, Inputs in) {
  const std::string &op = node.op_type();
  if (op == "Constant" || op == "QuantizeLinear" || op == "DequantizeLinear" || op == "Shape" || in.empty() ||
      node.output_size() == 0)
    return false;
  std::size_t most = kMostFolded;
  for (const Value *value : in) {
    if (value->form != Form::Unknown && value->form != Form::Constant && value->form != Form::Tensor)
      return false;
    if (value->form != Form::Unknown)
      most = std::max(most, onnxCount(value->dims, budget).value_or(0));
  }
  std::vector<const OnnxConstant *> constants;
  for (const Value *value : in) {
    const OnnxConstant *constant = value->form == Form::Unknown ? nullptr : numbers(*value, std::min(most, budget));
    if (!constant && value->form != Form::Unknown)
      return false;
    constants.push_back(constant);
  }
  std::vector<OnnxConstant> folded = foldOnnx(node, constants, std::min(most, budget));
  for (std::size_t i = 0; i < folded.size() && i < static_cast<std::size_t>(node.output_size()); ++i) {
    Value value;
    value.form = Form::Constant, value.dims = folded[i].dims;
    budget -= std::min(budget, folded[i].values.size());
    value.constant = std::make_shared<OnnxConstant>(std::move(folded[i]));
    enter(node.output(static_cast<int>(i)), std::move(value));
  }
  return !folded.empty() && values.contains(node.output(0));
}

/// Rows of every token, or of the sequence, in any shape that keeps their order.
bool OnnxMatcher::takeOutput(const std::string &name) {
  auto value = values.find(name);
  auto node = value == values.end() ? std::nullopt : rows(value->second);
  if (!node)
    return false;
  for (const OnnxAxis &axis : value->second.axes)
    if (axis.size() > 1 && axis[0].kind == OnnxAtom::Kind::Token)
      return false;
  model.graph.outputs.emplace_back(name, *node);
  return true;
}

/// All of them, or an error that says of each what is in its way, and how to get the others.
Status OnnxMatcher::takeOutputs() {
  std::vector<std::string> good;
  std::map<std::string, std::vector<std::string>> bad; // by what is in the way
  for (const std::string &name : outputs) {
    std::vector<std::string> only = {name};
    std::set<const onnx::NodeProto *> needed = neededNodes(only);
    std::string list;
    std::size_t count = 0;
    constexpr std::size_t kShown = 20;
    for (const auto &[node, text] : problems)
      if (needed.contains(node) && ++count <= kShown)
        list += (list.empty() ? "" : ", ") + text;
    if (count > kShown)
      list += " and " + std::to_string(count - kShown) + " more";
    if (count == 0 && takeOutput(name))
      good.push_back(name);
    else
      bad[list].push_back(name);
  }
  if (bad.empty())
    return Ok{};
  std::string message;
  for (const auto &[list, names] : bad) {
    message += (message.empty() ? "" : "; ") + ("output" + std::string(names.size() > 1 ? "s " : " ")) + quoted(names);
    bool isOne = names.size() == 1;
    message += list.empty() ? (isOne ? " is" : " are") + std::string(" no vector of every token or of the sequence")
                            : (isOne ? " needs" : " need") + (" operators that cannot be compiled: " + list);
  }
  if (good.empty())
    return fail(message + "; docs/howto/compile-an-encoder.md says what can");
  std::string rest;
  for (const std::string &name : good)
    rest += (rest.empty() ? "" : ",") + name;
  return fail(message + "; leave out with --output-names=" + rest);
}

/// Sizes of the whole, and that everything asked for is within what the compiler admits.
Status OnnxMatcher::describe() {
  EncoderGraph &graph = model.graph;
  for (const EncoderNode &node : graph.nodes) {
    graph.layers += node.kind == Kind::Attention;
    if (node.width > kMaxWidth)
      return fail("a vector has " + std::to_string(node.width) + " elements, at most " + std::to_string(kMaxWidth) +
                  " are possible");
    if (node.kind != Kind::Embedding)
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
