// The graph and the tensors of a BERT encoder of a shape.

#include "ModelTensors.h"

#include <cmath>

namespace lpu::compiler {
namespace {

using Kind = EncoderNode::Kind;

class BertBuilder {
public:
  explicit BertBuilder(const ModelShape &s) : shape(s) {
    graph.maxTokens = shape.context, graph.vocabulary = shape.vocabulary, graph.tokenTypes = shape.tokenTypes,
    graph.layers = shape.layers;
    std::size_t x = norm("embeddings.norm", embedding());
    for (std::uint32_t i = 0; i < shape.layers; ++i)
      x = layer("layer." + std::to_string(i) + ".", x);
    std::size_t first = add({.kind = Kind::First, .inputs = {x}, .width = shape.hidden});
    std::size_t pooled =
        add({.kind = Kind::Tanh, .inputs = {linear("pooler", first, shape.hidden)}, .width = shape.hidden});
    graph.outputs = {{"last_hidden_state", x}, {"pooler_output", pooled}};
  }
  EncoderGraph graph;
  std::vector<TensorShape> tensors;

private:
  std::size_t add(EncoderNode node) {
    graph.nodes.push_back(std::move(node));
    return graph.nodes.size() - 1;
  }
  std::string tensor(const std::string &name, std::uint32_t rows, std::uint32_t cols) {
    tensors.push_back({name, rows, cols});
    return name;
  }
  std::size_t embedding() {
    EncoderNode node{.kind = Kind::Embedding, .width = shape.hidden};
    node.weight = tensor("embeddings.word.weight", shape.vocabulary, shape.hidden);
    node.bias = tensor("embeddings.position.weight", shape.context, shape.hidden);
    node.types = tensor("embeddings.type.weight", shape.tokenTypes, shape.hidden);
    return add(std::move(node));
  }
  std::size_t norm(const std::string &name, std::size_t x) {
    EncoderNode node{.kind = Kind::LayerNorm, .inputs = {x}, .width = shape.hidden};
    node.weight = tensor(name + ".weight", 1, shape.hidden), node.bias = tensor(name + ".bias", 1, shape.hidden);
    node.eps = static_cast<double>(shape.eps);
    return add(std::move(node));
  }
  std::size_t linear(const std::string &name, std::size_t x, std::uint32_t width) {
    EncoderNode node{.kind = Kind::Linear, .inputs = {x}, .width = width};
    node.weight = tensor(name + ".weight", width, graph.nodes[x].width), node.bias = tensor(name + ".bias", 1, width);
    return add(std::move(node));
  }
  std::size_t sum(std::size_t a, std::size_t b) {
    return add({.kind = Kind::Add, .inputs = {a, b}, .width = shape.hidden});
  }

  std::size_t layer(const std::string &name, std::size_t x) {
    EncoderNode attention{.kind = Kind::Attention, .width = shape.hidden};
    for (const char *part : {"query", "key", "value"})
      attention.inputs.push_back(linear(name + part, x, shape.hidden));
    attention.scale = 1 / std::sqrt(static_cast<double>(shape.headDim)), attention.heads = shape.heads;
    x = norm(name + "attention.norm", sum(linear(name + "output", add(std::move(attention)), shape.hidden), x));
    std::size_t h =
        add({.kind = Kind::Gelu, .inputs = {linear(name + "intermediate", x, shape.ffn)}, .width = shape.ffn});
    return norm(name + "output.norm", sum(linear(name + "result", h, shape.hidden), x));
  }

  const ModelShape &shape;
};

} // namespace

EncoderGraph bertGraph(const ModelShape &shape) { return BertBuilder(shape).graph; }
std::vector<TensorShape> bertTensors(const ModelShape &shape) { return BertBuilder(shape).tensors; }

} // namespace lpu::compiler
