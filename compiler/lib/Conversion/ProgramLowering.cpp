// ProgramLowering: walk of @forward, phases, embedding and outputs. Linears are
// in LowerLinear.cpp, norms in LowerNorm.cpp, attention in LowerAttention.cpp, what
// chips exchange in LowerCollectives.cpp.

#include "ProgramLowering.h"

#include "LowerTileAttention.h"
#include "lpu/compiler/Conversion/Passes.h"
#include "lpu/compiler/Dialect/LLM/Chips.h"

#include "mlir/Dialect/Quant/IR/QuantTypes.h"
#include "llvm/ADT/TypeSwitch.h"

#include <fmt/format.h>

using namespace mlir;

namespace lpu::compiler {

namespace {

bool takesTiles(Operation *op) {
  auto attention = dyn_cast<llm::AttentionOp>(op);
  return attention && attention.getTiles();
}

/// Its values are cached in units of its result (N16).
bool cachesInt8(Operation *op) {
  auto attention = dyn_cast<llm::AttentionOp>(op);
  return attention && llm::kvType(attention) == llm::KVType::Int8;
}

std::int64_t widthOf(Value value) { return cast<RankedTensorType>(value.getType()).getDimSize(1); }

/// Vectors of a token's logits on one of `shards` chips; all tokens' logits share a bank.
std::int64_t logitVectors(const isa::Machine &machine, ModuleOp module, std::int64_t shards) {
  func::FuncOp forward = llm::forwardFunction(module);
  if (!forward || !forward.getNumResults())
    return 1;
  std::int64_t width = widthOf(forward.getBody().front().getTerminator()->getOperand(0));
  return Layout::plain(machine.lanes(), (width + shards - 1) / shards).vectors();
}

} // namespace

std::int64_t prefillTokens(const isa::Machine &machine, ModuleOp module, std::int64_t shards) {
  func::FuncOp forward = llm::forwardFunction(module);
  if (!forward)
    return 0;
  std::int64_t sharing = llm::shardsOf(module) > 1 ? 1 : shards; // a class holds its part of the weights already
  shards = std::max(shards, llm::shardsOf(module));
  auto pieceOf = [&](std::int64_t whole) { return (whole + shards - 1) / shards; };
  // Rows hold two digits of a vector. Digits are made in one half of the rows while the other one is used, or gathered
  // in memory and fetched into all rows, or swept: those wait in memory.
  std::int64_t most = machine.mxmActivationRows / 2;
  auto limit = [&](std::int64_t vectors, bool gathered) {
    most = std::min(most, machine.mxmActivationRows / (gathered ? 2 : 4) / (shards * vectors));
  };
  forward.walk([&](llm::LinearOp op) {
    auto gather = op.getInput().getDefiningOp<llm::AllGatherOp>();
    Operation *source = (gather ? gather.getPiece() : op.getInput()).getDefiningOp();
    auto silu = dyn_cast_or_null<llm::SiluMulOp>(source);
    if (!silu || !isSwept(machine, silu, sharing))
      limit(Layout::plain(machine.lanes(), pieceOf(widthOf(op.getInput()))).vectors(),
            shards > 1 && !mlir::isa_and_nonnull<llm::RmsNormOp, llm::QuantizeOp>(source));
  });
  forward.walk([&](llm::AttentionOp op) {
    auto cache = SymbolTable::lookupNearestSymbolFrom<llm::KVCacheOp>(op, op.getCacheAttr());
    if (!cache || static_cast<std::int64_t>(cache.getHeadDim()) > machine.lanes())
      return;
    std::int64_t heads = cache.getHeadsCut() ? cache.getHeads() : pieceOf(cache.getHeads());
    bool tiles =
        op.getTiles() || (!llm::activationScale(op.getResult()) && llm::prefersTiles(cache)); // not quantized yet
    Layout result = tiles ? TileLayouts(machine.lanes(), cache, heads).result
                          : Layout::heads(machine.lanes(), heads, cache.getHeadDim());
    limit(result.vectors(), shards > 1);
  });
  return std::min<std::int64_t>(most, machine.memRowsPerBank / logitVectors(machine, module, 1));
}

std::int64_t chunkTokens(const isa::Machine &machine, ModuleOp module, std::int64_t shards, std::int64_t headShards) {
  func::FuncOp forward = llm::forwardFunction(module);
  if (!forward)
    return 0;
  bool partitioned = llm::shardsOf(module) > 1 || module->getParentOp();
  std::int64_t tokens = machine.superlanes - 1, sharing = partitioned ? 1 : shards;
  bool takes = partitioned; // a chip of the vocabulary alone follows the others
  forward.walk([&](llm::SiluMulOp op) { takes = isSwept(machine, op, sharing); });
  forward.walk(
      [&](llm::LinearOp op) { takes &= !isGrouped(op) && llm::activationBits(op.getInput()) != 8 && !isHalf(op); });
  forward.walk([&](llm::AttentionOp op) {
    auto cache = SymbolTable::lookupNearestSymbolFrom<llm::KVCacheOp>(op, op.getCacheAttr());
    takes &= op.getTiles() ||
             (cache && !llm::activationScale(op.getResult()) && llm::prefersTiles(cache)); // not quantized yet
  });
  return takes && tokens * logitVectors(machine, module, headShards) <= machine.memRowsPerBank ? tokens : 0;
}

ProgramLowering::ProgramLowering(ModuleOp module, const isa::Machine &machine, ObjectPool &pool, llm::StepOp step)
    : module(module), machine(machine), pool(pool), step(step), builder(OpBuilder::atBlockEnd(module.getBody())),
      loc(step.getLoc()), users(step.getUsers().value_or(1)),
      tokens(users * static_cast<std::int64_t>(step.getTokens())), context(step.getContext()),
      takesChunks(chunkTokens(machine, module) > 0), chunked(tokens > prefillTokens(machine, module)),
      paired(2 * tokens + 1 > machine.superlanes), sweepLength((context + 7) / 8 * 8),
      accumulatorCursor(2 * machine.mxmPlanesPerSide, 0), planeLoad(2 * machine.mxmPlanesPerSide, 0) {}

LogicalResult ProgramLowering::run(func::FuncOp forward) {
  auto kind = step.getKind() == llm::StepKind::Prefill ? "prefill" : "decode";
  program = stream::ProgramOp::create(builder, loc, step.getSymName(), kind, step.getTokens(), context, 0,
                                      step.getUsersAttr());
  builder.setInsertionPointToEnd(&program.getBody().emplaceBlock());
  for (Operation &op : forward.getBody().front())
    if (failed(lower(&op)))
      return failure();
  if (sumsLost)
    return program.emitOpError("feeds ") << tokens << " tokens; the sums of its widest layer exceed the "
                                         << machine.mxmAccumulatorRows << " accumulator rows of a plane";
  program.setWeightBytes(weightBytes);
  return success();
}

LogicalResult ProgramLowering::lower(Operation *op) {
  return llvm::TypeSwitch<Operation *, LogicalResult>(op)
      .Case<llm::EmbeddingOp>([&](auto o) { return lowerEmbedding(o), success(); })
      .Case<llm::RmsNormOp>([&](auto o) { return lowerNorm(o), success(); })
      .Case<llm::QuantizeOp>([&](auto o) { return lowerQuantize(o), success(); })
      .Case<llm::LinearOp>([&](auto o) { return lowerLinear(o); })
      .Case<llm::HeadNormOp>([&](auto o) { return lowerHeadNorm(o); })
      .Case<llm::RopeOp>([&](auto o) { return lowerRope(o), success(); })
      .Case<llm::AttentionOp>([&](auto o) { return lowerAttention(o); })
      .Case<llm::SiluMulOp>([&](auto o) { return lowerSiluMul(o), success(); })
      .Case<llm::AddOp>([&](auto o) { return lowerAdd(o), success(); })
      .Case<func::ReturnOp>([&](auto o) { return lowerReturn(o), success(); })
      .Case<llm::AllGatherOp>([&](auto o) { return lowerAllGather(o), success(); })
      .Case<llm::SendOp>([&](auto o) { return lowerSend(o), success(); })
      .Case<llm::ReceiveOp>([&](auto o) { return lowerReceive(o), success(); })
      .Default([](Operation *o) { return o->emitOpError("has no lowering to the stream dialect"); });
}

void ProgramLowering::beginPhase(const std::string &label, bool follows) {
  Block &phases = program.getBody().front();
  bool joined = follows && inBursts() && llm::shardsOf(module) == 1 && !phases.empty();
  builder.setInsertionPointToEnd(&phases);
  auto phase = stream::PhaseOp::create(builder, loc, label, joined);
  builder.setInsertionPointToEnd(&phase.getBody().emplaceBlock());
  if (!joined)
    std::fill(accumulatorCursor.begin(), accumulatorCursor.end(), 0);
  std::fill(planeLoad.begin(), planeLoad.end(), 0);
}

std::int64_t ProgramLowering::nextHalf() {
  half = !half;
  return half ? machine.mxmActivationRows / 2 : 0;
}

std::int64_t ProgramLowering::nextAccumulator(std::int64_t plane, std::int64_t count) {
  std::int64_t &cursor = accumulatorCursor[plane];
  if (cursor + count > machine.mxmAccumulatorRows)
    cursor = 0;
  cursor += count;
  return cursor - count;
}

std::string ProgramLowering::tensorOf(StringRef symbol) {
  return cast<llm::WeightOp>(SymbolTable::lookupSymbolIn(module, symbol)).getSource().str();
}

Scale ProgramLowering::scaleOf(Value value) {
  if (auto gather = value.getDefiningOp<llm::AllGatherOp>())
    return scaleOf(gather.getPiece());
  auto name = value.getDefiningOp()->getAttrOfType<StringAttr>(llm::kScaleNameAttr);
  return {*llm::activationScale(value), name ? name.getValue().str() : ""};
}

Factor ProgramLowering::factorOf(llm::LinearOp op) {
  Factor factor{op.getFactor().convertToDouble(), ""};
  for (Operation *user : op->getUsers())
    if (auto silu = dyn_cast<llm::SiluMulOp>(user); mlir::isa<llm::RopeOp>(user) ||
                                                    (silu && silu.getUp() == op.getResult()) || takesTiles(user) ||
                                                    cachesInt8(user))
      factor.scaleName = scaleOf(user->getResult(0)).name;
  return factor;
}

Layout ProgramLowering::cut(Layout layout, std::optional<llm::CutAttr> cut) const {
  return cut ? layout.pieceOf(cut->getWhole(), cut->getPieces()) : layout;
}

std::string ProgramLowering::layerLabel(StringRef tensor, StringRef what) {
  auto [head, rest] = tensor.split('.');
  if (head != "blk")
    return what.str();
  return fmt::format("layer {}: {}", rest.split('.').first.str(), what.str());
}

void ProgramLowering::emitTile(const std::string &object, std::int64_t plane, bool twin, bool packed) {
  stream::LoadTileOp::create(builder, loc, FlatSymbolRefAttr::get(builder.getContext(), object),
                             builder.getI64IntegerAttr(plane), builder.getI64IntegerAttr(0), IntegerAttr(),
                             builder.getI64IntegerAttr(0), UnitAttr(), twin ? builder.getUnitAttr() : UnitAttr(),
                             packed ? builder.getUnitAttr() : UnitAttr());
  for (std::int64_t other = 0; other <= twin; ++other)
    stream::InstallOp::create(builder, loc, builder.getI64IntegerAttr(plane ^ other));
}

//===-- embedding and per-step tables -----------------------------------------===//

void ProgramLowering::lowerEmbedding(llm::EmbeddingOp op) {
  beginPhase("embedding");
  auto weight = cast<llm::WeightOp>(SymbolTable::lookupSymbolIn(module, op.getWeight()));
  Layout layout = cut(Layout::plain(machine.lanes(), widthOf(op.getResult())), weight.getColumnCut());
  std::string tensor = tensorOf(op.getWeight());
  std::int64_t banks = (weight.getRows() + machine.memRowsPerBank - 1) / machine.memRowsPerBank;
  int shift = 0;
  while ((1 << shift) < machine.memRowsPerBank)
    ++shift;
  std::string token = pool.input("token", tokens);
  // Where several chips hold parts of the vocabulary, ids count from the own part's first; other ids are in no bank.
  std::string base = weight.getRowCut() ? pool.vocabularyBase(weight.getRows(), layout.shards) : "";
  setResidual(layout);
  for (std::int64_t t = 0; t < tokens; ++t)
    for (std::int64_t v = 0; v < layout.vectors(); ++v)
      for (std::int64_t bank = 0; bank < banks; ++bank) {
        std::string table = pool.embeddingTable(tensor, weight.getRows(), layout, v, bank);
        FlowWriter w = flow();
        Value id = w.read(token, t), map;
        if (!base.empty())
          id = w.alu("subi", {id, w.read(base, 0)});
        if (banks == 1 && base.empty()) {
          map = w.mapTo(id, table);
        } else {
          // Every bank is asked; those that do not hold the row answer with zeros, which add nothing.
          Value isHere = w.alu("cmpeqi", {w.alu("sra", {id, Operand::i32(shift)}), Operand::i32(bank)});
          Value row = w.mapTo(w.alu("and", {id, Operand::i32(machine.memRowsPerBank - 1)}), table);
          if (!base.empty() && bank == banks - 1) { // ids behind the part may fall into its last bank
            Value inside =
                w.alu("move", {w.alu("cmplti", {id, Operand::i32(static_cast<std::int32_t>(weight.getRows()))})});
            isHere = w.alu("and", {isHere, inside});
            row = w.alu("move", {row}, 2);
          }
          map = w.alu("select", {isHere, row, Operand::i32(0xFFFF)}, 2);
        }
        Value x = w.alu("cvt.f16.f32", {w.gather(map, table)});
        if (bank > 0)
          x = w.alu("addf", {x, w.read(residual, residualRow(t, v))});
        w.write(x, residual, residualRow(t, v));
      }
}

void ProgramLowering::lowerReturn(func::ReturnOp op) {
  auto bind = [&](StringRef name, std::int64_t count, std::int64_t lanes, std::int64_t elements) {
    stream::BindingOp::create(builder, loc, name, name, tokens, count, lanes, elements);
  };
  std::optional<Layout> logits;
  if (op.getNumOperands())
    logits = writeLogits(op.getOperand(0).getDefiningOp<llm::LinearOp>());
  else
    flushLinears();
  builder.setInsertionPointToStart(&program.getBody().front());
  bool embeds = !op->getBlock()->getOps<llm::EmbeddingOp>().empty();
  if (embeds)
    bind("token", 1, machine.lanes(), 1);
  if (embeds || hasStepTables) {
    pool.input("position", tokens); // the host of a whole model writes it even when no attention reads it
    bind("position", 1, machine.lanes(), 1);
  }
  if (logits)
    bind("logits", logits->vectors(), machine.lanes(), logits->elements);
}

Layout ProgramLowering::writeLogits(llm::LinearOp op) {
  Layout rows = plainRows(op);
  std::int64_t vectors = rows.vectors();
  const Sums &logits = sums[{op, false}];
  std::string output = pool.output("logits", tokens * vectors);
  auto write = [&](std::int64_t t, std::int64_t v) {
    FlowWriter w = flow();
    w.write(softCap(w, linearValue(w, logits, t, v), op.getCap()), output, t * vectors + v);
  };
  if (chunked) {
    passChunk(
        [&](FlowWriter &w, Value y, const Unit &unit, Burst burst) {
          w.write(softCap(w, y, op.getCap()), output, burst.first * vectors + unit.vector, vectors);
        },
        {});
    return rows;
  }
  if (!sumsFit(vectors) && logits.object.empty() &&
      !logits.half) { // each vector leaves before its accumulators are used again
    flushLinears([&](std::int64_t v) {
      for (std::int64_t t = 0; t < tokens; ++t)
        write(t, v);
    });
    return rows;
  }
  flushLinears();
  for (std::int64_t t = 0; t < tokens; ++t)
    for (std::int64_t v = 0; v < vectors; ++v)
      write(t, v);
  return rows;
}

} // namespace lpu::compiler
