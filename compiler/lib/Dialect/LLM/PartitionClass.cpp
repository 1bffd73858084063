// The module of a class: the stage's operations, cloned onto pieces of their
// values. Norms and linears want whole inputs, everything else works on the own
// piece. Layers are counted from the stage's first one.

#include "PartitionClass.h"

#include "lpu/compiler/Dialect/LLM/Chips.h"
#include "lpu/compiler/Dialect/LLM/Precisions.h"

#include "mlir/IR/IRMapping.h"
#include "llvm/ADT/StringExtras.h"

#include <map>

namespace lpu::compiler::llm {

using mlir::Value;

std::string Stage::name() const {
  std::vector<std::string> parts;
  if (embedding)
    parts.push_back("embedding");
  if (layers)
    parts.push_back("layers." + std::to_string(layers));
  if (head)
    parts.push_back("lm_head");
  std::string text = llvm::join(parts, "+");
  if (inLinks.size() > 1)
    text += ".in" + std::to_string(inLinks.size());
  if (outLinks.size() > 1)
    text += ".out" + std::to_string(outLinks.size());
  return text;
}

namespace {

std::int64_t pieceOf(std::int64_t whole, std::int64_t pieces) { return (whole + pieces - 1) / pieces; }

/// The layer's number in "blk.3.attn_q" or "cache.3"; nothing for other names.
std::optional<std::int64_t> layerOf(llvm::StringRef symbol) {
  auto [head, rest] = symbol.split('.');
  std::int64_t layer = 0;
  if ((head != "blk" && head != "cache") || rest.split('.').first.getAsInteger(10, layer))
    return std::nullopt;
  return layer;
}

/// The weight an operation multiplies by, null for operations without.
mlir::FlatSymbolRefAttr weightOf(mlir::Operation *op) { return op->getAttrOfType<mlir::FlatSymbolRefAttr>("weight"); }

/// The weight by which an operation's layer is known: its own, or, of residuals that linears take as they are, those
/// linears'.
mlir::FlatSymbolRefAttr placeOf(mlir::Operation *op) {
  return mlir::isa<QuantizeOp>(op) ? weightOf(*op->getUsers().begin()) : weightOf(op);
}

/// A sum to which a whole norm is added is whole on every chip.
bool isWhole(mlir::Operation *op) {
  auto add = mlir::dyn_cast<AddOp>(op);
  return mlir::isa<RmsNormOp, QuantizeOp>(op) || (add && add.getBranch().getDefiningOp<RmsNormOp>());
}

/// Where a value enters an attention, through operations that keep its heads apart.
mlir::OpOperand *attentionUse(Value value) {
  for (mlir::OpOperand &use : value.getUses()) {
    if (mlir::isa<AttentionOp>(use.getOwner()))
      return &use;
    if (mlir::isa<RopeOp, HeadNormOp>(use.getOwner()))
      return attentionUse(use.getOwner()->getResult(0));
  }
  return nullptr;
}

class ClassBuilder {
public:
  ClassBuilder(mlir::OpBuilder &outer, mlir::ModuleOp original, const Stage &part, const std::string &name,
               bool isShared)
      : model(original), stage(part), shared(isShared), builder(outer) {
    module = mlir::ModuleOp::create(builder, model.getLoc(), name);
    module->setAttr(kShardsAttr, builder.getI64IntegerAttr(stage.shards));
    module->setAttr(kLayersAttr, builder.getI64IntegerAttr(stage.layers));
  }

  void run();

private:
  /// A value of the model on this chip: its piece, and the whole once something wanted it.
  struct Parts {
    Value own, whole;
  };

  bool holds(std::int64_t layer) const {
    if (layer < 0)
      return stage.embedding;
    return (layer >= stage.firstLayer && layer < stage.firstLayer + stage.layers) ||
           (stage.head && layer == layerCount());
  }
  std::int64_t layerCount() { return llvm::range_size(model.getOps<KVCacheOp>()); }
  std::int64_t layerCount() const { return const_cast<ClassBuilder *>(this)->layerCount(); }

  void clone(mlir::Operation &op);
  Value own(Value value);
  Value whole(Value value);
  mlir::RankedTensorType piece(Value value, std::int64_t width) {
    auto type = llvm::cast<mlir::RankedTensorType>(value.getType());
    return mlir::RankedTensorType::get({mlir::ShapedType::kDynamic, width}, type.getElementType());
  }
  std::int64_t ownWidth(mlir::Operation &op);
  CutAttr cut(std::int64_t pieces, std::int64_t size) {
    return pieces > 1 ? CutAttr::get(builder.getContext(), pieces, size) : CutAttr();
  }
  std::string local(llvm::StringRef symbol) { return shiftLayer(symbol, -stage.firstLayer); }
  mlir::FlatSymbolRefAttr declare(mlir::FlatSymbolRefAttr symbol, mlir::Operation &user);
  void declareWeight(WeightOp weight, mlir::Operation &user);
  void declareCache(KVCacheOp cache);

  mlir::ModuleOp model;
  const Stage &stage;
  bool shared;
  mlir::OpBuilder &builder;
  mlir::ModuleOp module;
  mlir::func::FuncOp forward;
  llvm::DenseMap<Value, Parts> parts;
  std::map<std::string, bool> declared;
};

void ClassBuilder::run() {
  mlir::OpBuilder::InsertionGuard guard(builder);
  mlir::func::FuncOp original = forwardFunction(model);
  builder.setInsertionPointToEnd(module.getBody());
  for (auto step : model.getOps<StepOp>())
    builder.clone(*step);
  mlir::FunctionType type = original.getFunctionType();
  forward =
      mlir::func::FuncOp::create(builder, original.getLoc(), kForward, builder.getFunctionType(type.getInputs(), {}));
  mlir::Block *body = forward.addEntryBlock();
  for (auto [from, to] : llvm::zip(original.getArguments(), body->getArguments()))
    parts[from] = {to, to};
  builder.setInsertionPointToEnd(body);

  std::int64_t layer = -1;
  Value residual; // what stages hand on
  for (mlir::Operation &op : original.front()) {
    std::int64_t before = layer;
    if (auto weight = placeOf(&op); weight && !mlir::isa<EmbeddingOp>(op))
      layer = layerOf(weight.getValue()).value_or(layerCount());
    if (layer != before && holds(layer) && !holds(before) && residual) {
      Value received = ReceiveOp::create(builder, op.getLoc(), piece(residual, pieceOf(width(residual), stage.shards)),
                                         stage.inLinks, cut(stage.shards, width(residual)));
      parts[residual] = {received, stage.shards > 1 ? Value() : received};
    }
    if (layer != before && !holds(layer) && holds(before))
      SendOp::create(builder, op.getLoc(), own(residual), stage.outLinks,
                     isWhole(residual.getDefiningOp()) ? cut(stage.shards, width(residual)) : CutAttr());
    if (mlir::isa<EmbeddingOp, AddOp>(op))
      residual = op.getResult(0);
    if (mlir::isa<mlir::func::ReturnOp>(op))
      break;
    if (holds(layer))
      clone(op);
  }
  llvm::SmallVector<Value> results;
  if (stage.head)
    results.push_back(own(original.front().getTerminator()->getOperand(0)));
  mlir::func::ReturnOp::create(builder, original.getLoc(), results);
  forward.setFunctionType(builder.getFunctionType(type.getInputs(), mlir::ValueRange(results).getTypes()));
}

Value ClassBuilder::own(Value value) { return parts.lookup(value).own; }

Value ClassBuilder::whole(Value value) {
  Parts &part = parts[value];
  if (!part.whole)
    part.whole = AllGatherOp::create(builder, value.getLoc(), value.getType(), part.own,
                                     builder.getI64IntegerAttr(stage.shards));
  return part.whole;
}

/// Elements of the piece of an operation's result.
std::int64_t ClassBuilder::ownWidth(mlir::Operation &op) {
  Value result = op.getResult(0);
  if (mlir::isa<EmbeddingOp>(op))
    return pieceOf(width(result), stage.shards);
  if (!mlir::isa<LinearOp>(op))
    return width(own(op.getOperand(0)));
  if (mlir::OpOperand *use = attentionUse(result)) {
    auto attention = mlir::cast<AttentionOp>(use->getOwner());
    declare(attention.getCacheAttr(), *attention);
    auto cache = mlir::SymbolTable(module).lookup<KVCacheOp>(local(attention.getCache()));
    return (use->get() == attention.getQuery() ? cache.getHeads() : cache.getKvHeads()) * cache.getHeadDim();
  }
  bool logits = mlir::isa<mlir::func::ReturnOp>(*result.getUsers().begin());
  return pieceOf(width(result), logits ? stage.shards * stage.groups : stage.shards);
}

void ClassBuilder::clone(mlir::Operation &op) {
  bool makesWhole = isWhole(&op), wantsWhole = makesWhole || mlir::isa<LinearOp>(op);
  mlir::IRMapping mapping;
  for (Value operand : op.getOperands())
    mapping.map(operand, wantsWhole ? whole(operand) : own(operand));
  auto type =
      makesWhole ? llvm::cast<mlir::RankedTensorType>(op.getResult(0).getType()) : piece(op.getResult(0), ownWidth(op));
  mlir::Operation *copy = builder.clone(op, mapping);
  copy->getResult(0).setType(type);
  for (mlir::NamedAttribute attribute : op.getAttrs())
    if (auto symbol = mlir::dyn_cast<mlir::FlatSymbolRefAttr>(attribute.getValue()))
      copy->setAttr(attribute.getName(), declare(symbol, op));
  if (auto rope = mlir::dyn_cast<RopeOp>(copy))
    rope.setHeads(type.getDimSize(1) / rope.getHeadDim());
  if (shared && activationScale(copy->getResult(0)))
    copy->setAttr(kScaleNameAttr, builder.getStringAttr(local(scaleName(&op))));
  Value result = copy->getResult(0);
  parts[op.getResult(0)] = {result, makesWhole || stage.shards == 1 ? result : Value()};
}

mlir::FlatSymbolRefAttr ClassBuilder::declare(mlir::FlatSymbolRefAttr symbol, mlir::Operation &user) {
  std::string name = local(symbol.getValue());
  if (!std::exchange(declared[name], true)) {
    mlir::OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPoint(forward);
    mlir::Operation *original = mlir::SymbolTable::lookupSymbolIn(model, symbol);
    if (auto cache = mlir::dyn_cast<KVCacheOp>(original))
      declareCache(cache);
    else
      declareWeight(mlir::cast<WeightOp>(original), user);
  }
  return mlir::FlatSymbolRefAttr::get(builder.getContext(), name);
}

void ClassBuilder::declareWeight(WeightOp weight, mlir::Operation &user) {
  auto copy = mlir::cast<WeightOp>(builder.clone(*weight));
  copy.setSymName(local(weight.getSymName()));
  copy.setSource(local(weight.getSource()));
  std::int64_t rows = weight.getRows(), columns = weight.getCols();
  if (mlir::isa<EmbeddingOp>(user)) {
    copy.setRowCutAttr(cut(stage.groups, rows));
    copy.setColumnCutAttr(cut(stage.shards, columns));
    rows = pieceOf(rows, stage.groups), columns = pieceOf(columns, stage.shards);
  } else if (mlir::isa<LinearOp>(user)) {
    bool isBias = weight.getTensorType().getRank() == 1;
    std::int64_t &outputs = isBias ? columns : rows, whole = outputs;
    outputs = ownWidth(user);
    mlir::OpOperand *use = attentionUse(user.getResult(0));
    bool byCache = use && use->get() != mlir::cast<AttentionOp>(use->getOwner()).getQuery();
    bool logits = mlir::isa<mlir::func::ReturnOp>(*user.getResult(0).getUsers().begin());
    CutAttr pieces = byCache ? CutAttr() : cut(logits ? stage.shards * stage.groups : stage.shards, whole);
    if (isBias)
      copy.setColumnCutAttr(pieces);
    else
      copy.setRowCutAttr(pieces);
  }
  mlir::RankedTensorType type = weight.getTensorType();
  llvm::SmallVector<std::int64_t> shape =
      type.getRank() == 2 ? llvm::SmallVector<std::int64_t>{rows, columns} : llvm::SmallVector<std::int64_t>{columns};
  copy.setType(mlir::RankedTensorType::get(shape, type.getElementType()));
}

void ClassBuilder::declareCache(KVCacheOp cache) {
  auto copy = mlir::cast<KVCacheOp>(builder.clone(*cache));
  copy.setSymName(local(cache.getSymName()));
  copy.setLayer(cache.getLayer() - stage.firstLayer);
  if (stage.shards == 1)
    return;
  auto heads = static_cast<std::int64_t>(cache.getHeads()),
       group = heads / static_cast<std::int64_t>(cache.getKvHeads());
  std::int64_t held = pieceOf(heads, stage.shards);
  copy.setHeads(held), copy.setKvHeads(heldKVHeads(held, group));
  copy.setHeadsCutAttr(cut(stage.shards, heads));
  copy.setQueryGroup(group);
}

} // namespace

std::string scaleName(mlir::Operation *op) {
  mlir::Operation *source = op;
  while (!placeOf(source))
    source = source->getOperand(0).getDefiningOp();
  return placeOf(source).getValue().str() + "." + op->getName().stripDialect().str();
}

void noteTypes(mlir::ModuleOp model, Stage &stage) {
  auto holds = [&](llvm::StringRef symbol) {
    std::optional<std::int64_t> layer = layerOf(symbol);
    return layer ? *layer >= stage.firstLayer && *layer < stage.firstLayer + stage.layers : stage.head;
  };
  for (WeightOp weight : model.getOps<WeightOp>())
    if ((weight.isQuantized() || isHalf(weight)) && holds(weight.getSymName()))
      stage.types.push_back(weight.getTensorType().getElementType());
  auto ropes = forwardFunction(model).getOps<RopeOp>();
  for (mlir::Operation &op : forwardFunction(model).front()) {
    auto rope = mlir::dyn_cast<RopeOp>(op);
    if (rope && rope.getStill() && holds(scaleName(&op)))
      stage.types.push_back(mlir::NoneType::get(model.getContext()));
    if (rope && rope.getBaseAttr() != (*ropes.begin()).getBaseAttr() && holds(scaleName(&op)))
      stage.types.push_back(mlir::IndexType::get(model.getContext()));
    if (auto attention = mlir::dyn_cast<AttentionOp>(op);
        attention && lookupCache(attention, attention.getCacheAttr()).getWindow() && holds(scaleName(&op)))
      stage.types.push_back(mlir::Float64Type::get(model.getContext()));
    if (int bits = op.getNumResults() == 1 ? activationBits(op.getResult(0)) : 0; bits && holds(scaleName(&op)))
      stage.types.push_back(bits == kHalfBits
                                ? mlir::Type(mlir::Float16Type::get(model.getContext()))
                                : mlir::IntegerType::get(model.getContext(), static_cast<unsigned>(bits)));
  }
}

void buildClass(mlir::OpBuilder &builder, mlir::ModuleOp model, const Stage &stage, const std::string &name,
                bool shared) {
  ClassBuilder(builder, model, stage, name, shared).run();
}

} // namespace lpu::compiler::llm
