// Fused operators, taken apart. What depends on shapes is left to operators on shapes,
// which the matcher computes anyway; two operators of the importer's own (domain lpu)
// stand for what needs the rank, and for masks whose form depends on it.

#include "OnnxExpand.h"

#include "lpu/compiler/Import/GgufFile.h"

#include <algorithm>
#include <map>
#include <string_view>
#include <vector>

namespace lpu::compiler {
namespace {

using Names = std::vector<std::string>;

class Expander {
public:
  /// Appends what a node stands for, or the node itself.
  void expand(onnx::NodeProto &node) {
    source = &node;
    bool isForeign = node.domain() == "com.microsoft";
    const auto &table = isForeign ? microsoft() : standard();
    auto rule = table.find(node.op_type());
    if (rule != table.end() && node.output_size() > 0 && (this->*rule->second)())
      return;
    nodes.emplace_back().Swap(&node);
  }
  std::vector<onnx::NodeProto> nodes;

private:
  using Rule = bool (Expander::*)();
  static const std::map<std::string_view, Rule> &microsoft();
  static const std::map<std::string_view, Rule> &standard();

  std::string in(int i) const { return source->input_size() > i ? source->input(i) : ""; }
  std::string out(int i) const { return source->output_size() > i ? source->output(i) : ""; }
  bool has(int i) const { return !in(i).empty(); }
  const onnx::AttributeProto *attribute(std::string_view name) const {
    for (const auto &a : source->attribute())
      if (a.name() == name)
        return &a;
    return nullptr;
  }
  std::int64_t whole(std::string_view name, std::int64_t otherwise) const {
    const auto *a = attribute(name);
    return a ? a->i() : otherwise;
  }
  float real(std::string_view name, float otherwise) const {
    const auto *a = attribute(name);
    return a ? a->f() : otherwise;
  }

  std::string fresh() { return out(0) + "/expanded." + std::to_string(++count); }
  /// A node with one result, of the name `result` or a new one.
  std::string make(const std::string &op, const Names &inputs, const std::string &result = "") {
    onnx::NodeProto &node = nodes.emplace_back();
    node.set_op_type(op), node.set_name(source->name().empty() ? out(0) : source->name());
    for (const std::string &input : inputs)
      node.add_input(input);
    node.add_output(result.empty() ? fresh() : result);
    return node.output(0);
  }
  onnx::AttributeProto &attach(const std::string &name, onnx::AttributeProto::AttributeType type) {
    onnx::AttributeProto &a = *nodes.back().add_attribute();
    a.set_name(name), a.set_type(type);
    return a;
  }
  void attach(const std::string &name, std::int64_t value) { attach(name, onnx::AttributeProto::INT).set_i(value); }
  void attach(const std::string &name, const std::vector<std::int64_t> &values) {
    onnx::AttributeProto &a = attach(name, onnx::AttributeProto::INTS);
    for (std::int64_t v : values)
      a.add_ints(v);
  }
  void attachReal(const std::string &name, float value) { attach(name, onnx::AttributeProto::FLOAT).set_f(value); }
  std::string constant(float value) {
    std::string name = make("Constant", {});
    attachReal("value_float", value);
    return name;
  }
  std::string constants(const std::vector<std::int64_t> &values) {
    std::string name = make("Constant", {});
    attach("value_ints", values);
    return name;
  }
  std::string own(const std::string &op, const Names &inputs) {
    std::string name = make(op, inputs);
    nodes.back().set_domain("lpu");
    return name;
  }
  std::string transpose(const std::string &x, const std::vector<std::int64_t> &perm) {
    std::string name = make("Transpose", {x});
    attach("perm", perm);
    return name;
  }
  std::string softmax(const std::string &x, const std::string &result = "", std::int64_t axis = -1) {
    std::string name = make("Softmax", {x}, result);
    attach("axis", axis);
    return name;
  }
  std::string norm(const Names &inputs, const std::string &result, float eps) {
    std::string name = make("LayerNormalization", inputs, result);
    attachReal("epsilon", real("epsilon", eps));
    return name;
  }
  std::string scaled(const std::string &x, float factor) {
    return factor == 1 ? x : make("Mul", {x, constant(factor)});
  }

  //===-- linears -------------------------------------------------------------------------===//

  bool gemmInto(const std::string &result) {
    std::string a = whole("transA", 0) ? transpose(in(0), {1, 0}) : in(0);
    std::string b = whole("transB", 0) ? transpose(in(1), {1, 0}) : in(1);
    Names inputs = {a, scaled(b, real("alpha", 1))};
    if (has(2))
      inputs.push_back(scaled(in(2), real("beta", 1)));
    make("Gemm", inputs, result);
    return true;
  }
  bool gemm() { return gemmInto(out(0)); }
  bool fusedGemm() {
    const auto *activation = attribute("activation");
    std::string result = activation ? fresh() : out(0);
    gemmInto(result);
    if (activation)
      make(activation->s(), {result}, out(0));
    return true;
  }
  bool fusedMatMul() {
    if (whole("transBatchA", 0) || whole("transBatchB", 0))
      return false;
    std::string a = whole("transA", 0) ? own("TransposeLast", {in(0)}) : in(0);
    std::string b = whole("transB", 0) ? own("TransposeLast", {in(1)}) : in(1);
    float alpha = real("alpha", 1);
    std::string product = make("MatMul", {a, b}, alpha == 1 ? out(0) : "");
    if (alpha != 1)
      make("Mul", {product, constant(alpha)}, out(0));
    return true;
  }
  /// x·(codes of a matrix) + bias; activations are int16 on the chip, so codes of the inputs play no part.
  bool productOfCodes(const std::string &x, const Names &codes, const std::string &bias) {
    std::string product = make("MatMul", {x, make("DequantizeLinear", codes)}, bias.empty() ? out(0) : "");
    if (!bias.empty())
      make("Add", {product, bias}, out(0));
    return true;
  }
  static Names pair(const std::string &codes, const std::string &scale, const std::string &zero) {
    return zero.empty() ? Names{codes, scale} : Names{codes, scale, zero};
  }
  bool dynamicQuantizeMatMul() { return productOfCodes(in(0), pair(in(1), in(2), in(3)), in(4)); }
  bool matMulIntegerToFloat() {
    std::string x = make("DequantizeLinear", pair(in(0), in(2), in(4)));
    return productOfCodes(x, pair(in(1), in(3), in(5)), in(6));
  }
  bool qLinearMatMul() {
    std::string a = make("DequantizeLinear", pair(in(0), in(1), in(2))),
                b = make("DequantizeLinear", pair(in(3), in(4), in(5)));
    make("QuantizeLinear", pair(make("MatMul", {a, b}), in(6), in(7)), out(0));
    return true;
  }
  bool qLinearAdd() {
    std::string a = make("DequantizeLinear", pair(in(0), in(1), in(2))),
                b = make("DequantizeLinear", pair(in(3), in(4), in(5)));
    make("QuantizeLinear", pair(make("Add", {a, b}), in(6), in(7)), out(0));
    return true;
  }

  //===-- activations and norms -----------------------------------------------------------===//

  bool biasGelu() { return make("Gelu", {make("Add", {in(0), in(1)})}, out(0)), true; }
  bool fastGelu() {
    make("Gelu", {has(1) ? make("Add", {in(0), in(1)}) : in(0)}, out(0));
    attach("approximate", onnx::AttributeProto::STRING).set_s("tanh");
    return true;
  }
  bool gelu() { return make("Gelu", {in(0)}, out(0)), true; }
  bool quickGelu() {
    make("Mul", {in(0), make("Sigmoid", {scaled(in(0), real("alpha", 1.702f))})}, out(0));
    return true;
  }
  bool biasSoftmax() { return softmax(make("Add", {in(0), in(1)}), out(0), whole("axis", 1)), true; }
  bool skipLayerNormalization() {
    std::string sum = make("Add", {has(4) ? make("Add", {in(0), in(4)}) : in(0), in(1)}, out(3));
    norm(has(3) ? Names{sum, in(2), in(3)} : Names{sum, in(2)}, out(0), 1e-12f);
    return true;
  }
  bool embedLayerNormalization() {
    std::string ids = in(0), positions = in(8);
    if (positions.empty()) {
      std::string one = constants({1}), length = make("Gather", {make("Shape", {ids}), one});
      std::string zero = make("Squeeze", {constants({0})});
      std::string numbers = make("Range", {zero, make("Squeeze", {length}), make("Squeeze", {one})});
      positions = make("Unsqueeze", {numbers, constants({0})});
    }
    std::string sum = make("Gather", {in(2), ids});
    if (has(4) && has(1))
      sum = make("Add", {sum, make("Gather", {in(4), in(1)})});
    sum = make("Add", {sum, make("Gather", {in(3), positions})}, out(2));
    norm({sum, in(5), in(6)}, out(0), 1e-12f);
    if (!out(1).empty() && has(7)) {
      make("ReduceSum", {in(7), constants({1})}, out(1));
      attach("keepdims", std::int64_t{0});
    }
    return true;
  }

  //===-- attention -----------------------------------------------------------------------===//

  /// [1, tokens, width] to [1, heads, tokens, elements].
  std::string toHeads(const std::string &x, std::int64_t heads) {
    return transpose(make("Reshape", {x, constants({0, 0, heads, -1})}), {0, 2, 1, 3});
  }
  std::string attended(const std::string &q, const std::string &k, const std::string &v, const std::string &mask,
                       const std::string &bias) {
    std::string scores = make("MatMul", {q, own("TransposeLast", {k})});
    if (float scale = real("scale", 0); scale != 0) {
      scores = make("Mul", {scores, constant(scale)});
    } else {
      std::string elements = make("Cast", {make("Gather", {make("Shape", {q}), constants({3})})});
      attach("to", std::int64_t{onnx::TensorProto::FLOAT});
      scores = make("Div", {scores, make("Sqrt", {elements})});
    }
    if (!mask.empty())
      scores = own("AttentionMask", {scores, mask});
    if (!bias.empty())
      scores = own("AttentionBias", {scores, bias});
    return make("MatMul", {softmax(scores), v});
  }
  bool fromHeads(const std::string &x) {
    make("Reshape", {transpose(x, {0, 2, 1, 3}), constants({0, 0, -1})}, out(0));
    return true;
  }
  /// Of queries, keys and values side by side.
  bool attention(const std::string &all, const std::string &mask, const std::string &bias) {
    std::int64_t heads = whole("num_heads", 0);
    if (heads < 1 || whole("unidirectional", 0) || whole("do_rotary", 0))
      return false;
    Names parts = {fresh(), fresh(), fresh()}, inputs = {all};
    if (const auto *sizes = attribute("qkv_hidden_sizes"); sizes && sizes->ints_size() == 3)
      inputs.push_back(constants({sizes->ints(0), sizes->ints(1), sizes->ints(2)}));
    make("Split", inputs, parts[0]);
    nodes.back().add_output(parts[1]), nodes.back().add_output(parts[2]);
    attach("axis", std::int64_t{-1});
    return fromHeads(
        attended(toHeads(parts[0], heads), toHeads(parts[1], heads), toHeads(parts[2], heads), mask, bias));
  }
  std::string biased(const std::string &x, const std::string &bias) {
    return bias.empty() ? x : make("Add", {x, bias});
  }
  bool attention() {
    std::size_t before = nodes.size();
    if (has(4) || !attention(biased(make("MatMul", {in(0), in(1)}), in(2)), in(3), in(5)))
      return nodes.resize(before), false;
    return true;
  }
  bool qAttention() {
    std::size_t before = nodes.size();
    std::string x = make("DequantizeLinear", pair(in(0), in(3), in(6))),
                matrix = make("DequantizeLinear", pair(in(1), in(4), in(7)));
    if (has(8) || !attention(biased(make("MatMul", {x, matrix}), in(2)), in(5), ""))
      return nodes.resize(before), false;
    return true;
  }
  bool multiHeadAttention() {
    std::int64_t heads = whole("num_heads", 0);
    if (heads < 1 || whole("unidirectional", 0) || !has(1) || !has(2) || has(6) || has(7))
      return false;
    Names inputs = {in(0), in(1), in(2)};
    if (has(3)) {
      Names parts = {make("Split", {in(3)}), fresh(), fresh()};
      nodes.back().add_output(parts[1]), nodes.back().add_output(parts[2]);
      for (std::size_t i = 0; i < 3; ++i)
        inputs[i] = make("Add", {inputs[i], parts[i]});
    }
    return fromHeads(
        attended(toHeads(inputs[0], heads), toHeads(inputs[1], heads), toHeads(inputs[2], heads), in(4), in(5)));
  }
  /// ONNX's own, from set 23 on.
  bool standardAttention() {
    std::int64_t heads = whole("q_num_heads", 0);
    if (whole("is_causal", 0) || has(4) || has(5) || real("softcap", 0) != 0 || heads != whole("kv_num_heads", heads))
      return false;
    if (heads > 0)
      return fromHeads(attended(toHeads(in(0), heads), toHeads(in(1), heads), toHeads(in(2), heads), "", in(3)));
    make("Identity", {attended(in(0), in(1), in(2), "", in(3))}, out(0));
    return true;
  }

  onnx::NodeProto *source = nullptr;
  std::size_t count = 0;
};

const std::map<std::string_view, Expander::Rule> &Expander::microsoft() {
  using E = Expander;
  static const std::map<std::string_view, Rule> table = {{"Attention", static_cast<Rule>(&E::attention)},
                                                         {"BiasGelu", &E::biasGelu},
                                                         {"BiasSoftmax", &E::biasSoftmax},
                                                         {"DynamicQuantizeMatMul", &E::dynamicQuantizeMatMul},
                                                         {"EmbedLayerNormalization", &E::embedLayerNormalization},
                                                         {"FastGelu", &E::fastGelu},
                                                         {"FusedGemm", &E::fusedGemm},
                                                         {"FusedMatMul", &E::fusedMatMul},
                                                         {"Gelu", &E::gelu},
                                                         {"MatMulIntegerToFloat", &E::matMulIntegerToFloat},
                                                         {"MultiHeadAttention", &E::multiHeadAttention},
                                                         {"QAttention", &E::qAttention},
                                                         {"QLinearAdd", &E::qLinearAdd},
                                                         {"QuickGelu", &E::quickGelu},
                                                         {"SkipLayerNormalization", &E::skipLayerNormalization},
                                                         {"TransposeMatMul", &E::fusedMatMul}};
  return table;
}

const std::map<std::string_view, Expander::Rule> &Expander::standard() {
  using E = Expander;
  static const std::map<std::string_view, Rule> table = {
      {"Attention", &E::standardAttention}, {"Gemm", &E::gemm}, {"QLinearMatMul", &E::qLinearMatMul}};
  return table;
}

/// What a node waits for, values inside of its branches included.
void addInputs(const onnx::NodeProto &node, std::vector<std::string_view> &to, int depth = 0) {
  to.insert(to.end(), node.input().begin(), node.input().end());
  for (const auto &attribute : node.attribute())
    if (attribute.has_g() && depth < 8)
      for (const onnx::NodeProto &inner : attribute.g().node())
        addInputs(inner, to, depth + 1);
}

/// Numbers of the nodes, each behind those that make what it takes; fewer than there are in a cycle.
std::vector<std::size_t> inOrder(const std::vector<onnx::NodeProto> &nodes) {
  std::map<std::string_view, std::size_t> makers;
  for (std::size_t i = 0; i < nodes.size(); ++i)
    for (const std::string &output : nodes[i].output())
      makers.try_emplace(output, i);
  std::vector<std::size_t> order, waits(nodes.size(), 0);
  std::vector<std::vector<std::size_t>> takers(nodes.size());
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    std::vector<std::string_view> inputs;
    addInputs(nodes[i], inputs);
    for (std::string_view input : inputs)
      if (auto maker = makers.find(input); !input.empty() && maker != makers.end())
        takers[maker->second].push_back(i), ++waits[i];
  }
  std::vector<std::size_t> ready;
  for (std::size_t i = nodes.size(); i-- > 0;)
    if (waits[i] == 0)
      ready.push_back(i);
  while (!ready.empty()) {
    std::size_t next = ready.back();
    ready.pop_back();
    order.push_back(next);
    for (std::size_t k = takers[next].size(); k-- > 0;)
      if (--waits[takers[next][k]] == 0)
        ready.push_back(takers[next][k]);
  }
  return order;
}

} // namespace

std::string expandOnnx(onnx::GraphProto &graph) {
  Expander expander;
  for (onnx::NodeProto &node : *graph.mutable_node())
    expander.expand(node);
  std::vector<std::size_t> order = inOrder(expander.nodes);
  if (order.size() < expander.nodes.size()) {
    std::vector<bool> isPlaced(expander.nodes.size(), false);
    for (std::size_t i : order)
      isPlaced[i] = true;
    auto stuck = static_cast<std::size_t>(std::ranges::find(isPlaced, false) - isPlaced.begin());
    const onnx::NodeProto &node = expander.nodes[stuck];
    return "has nodes in a circle: " + node.op_type().substr(0, 64) + " (node " + quote(node.name()) +
           ") waits for its own result; export the model again";
  }
  graph.clear_node();
  for (std::size_t i : order)
    graph.add_node()->Swap(&expander.nodes[i]);
  return {};
}

} // namespace lpu::compiler
