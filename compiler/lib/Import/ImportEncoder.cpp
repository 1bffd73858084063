// An EncoderGraph as llm IR: one operation a node. Nodes that no output needs are left out.

#include "ImportEncoder.h"

#include "lpu/compiler/Dialect/LLM/LLM.h"
#include "lpu/compiler/Support/OneLineErrors.h"

#include "mlir/IR/Builders.h"
#include "mlir/IR/Verifier.h"

#include <set>

namespace lpu::compiler {
namespace {

using mlir::Value;
using Kind = EncoderNode::Kind;

class EncoderBuilder {
public:
  EncoderBuilder(mlir::MLIRContext &context, const WeightStore &weights)
      : store(weights), graph(*weights.encoder()), builder(&context),
        loc(mlir::FileLineColLoc::get(&context, weights.path(), 0, 0)) {}

  mlir::OwningOpRef<mlir::ModuleOp> build() {
    mlir::OwningOpRef<mlir::ModuleOp> module = mlir::ModuleOp::create(loc);
    (*module)->setAttr(llm::kSourceAttr, builder.getStringAttr(store.name()));
    (*module)->setAttr(llm::kModelAttr, builder.getStringAttr(store.shape().name));
    llvm::SmallVector<llvm::StringRef> names;
    for (const auto &[name, node] : graph.outputs)
      names.push_back(name);
    (*module)->setAttr(llm::kOutputsAttr, builder.getStrArrayAttr(names));
    (*module)->setAttr(llm::kSequenceAttr, builder.getI64IntegerAttr(graph.maxTokens));
    findNeeded();
    builder.setInsertionPointToStart(module->getBody());
    declareWeights();
    buildForward();
    if (mlir::failed(mlir::verify(*module)))
      return nullptr;
    return module;
  }

private:
  void findNeeded() {
    needed.assign(graph.nodes.size(), false);
    for (const auto &[name, node] : graph.outputs)
      needed[node] = true;
    for (std::size_t i = graph.nodes.size(); i-- > 0;)
      for (std::size_t input : graph.nodes[i].inputs)
        needed[input] = needed[input] || needed[i];
  }

  /// Whether a linear's input has codes of its own, so that its matrix is int8 from the start.
  bool isFixed(const EncoderNode &node) const {
    return node.kind == Kind::Linear && graph.nodes[node.inputs[0]].kind == Kind::Quantize;
  }

  void declareWeights() {
    for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
      const EncoderNode &node = graph.nodes[i];
      if (!needed[i])
        continue;
      bool isTable = node.kind == Kind::Embedding;
      declare(node.weight, isTable || node.kind == Kind::Linear, isFixed(node));
      declare(node.types, true, false);
      declare(node.bias, isTable, false);
    }
  }
  void declare(const std::string &tensor, bool isMatrix, bool isQuantized) {
    if (tensor.empty() || !declared.insert(tensor).second)
      return;
    auto [rows, cols] = store.dimensions(tensor);
    llvm::SmallVector<int64_t> sizes =
        isMatrix ? llvm::SmallVector<int64_t>{rows, cols} : llvm::SmallVector<int64_t>{cols};
    mlir::Type element = isQuantized ? mlir::Type(llm::weightType(builder.getContext())) : builder.getF32Type();
    llm::WeightOp::create(builder, loc, builder.getStringAttr(tensor), builder.getStringAttr(tensor),
                          mlir::TypeAttr::get(mlir::RankedTensorType::get(sizes, element)));
  }

  mlir::FlatSymbolRefAttr symbol(const std::string &name) {
    return name.empty() ? mlir::FlatSymbolRefAttr() : mlir::FlatSymbolRefAttr::get(builder.getContext(), name);
  }
  mlir::RankedTensorType rowsOf(std::uint32_t width, int64_t rows = mlir::ShapedType::kDynamic) {
    return mlir::RankedTensorType::get({rows, width}, builder.getF32Type());
  }
  mlir::RankedTensorType like(Value value, std::uint32_t width) {
    auto type = llvm::cast<mlir::RankedTensorType>(value.getType());
    return rowsOf(width, type.getDimSize(0));
  }

  Value create(const EncoderNode &node) {
    auto in = [&](std::size_t i) { return values[node.inputs[i]]; };
    switch (node.kind) {
    case Kind::Embedding:
      return llm::EmbeddingSumOp::create(builder, loc, rowsOf(node.width), token, type, symbol(node.weight),
                                         symbol(node.bias), symbol(node.types));
    case Kind::LayerNorm:
      return llm::LayerNormOp::create(builder, loc, in(0).getType(), in(0), symbol(node.weight), symbol(node.bias),
                                      builder.getF32FloatAttr(static_cast<float>(node.eps)));
    case Kind::Linear:
      return llm::LinearOp::create(builder, loc, like(in(0), node.width), in(0), symbol(node.weight),
                                   builder.getF64FloatAttr(node.scale), symbol(node.bias));
    case Kind::Quantize: {
      auto result = llvm::cast<mlir::RankedTensorType>(in(0).getType())
                        .clone(llm::activationType(builder.getContext(), node.fixed->scale));
      return llm::QuantizeOp::create(builder, loc, result, in(0), builder.getI32IntegerAttr(node.fixed->low),
                                     builder.getI32IntegerAttr(node.fixed->high));
    }
    case Kind::Gelu:
      return llm::GeluOp::create(builder, loc, in(0).getType(), in(0),
                                 node.approximate ? builder.getUnitAttr() : mlir::UnitAttr());
    case Kind::Tanh:
      return llm::TanhOp::create(builder, loc, in(0).getType(), in(0));
    case Kind::Attention:
      return llm::SelfAttentionOp::create(builder, loc, in(2).getType(), in(0), in(1), in(2),
                                          builder.getI64IntegerAttr(node.heads), builder.getF64FloatAttr(node.scale));
    case Kind::Add:
      return llm::AddOp::create(builder, loc, in(0).getType(), in(1), in(0));
    case Kind::First:
      return llm::FirstOp::create(builder, loc, rowsOf(node.width, 1), in(0));
    case Kind::Relu:
      return llm::ReluOp::create(builder, loc, in(0).getType(), in(0));
    case Kind::Sigmoid:
      return llm::SigmoidOp::create(builder, loc, in(0).getType(), in(0));
    case Kind::Silu:
      return llm::SiluOp::create(builder, loc, in(0).getType(), in(0), builder.getF64FloatAttr(node.scale));
    case Kind::Normalize:
      return llm::NormalizeOp::create(builder, loc, in(0).getType(), in(0));
    case Kind::Mean:
      return llm::MeanOp::create(builder, loc, rowsOf(node.width, 1), in(0));
    }
    llvm_unreachable("all kinds are above");
  }

  /// A node, and behind it at once what is computed of its values alone: the conversion does that in passing.
  void createWithActivations(std::size_t number) {
    if (!needed[number] || values[number])
      return;
    values[number] = create(graph.nodes[number]);
    for (std::size_t i = number + 1; i < graph.nodes.size(); ++i)
      if (graph.nodes[i].kind >= Kind::Gelu && graph.nodes[i].kind <= Kind::Tanh && graph.nodes[i].inputs[0] == number)
        createWithActivations(i);
  }

  void buildForward() {
    auto ids = mlir::RankedTensorType::get({mlir::ShapedType::kDynamic}, builder.getI32Type());
    auto forward = mlir::func::FuncOp::create(builder, loc, llm::kForward, builder.getFunctionType({ids, ids}, {}));
    mlir::Block *entry = forward.addEntryBlock();
    builder.setInsertionPointToStart(entry);
    token = entry->getArgument(0), type = entry->getArgument(1);
    values.resize(graph.nodes.size());
    for (std::size_t i = 0; i < graph.nodes.size(); ++i)
      createWithActivations(i);
    llvm::SmallVector<Value> results;
    for (const auto &[name, node] : graph.outputs)
      results.push_back(values[node]);
    mlir::func::ReturnOp::create(builder, loc, results);
    forward.setFunctionType(builder.getFunctionType({ids, ids}, mlir::ValueRange(results).getTypes()));
  }

  const WeightStore &store;
  const EncoderGraph &graph;
  mlir::OpBuilder builder;
  mlir::Location loc;
  std::vector<bool> needed;
  std::set<std::string> declared;
  Value token, type;
  std::vector<Value> values;
};

} // namespace

mlir::OwningOpRef<mlir::ModuleOp> importEncoder(mlir::MLIRContext &context, const WeightStore &store) {
  return EncoderBuilder(context, store).build();
}

} // namespace lpu::compiler
