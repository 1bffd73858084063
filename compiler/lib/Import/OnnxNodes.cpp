// Nodes of the encoder's graph that the matcher's rules make, and the tensors they take.

#include "OnnxMatcher.h"

#include <algorithm>

namespace lpu::compiler {
namespace {

using Form = OnnxForm;
using Kind = EncoderNode::Kind;
using Atom = OnnxAtom::Kind;

bool sameView(const OnnxWeight &a, const OnnxWeight &b) {
  return a.tensor == b.tensor && a.offset == b.offset && a.dims == b.dims && a.strides == b.strides &&
         a.scales == b.scales && a.zeros == b.zeros && a.axis == b.axis && a.rounds == b.rounds;
}

} // namespace

OnnxDims dimsOf(const std::vector<OnnxAxis> &axes) {
  OnnxDims dims;
  for (const OnnxAxis &axis : axes) {
    std::int64_t size = 1;
    for (const OnnxAtom &atom : axis)
      size *= atom.size;
    dims.push_back(size);
  }
  return dims;
}

OnnxAxis flatten(const std::vector<OnnxAxis> &axes) {
  OnnxAxis all;
  for (const OnnxAxis &axis : axes)
    for (const OnnxAtom &atom : axis) {
      bool isElement = atom.kind == Atom::Element, joins = isElement && !all.empty() && all.back().kind == atom.kind;
      if (joins && all.back().stride == atom.stride * atom.size)
        all.back().size *= atom.size, all.back().stride = atom.stride;
      else
        all.push_back(atom);
    }
  return all;
}

std::optional<std::vector<OnnxAxis>> regroup(const std::vector<OnnxAxis> &axes, const OnnxDims &dims) {
  OnnxAxis left = flatten(axes);
  std::ranges::reverse(left);
  std::vector<OnnxAxis> out;
  for (std::int64_t dim : dims) {
    OnnxAxis &axis = out.emplace_back();
    for (std::int64_t made = 1; made < dim;) {
      if (left.empty() || dim % made)
        return std::nullopt;
      OnnxAtom atom = left.back();
      std::int64_t needed = dim / made;
      left.pop_back();
      if (needed < atom.size) { // heads and their elements come apart
        if (atom.kind != Atom::Element || atom.size % needed)
          return std::nullopt;
        left.push_back({atom.kind, atom.size / needed, atom.stride});
        atom = {atom.kind, needed, atom.stride * (atom.size / needed)};
      }
      axis.push_back(atom);
      made *= atom.size;
    }
  }
  return left.empty() ? std::optional(out) : std::nullopt;
}

std::string OnnxMatcher::keep(OnnxWeight weight, bool isMatrix) {
  for (std::string name = weight.name;; name += isMatrix ? ".matrix" : ".view") {
    auto known = model.weights.find(name);
    if (known == model.weights.end()) {
      isMatrixOf[name] = isMatrix;
      return model.weights.emplace(name, std::move(weight)).first->first;
    }
    if (sameView(known->second, weight) && isMatrixOf[name] == isMatrix)
      return name;
  }
}

std::optional<OnnxWeight> OnnxMatcher::weightOf(const Value &value) {
  if (value.form == Form::Tensor)
    return value.weight;
  if (value.form != Form::Constant || value.constant->values.empty())
    return std::nullopt;
  auto tensor =
      OnnxTensor::computed(value.label, value.dims, {value.constant->values.begin(), value.constant->values.end()});
  for (const auto &known : model.computed)
    if (known->name == tensor->name && known->dims == tensor->dims)
      return OnnxWeight(*known);
  model.computed.push_back(std::move(tensor));
  return OnnxWeight(*model.computed.back());
}

std::optional<std::string> OnnxMatcher::vector(const Value &value, std::uint32_t elements) {
  auto weight = weightOf(value);
  if (!weight || weight->count() != elements || (!weight->dims.empty() && weight->dims.back() != elements))
    return std::nullopt;
  auto flat = weight->reshaped({elements});
  return flat && flat->isConsistent() ? std::optional(keep(*flat, false)) : std::nullopt;
}

std::string OnnxMatcher::filled(double number, std::uint32_t elements) {
  Value value;
  value.form = Form::Constant, value.dims = {elements};
  value.label = (number == 0 ? "zeros." : "ones.") + std::to_string(elements);
  value.constant = std::make_shared<OnnxConstant>(OnnxConstant{value.dims, std::vector<double>(elements, number)});
  return *vector(value, elements);
}

std::size_t OnnxMatcher::nodeOf(EncoderNode node) {
  auto &nodes = model.graph.nodes;
  auto known = std::ranges::find(nodes, node);
  if (known == nodes.end())
    known = nodes.insert(nodes.end(), std::move(node));
  return static_cast<std::size_t>(known - nodes.begin());
}

OnnxValue OnnxMatcher::rowsOf(EncoderNode node, std::vector<OnnxAxis> axes) {
  Value value;
  value.form = Form::Rows, value.axes = std::move(axes), value.dims = dimsOf(value.axes);
  value.node = nodeOf(std::move(node));
  return value;
}

/// The node of what a curve makes of x.
std::optional<std::size_t> OnnxMatcher::nodeOfCurve(std::size_t x, const OnnxCurve &curve) {
  using Activation = OnnxActivation::Kind;
  if (!curve)
    return x;
  auto activation = activationOf(curve);
  if (!activation)
    return std::nullopt;
  EncoderNode node{.kind = Kind::Gelu, .inputs = {x}, .width = width(x), .isSingle = isSingle(x)};
  switch (activation->kind) {
  case Activation::Scale: // linears have a factor
    node = model.graph.nodes[x];
    if (node.kind != Kind::Linear || !(activation->factor > 0))
      return std::nullopt;
    node.scale *= activation->factor;
    break;
  case Activation::Gelu:
  case Activation::GeluByTanh:
    node.approximate = activation->kind == Activation::GeluByTanh;
    break;
  case Activation::Silu:
    node.kind = Kind::Silu, node.scale = activation->factor;
    break;
  case Activation::Relu:
    node.kind = Kind::Relu;
    break;
  case Activation::Sigmoid:
    node.kind = Kind::Sigmoid;
    break;
  case Activation::Tanh:
    node.kind = Kind::Tanh;
    break;
  }
  return nodeOf(std::move(node));
}

std::optional<std::pair<std::size_t, double>> OnnxMatcher::source(const Value &value) {
  if (value.form != Form::Rows)
    return std::nullopt;
  if (auto factor = factorOf(value.curve, false))
    return std::pair{value.node, *factor};
  auto node = nodeOfCurve(value.node, value.curve);
  return node ? std::optional(std::pair{*node, 1.0}) : std::nullopt;
}

std::optional<std::size_t> OnnxMatcher::rows(const Value &value) {
  if (value.form == Form::TokenSum) { // a mean, if the factor is what the tokens are
    auto factor = factorOf(value.curve, false);
    if (!factor || std::abs(*factor * static_cast<double>(sample) - 1) > 1e-4)
      return std::nullopt;
    return nodeOf({.kind = Kind::Mean, .inputs = {value.node}, .width = width(value.node), .isSingle = true});
  }
  if (value.form == Form::Normalized || value.form == Form::Scaled) {
    Value zeros;
    zeros.form = Form::Constant, zeros.dims = {width(value.node)};
    zeros.label = "zeros." + std::to_string(width(value.node));
    zeros.constant = std::make_shared<OnnxConstant>(OnnxConstant{zeros.dims, std::vector<double>(width(value.node))});
    Match norm = normalized(value, zeros, true);
    return norm ? std::optional(norm->node) : std::nullopt;
  }
  if (value.form == Form::Embedded) {
    if (!value.words || !value.positions || value.dims.size() < 2)
      return std::nullopt;
    EncoderNode node{.kind = Kind::Embedding, .width = value.words->cols()};
    node.weight = keep(*value.words, false), node.bias = keep(*value.positions, false);
    if (value.types)
      node.types = keep(*value.types, false);
    return nodeOf(std::move(node));
  }
  if (value.form != Form::Rows)
    return std::nullopt;
  OnnxAxis all = flatten(value.axes), plain;
  if (!isSingle(value.node))
    plain.push_back({Atom::Token, sample});
  if (width(value.node) > 1)
    plain.push_back({Atom::Element, width(value.node)});
  return all == plain ? nodeOfCurve(value.node, value.curve) : std::nullopt;
}

} // namespace lpu::compiler
