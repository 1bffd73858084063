// ProgramLowering: walk of @forward, phases, tiles and the linear operations.
// Norms are in LowerNorm.cpp, attention in LowerAttention.cpp.

#include "ProgramLowering.h"

#include "lpu/compiler/Conversion/Passes.h"

#include "mlir/Dialect/Quant/IR/QuantTypes.h"
#include "llvm/ADT/TypeSwitch.h"

#include <fmt/format.h>

#include <set>

using namespace mlir;

namespace lpu::compiler {

namespace {

std::int64_t widthOf(Value value) { return cast<RankedTensorType>(value.getType()).getDimSize(1); }

} // namespace

std::int64_t prefillTokens(const isa::Machine &machine, ModuleOp module) {
  std::int64_t widest = 1;
  module.walk([&](llm::LinearOp op) {
    widest = std::max(widest, Layout::plain(machine.lanes(), widthOf(op.getInput())).vectors());
  });
  module.walk([&](llm::AttentionOp op) {
    auto cache = SymbolTable::lookupNearestSymbolFrom<llm::KVCacheOp>(op, op.getCacheAttr());
    if (cache && static_cast<std::int64_t>(cache.getHeadDim()) <= machine.lanes())
      widest = std::max(widest, Layout::heads(machine.lanes(), cache.getHeads(), cache.getHeadDim()).vectors());
  });
  std::int64_t logitVectors = 1; // of one token; all tokens' logits share a bank
  if (func::FuncOp forward = llm::forwardFunction(module))
    logitVectors = Layout::plain(machine.lanes(), widthOf(forward.getBody().front().getTerminator()->getOperand(0))).vectors();
  return std::min<std::int64_t>(machine.mxmActivationRows / 4 / widest, machine.memRowsPerBank / logitVectors);
}

ProgramLowering::ProgramLowering(ModuleOp module, const isa::Machine &machine, ObjectPool &pool, llm::StepOp step)
    : module(module), machine(machine), pool(pool), step(step), builder(OpBuilder::atBlockEnd(module.getBody())),
      loc(step.getLoc()), tokens(step.getTokens()), context(step.getContext()), sweepLength((context + 7) / 8 * 8),
      accumulatorCursor(2 * machine.mxmPlanesPerSide, 0) {}

LogicalResult ProgramLowering::run(func::FuncOp forward) {
  auto kind = step.getKind() == llm::StepKind::Prefill ? "prefill" : "decode";
  program = stream::ProgramOp::create(builder, loc, step.getSymName(), kind, tokens, context, 0);
  builder.setInsertionPointToEnd(&program.getBody().emplaceBlock());
  for (Operation &op : forward.getBody().front())
    if (failed(lower(&op)))
      return failure();
  program.setWeightBytes(weightBytes);
  return success();
}

LogicalResult ProgramLowering::lower(Operation *op) {
  return llvm::TypeSwitch<Operation *, LogicalResult>(op)
      .Case<llm::EmbeddingOp>([&](auto o) { return lowerEmbedding(o), success(); })
      .Case<llm::RmsNormOp>([&](auto o) { return lowerNorm(o), success(); })
      .Case<llm::LinearOp>([&](auto o) { return lowerLinear(o); })
      .Case<llm::RopeOp>([&](auto o) { return lowerRope(o), success(); })
      .Case<llm::AttentionOp>([&](auto o) { return lowerAttention(o); })
      .Case<llm::SiluMulOp>([&](auto o) { return lowerSiluMul(o), success(); })
      .Case<llm::AddOp>([&](auto o) { return lowerAdd(o), success(); })
      .Case<func::ReturnOp>([&](auto o) { return lowerReturn(o), success(); })
      .Default([](Operation *o) { return o->emitOpError("has no lowering to the stream dialect"); });
}

void ProgramLowering::beginPhase(const std::string &label) {
  builder.setInsertionPointToEnd(&program.getBody().front());
  auto phase = stream::PhaseOp::create(builder, loc, label);
  builder.setInsertionPointToEnd(&phase.getBody().emplaceBlock());
  std::fill(accumulatorCursor.begin(), accumulatorCursor.end(), 0);
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

double ProgramLowering::scaleOf(Value value) {
  return cast<quant::UniformQuantizedType>(cast<RankedTensorType>(value.getType()).getElementType()).getScale();
}

std::string ProgramLowering::layerLabel(StringRef tensor, StringRef what) {
  auto [head, rest] = tensor.split('.');
  if (head != "blk")
    return what.str();
  return fmt::format("layer {}: {}", rest.split('.').first.str(), what.str());
}

void ProgramLowering::emitTile(const std::string &object, std::int64_t plane) {
  stream::LoadTileOp::create(builder, loc, FlatSymbolRefAttr::get(builder.getContext(), object), builder.getI64IntegerAttr(plane));
  stream::InstallOp::create(builder, loc, builder.getI64IntegerAttr(plane));
}

//===-- embedding and per-step tables -----------------------------------------===//

void ProgramLowering::lowerEmbedding(llm::EmbeddingOp op) {
  beginPhase("embedding");
  Layout layout = Layout::plain(machine.lanes(), widthOf(op.getResult()));
  std::string tensor = tensorOf(op.getWeight());
  auto weight = cast<llm::WeightOp>(SymbolTable::lookupSymbolIn(module, op.getWeight()));
  std::int64_t banks = (weight.getRows() + machine.memRowsPerBank - 1) / machine.memRowsPerBank;
  int shift = 0;
  while ((1 << shift) < machine.memRowsPerBank)
    ++shift;
  std::string token = pool.input("token", tokens);
  residual = pool.scratch("x", 4, tokens * layout.vectors(), 0);
  for (std::int64_t t = 0; t < tokens; ++t)
    for (std::int64_t v = 0; v < layout.vectors(); ++v)
      for (std::int64_t bank = 0; bank < banks; ++bank) {
        std::string table = pool.embeddingTable(tensor, weight.getRows(), layout, v, bank);
        FlowWriter w = flow();
        Value id = w.read(token, t), map;
        if (banks == 1) {
          map = w.mapTo(id, table);
        } else {
          // Every bank is asked; those that do not hold the row answer with zeros, which add nothing.
          Value isHere = w.alu("cmpeqi", {w.alu("sra", {id, Operand::i32(shift)}), Operand::i32(bank)});
          Value row = w.mapTo(w.alu("and", {id, Operand::i32(machine.memRowsPerBank - 1)}), table);
          map = w.alu("select", {isHere, row, Operand::i32(0xFFFF)}, 2);
        }
        Value x = w.alu("cvt.f16.f32", {w.gather(map, table)});
        if (bank > 0)
          x = w.alu("addf", {x, w.read(residual, t * layout.vectors() + v)});
        w.write(x, residual, t * layout.vectors() + v);
      }
}

//===-- linear ------------------------------------------------------------------===//

LogicalResult ProgramLowering::lowerLinear(llm::LinearOp op) {
  if (pendingInput && pendingInput != op.getInput())
    flushLinears();
  pendingInput = op.getInput();
  std::int64_t width = widthOf(op.getResult());
  auto want = [&](const Layout &rows) { pending.push_back({op, rows, &sums[{op, rows.swap}]}); };
  Operation *user = *op->getUsers().begin();
  auto rope = dyn_cast<llm::RopeOp>(user);
  Value headed = rope ? rope.getResult() : op.getResult();
  auto attention = dyn_cast<llm::AttentionOp>(rope ? *rope->getUsers().begin() : user);
  if (!attention)
    return want(Layout::plain(machine.lanes(), width)), success();
  auto cache = cast<llm::KVCacheOp>(SymbolTable::lookupSymbolIn(module, attention.getCache()));
  std::int64_t heads = cache.getHeads(), headDim = cache.getHeadDim();
  if (headDim > machine.lanes())
    return op->emitOpError("heads of ") << headDim << " elements do not fit a vector of " << machine.lanes() << " lanes";
  // Keys and values are laid out per query head, so that no lane ever moves; grouped heads are repeated.
  std::int64_t group = headed == attention.getQuery() ? 1 : heads / static_cast<std::int64_t>(cache.getKvHeads());
  want(Layout::heads(machine.lanes(), heads, headDim, group, false));
  if (rope)
    want(Layout::heads(machine.lanes(), heads, headDim, group, true));
  return success();
}

void ProgramLowering::flushLinears() {
  if (pending.empty())
    return;
  const Digits &input = digits[pendingInput];
  std::string firstTensor = tensorOf(pending.front().op.getWeight());
  std::string what = firstTensor.find("attn_q") != std::string::npos        ? "qkv"
                     : firstTensor.find("attn_output") != std::string::npos ? "attention output"
                     : firstTensor.find("ffn_gate") != std::string::npos    ? "ffn gate, up"
                     : firstTensor.find("ffn_down") != std::string::npos    ? "ffn down"
                     : firstTensor.find("blk.") != std::string::npos        ? "linear"
                                                                            : "lm_head";
  beginPhase(layerLabel(firstTensor, what));

  std::int64_t columns = input.layout.vectors(), rowTiles = 0, planes = 2 * machine.mxmPlanesPerSide, next = 0;
  for (const PendingLinear &linear : pending)
    rowTiles += linear.rows.vectors();
  // Few output tiles: deal the input tiles of each over the planes and add the partial sums in VXM.
  bool spread = rowTiles < planes && columns > 1;
  std::set<Operation *> counted;
  for (PendingLinear &linear : pending) {
    auto weight = cast<llm::WeightOp>(SymbolTable::lookupSymbolIn(module, linear.op.getWeight()));
    std::string tensor = weight.getSource().str();
    if (counted.insert(linear.op).second)
      weightBytes += weight.getRows() * weight.getCols();
    Sums &out = *linear.sums;
    out.rows = linear.rows;
    out.scales = pool.channelScales(tensor, linear.rows, input.scale, linear.op.getFactor().convertToDouble());
    out.parts.resize(linear.rows.vectors());
    for (std::int64_t n = 0; n < linear.rows.vectors(); ++n) {
      out.parts[n].resize(tokens);
      // A tile and its swapped twin are emitted together, so they stand on different planes.
      std::int64_t pinned = linear.rows.swap ? (sums[{linear.op, false}].parts[n][0][0].first + 1) % planes : next % planes;
      std::set<std::int64_t> started;
      std::map<std::int64_t, std::int64_t> firstRow;
      for (std::int64_t k = 0; k < columns; ++k) {
        std::int64_t plane = spread ? (next + k) % planes : pinned;
        bool first = started.insert(plane).second;
        if (first)
          firstRow[plane] = nextAccumulator(plane, 2 * tokens);
        emitTile(pool.weightTile(tensor, linear.rows, n, input.layout, k, plane), plane);
        for (std::int64_t t = 0; t < tokens; ++t) {
          std::int64_t row = input.row + 2 * (t * columns + k), acc = firstRow[plane] + 2 * t;
          flow().pass(plane, row + 1, acc, !first);
          flow().pass(plane, row, acc + 1, !first);
          if (first)
            out.parts[n][t].push_back({plane, acc});
        }
      }
      next += spread ? columns : 1;
    }
  }
  pending.clear();
  pendingInput = {};
}

Value ProgramLowering::linearValue(FlowWriter &w, const Sums &sums, std::int64_t token, std::int64_t vector) {
  auto total = [&](std::int64_t digit) {
    std::vector<Value> parts;
    for (auto [plane, acc] : sums.parts[vector][token])
      parts.push_back(w.emit(plane, acc + digit));
    while (parts.size() > 1) { // a tree, kept level by moving the odd one along
      std::vector<Value> next;
      for (std::size_t i = 0; i + 1 < parts.size(); i += 2)
        next.push_back(w.alu("addi", {parts[i], parts[i + 1]}));
      if (parts.size() % 2)
        next.push_back(w.alu("move", {parts.back()}));
      parts = next;
    }
    return parts.front();
  };
  Value high = w.alu("mulf", {w.alu("cvt.i32.f32", {total(0)}), Operand::f32(256.0f)});
  Value sum = w.alu("addf", {high, w.alu("cvt.i32.f32", {total(1)})});
  return w.alu("mulf", {sum, w.read(sums.scales, vector)});
}

void ProgramLowering::lowerSiluMul(llm::SiluMulOp op) {
  flushLinears();
  const Sums &gate = sums[{op.getGate().getDefiningOp(), false}], &up = sums[{op.getUp().getDefiningOp(), false}];
  std::int64_t vectors = gate.rows.vectors(), row = nextHalf();
  for (std::int64_t t = 0; t < tokens; ++t)
    for (std::int64_t v = 0; v < vectors; ++v) {
      FlowWriter w = flow();
      Value g = linearValue(w, gate, t, v);
      Value e = w.alu("exp", {w.alu("mulf", {g, Operand::f32(-1.0f)})});
      Value sigmoid = w.alu("recip", {w.alu("addf", {e, Operand::f32(1.0f)})});
      Value silu = w.aluHolding("mulf", g, sigmoid);
      w.loadDigits16(w.alu("mulf", {silu, linearValue(w, up, t, v)}), row + 2 * (t * vectors + v));
    }
  digits[op.getResult()] = {gate.rows, row, scaleOf(op.getResult())};
}

void ProgramLowering::lowerAdd(llm::AddOp op) {
  flushLinears();
  const Sums &branch = sums[{op.getBranch().getDefiningOp(), false}];
  std::int64_t vectors = branch.rows.vectors();
  for (std::int64_t t = 0; t < tokens; ++t)
    for (std::int64_t v = 0; v < vectors; ++v) {
      FlowWriter w = flow();
      Value y = linearValue(w, branch, t, v);
      w.write(w.alu("addf", {y, w.read(residual, t * vectors + v)}), residual, t * vectors + v);
    }
}

void ProgramLowering::lowerReturn(func::ReturnOp op) {
  flushLinears();
  const Sums &logits = sums[{op.getOperand(0).getDefiningOp(), false}];
  std::int64_t vectors = logits.rows.vectors();
  std::string output = pool.output("logits", tokens * vectors);
  for (std::int64_t t = 0; t < tokens; ++t)
    for (std::int64_t v = 0; v < vectors; ++v) {
      FlowWriter w = flow();
      w.write(linearValue(w, logits, t, v), output, t * vectors + v);
    }
  builder.setInsertionPointToStart(&program.getBody().front());
  auto bind = [&](StringRef name, std::int64_t count, std::int64_t lanes, std::int64_t elements) {
    stream::BindingOp::create(builder, loc, name, name, tokens, count, lanes, elements);
  };
  bind("token", 1, machine.lanes(), 1);
  pool.input("position", tokens); // the host writes it even when no attention reads it
  bind("position", 1, machine.lanes(), 1);
  bind("logits", vectors, machine.lanes(), logits.rows.elements);
}

} // namespace lpu::compiler
