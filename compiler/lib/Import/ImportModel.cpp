// Builds the graph of a Llama model from its shape (of an encoder: ImportEncoder.cpp). Only names and sizes enter
// the IR; weights stay where they come from, which the module names in llm.source.

#include "lpu/compiler/Import/ImportModel.h"

#include "ImportEncoder.h"
#include "ModelTensors.h"
#include "lpu/compiler/Dialect/LLM/LLM.h"
#include "lpu/compiler/Support/OneLineErrors.h"

#include "mlir/IR/Builders.h"
#include "mlir/IR/Verifier.h"
#include "llvm/Support/SaveAndRestore.h"

#include <cmath>

namespace lpu::compiler {
namespace {

using mlir::Value;

class GraphBuilder {
public:
  GraphBuilder(mlir::MLIRContext &context, const WeightStore &weights)
      : store(weights), shape(weights.shape()), builder(&context),
        loc(mlir::FileLineColLoc::get(&context, weights.path(), 0, 0)) {}

  mlir::OwningOpRef<mlir::ModuleOp> build();

private:
  void declareWeights();
  void declareWeight(const std::string &symbol, const std::string &tensor);
  void declareCaches();
  void buildForward();
  Value layer(int64_t index, Value x);
  Value attention(int64_t index, Value x);
  Value ffn(int64_t index, Value x);

  mlir::RankedTensorType activation(int64_t width) {
    return mlir::RankedTensorType::get({mlir::ShapedType::kDynamic, width}, builder.getF32Type());
  }
  mlir::RankedTensorType ids() {
    return mlir::RankedTensorType::get({mlir::ShapedType::kDynamic}, builder.getI32Type());
  }
  mlir::FlatSymbolRefAttr symbol(const std::string &name) {
    return mlir::FlatSymbolRefAttr::get(builder.getContext(), name);
  }
  mlir::FlatSymbolRefAttr symbol(int64_t index, const std::string &name) {
    return symbol("blk." + std::to_string(index) + "." + name);
  }

  /// The residual is the model's over the factor of its embeddings, which norms do not see but in their eps.
  Value norm(Value x, mlir::FlatSymbolRefAttr weight) {
    auto eps = static_cast<float>(shape.eps / (shape.embeddingFactor * shape.embeddingFactor));
    return llm::RmsNormOp::create(builder, loc, x.getType(), x, weight, builder.getF32FloatAttr(eps),
                                  builder.getF64FloatAttr(1.0));
  }
  Value linear(Value x, mlir::FlatSymbolRefAttr weight, int64_t width, mlir::FlatSymbolRefAttr bias = {},
               double factor = 1) {
    return llm::LinearOp::create(builder, loc, activation(width), x, weight, builder.getF64FloatAttr(factor), bias);
  }
  /// What the linears of a layer's part are fed.
  Value fed(Value x, mlir::FlatSymbolRefAttr weight) {
    if (shape.hasPreNorms)
      return norm(x, weight);
    return llm::QuantizeOp::create(builder, loc, x.getType(), x, mlir::IntegerAttr(), mlir::IntegerAttr());
  }
  /// What a layer adds to the residual.
  Value branch(Value x, mlir::FlatSymbolRefAttr weight, mlir::FlatSymbolRefAttr gains) {
    double factor = shape.residualFactor / shape.embeddingFactor;
    if (!shape.hasPostNorms)
      return linear(x, weight, shape.hidden, {}, factor);
    Value y = linear(x, weight, shape.hidden);
    return llm::RmsNormOp::create(builder, loc, y.getType(), y, gains, builder.getF32FloatAttr(shape.eps),
                                  builder.getF64FloatAttr(factor));
  }
  /// A projection of the attention's input: "attn_q", with its bias if the architecture has one.
  Value project(Value x, int64_t index, const std::string &name, int64_t width) {
    return linear(x, symbol(index, name), width,
                  shape.hasBias ? symbol(index, name + ".bias") : mlir::FlatSymbolRefAttr());
  }
  /// Queries or keys, before rope.
  Value normHeads(Value x, int64_t index, const std::string &name) {
    return llm::HeadNormOp::create(builder, loc, x.getType(), x, symbol(index, name),
                                   builder.getF32FloatAttr(shape.eps), builder.getF64FloatAttr(1.0));
  }
  Value rope(Value x, int64_t index, uint32_t heads) {
    bool still = !shape.isStill.empty() && shape.isStill[static_cast<std::size_t>(index)];
    bool isLong = !shape.longDivisors.empty();
    bool own = isWindowed(index) && shape.windowRopeBase > 0;
    return llm::RopeOp::create(
        builder, loc, x.getType(), x, position, builder.getI64IntegerAttr(heads),
        builder.getI64IntegerAttr(shape.headDim), builder.getF64FloatAttr(own ? shape.windowRopeBase : ropeBase()),
        shape.ropeFreqs && !own ? symbol("rope_freqs") : mlir::FlatSymbolRefAttr(),
        builder.getF64FloatAttr(shape.ropeMagnitude), still ? builder.getUnitAttr() : mlir::UnitAttr(),
        isLong ? symbol("rope_freqs_long") : mlir::FlatSymbolRefAttr(),
        isLong ? builder.getI64IntegerAttr(shape.original) : mlir::IntegerAttr());
  }
  Value add(Value branch, Value residual) {
    return llm::AddOp::create(builder, loc, residual.getType(), branch, residual);
  }

  bool isWindowed(int64_t index) const {
    return !shape.isWindowed.empty() && shape.isWindowed[static_cast<std::size_t>(index)] &&
           shape.window < shape.context;
  }

  /// Frequencies fall by the base over the elements that turn; llm.rope's over all of a head.
  double ropeBase() const {
    return shape.rotary ? std::pow(shape.ropeBase, static_cast<double>(shape.headDim) / shape.rotary) : shape.ropeBase;
  }

  const WeightStore &store;
  const ModelShape &shape;
  mlir::OpBuilder builder;
  mlir::Location loc;
  Value position;
};

void GraphBuilder::declareWeight(const std::string &symbol, const std::string &tensor) {
  auto [rows, cols] = store.dimensions(tensor);
  bool vector =
      symbol.find("norm") != std::string::npos || symbol.ends_with(".bias") || symbol.starts_with("rope_freqs");
  llvm::SmallVector<int64_t> sizes = vector ? llvm::SmallVector<int64_t>{cols} : llvm::SmallVector<int64_t>{rows, cols};
  llm::WeightOp::create(builder, loc, builder.getStringAttr(symbol), builder.getStringAttr(tensor),
                        mlir::TypeAttr::get(mlir::RankedTensorType::get(sizes, builder.getF32Type())));
}

void GraphBuilder::declareWeights() {
  declareWeight("token_embd", "token_embd.weight");
  if (shape.ropeFreqs)
    declareWeight("rope_freqs", "rope_freqs.weight");
  if (!shape.longDivisors.empty())
    declareWeight("rope_freqs_long", std::string(WeightStore::kLongRopeFreqs));
  for (uint32_t i = 0; i < shape.layers; ++i)
    for (const TensorShape &tensor : layerTensors(shape, TensorsOf::Graph)) {
      std::string full = "blk." + std::to_string(i) + "." + tensor.name;
      declareWeight(full.ends_with(".weight") ? full.substr(0, full.size() - 7) : full, full);
    }
  declareWeight("output_norm", "output_norm.weight");
  declareWeight("output", shape.outputName());
}

void GraphBuilder::declareCaches() {
  for (uint32_t i = 0; i < shape.layers; ++i) {
    auto cache = llm::KVCacheOp::create(builder, loc, "cache." + std::to_string(i), i, shape.heads, shape.kvHeads,
                                        shape.headDim, shape.context);
    if (isWindowed(i))
      cache.setWindow(shape.window);
  }
}

Value GraphBuilder::attention(int64_t i, Value x) {
  int64_t width = int64_t{shape.heads} * shape.headDim, kvWidth = int64_t{shape.kvHeads} * shape.headDim;
  Value n = fed(x, symbol(i, "attn_norm"));
  Value q = project(n, i, "attn_q", width), k, v;
  if (shape.hasHeadNorms || shape.hasWideNorms) { // which take what all three linears make in one phase
    k = project(n, i, "attn_k", kvWidth), v = project(n, i, "attn_v", kvWidth);
    q = rope(normHeads(q, i, "attn_q_norm"), i, shape.heads);
    k = rope(normHeads(k, i, "attn_k_norm"), i, shape.kvHeads);
  } else {
    q = rope(q, i, shape.heads);
    k = rope(project(n, i, "attn_k", kvWidth), i, shape.kvHeads);
    v = project(n, i, "attn_v", kvWidth);
  }
  Value a = llm::AttentionOp::create(builder, loc, activation(width), q, k, v, position,
                                     symbol("cache." + std::to_string(i)), mlir::UnitAttr(),
                                     shape.scoreFactor ? builder.getF64FloatAttr(shape.scoreFactor) : mlir::FloatAttr(),
                                     shape.scoreCap ? builder.getF64FloatAttr(shape.scoreCap) : mlir::FloatAttr());
  return branch(a, symbol(i, "attn_output"), symbol(i, "post_attention_norm"));
}

Value GraphBuilder::ffn(int64_t i, Value x) {
  Value n = fed(x, symbol(i, "ffn_norm"));
  Value gate = linear(n, symbol(i, "ffn_gate"), shape.ffn);
  Value up = linear(n, symbol(i, "ffn_up"), shape.ffn);
  Value h = llm::SiluMulOp::create(builder, loc, gate.getType(), gate, up, shape.gatesByGelu);
  return branch(h, symbol(i, "ffn_down"), symbol(i, "post_ffw_norm"));
}

Value GraphBuilder::layer(int64_t i, Value x) {
  llvm::SaveAndRestore<mlir::Location> named(
      loc, mlir::NameLoc::get(builder.getStringAttr("layer " + std::to_string(i)), loc));
  x = add(attention(i, x), x);
  return add(ffn(i, x), x);
}

void GraphBuilder::buildForward() {
  auto type = builder.getFunctionType({ids(), ids()}, {activation(shape.vocabulary)});
  auto forward = mlir::func::FuncOp::create(builder, loc, llm::kForward, type);
  builder.setInsertionPointToStart(forward.addEntryBlock());
  position = forward.getArgument(1);
  Value x =
      llm::EmbeddingOp::create(builder, loc, activation(shape.hidden), forward.getArgument(0), symbol("token_embd"));
  for (uint32_t i = 0; i < shape.layers; ++i)
    x = layer(i, x);
  Value logits =
      linear(norm(x, symbol("output_norm")), symbol("output"), shape.vocabulary, {}, 1 / shape.logitsDivisor);
  if (shape.logitsCap > 0)
    logits.getDefiningOp<llm::LinearOp>().setCap(llvm::APFloat(shape.logitsCap));
  mlir::func::ReturnOp::create(builder, loc, logits);
}

mlir::OwningOpRef<mlir::ModuleOp> GraphBuilder::build() {
  mlir::OwningOpRef<mlir::ModuleOp> module = mlir::ModuleOp::create(loc);
  (*module)->setAttr(llm::kSourceAttr, builder.getStringAttr(store.name()));
  (*module)->setAttr(llm::kModelAttr, builder.getStringAttr(shape.name));
  builder.setInsertionPointToStart(module->getBody());
  declareWeights();
  declareCaches();
  buildForward();
  if (mlir::failed(mlir::verify(*module)))
    return nullptr;
  return module;
}

} // namespace

mlir::OwningOpRef<mlir::ModuleOp> importModel(mlir::MLIRContext &context, const WeightStore &store) {
  context.loadDialect<llm::LLMDialect, mlir::func::FuncDialect, mlir::quant::QuantDialect>();
  if (store.encoder())
    return importEncoder(context, store);
  return GraphBuilder(context, store).build();
}

mlir::OwningOpRef<mlir::ModuleOp> importModel(mlir::MLIRContext &context, const std::string &name) {
  auto store = WeightStore::open(name);
  if (store)
    return importModel(context, **store);
  (void)report(&context, store.error());
  return nullptr;
}

} // namespace lpu::compiler
