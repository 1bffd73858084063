// EncoderLowering: walk of @forward, embeddings, norms, GELU, and what is done with a
// value while it is on its way. Linears are in EncoderLinear.cpp, attention in
// EncoderAttention.cpp.

#include "EncoderLowering.h"

#include "lpu/compiler/Support/ModelConstants.h"
#include "lpu/isa/Numerics.h"

#include "llvm/ADT/TypeSwitch.h"

#include <fmt/format.h>

using namespace mlir;

namespace lpu::compiler {

namespace {

std::int64_t widthOf(Value value) { return cast<RankedTensorType>(value.getType()).getDimSize(1); }

/// Activation rows that sweeps use, behind those of fetched digits, and their accumulator.
constexpr std::int64_t kSweepRow = 120;

/// Hints of the objects that bursts use together: side h mod 2, group of four slices h / 2. No two of a flow share a
/// group.
enum Place : std::int64_t {
  kRows = 0, ///< and the next three
  kConstants = 4,
  kOffsets = 5,
  kMean = 7,
  kInverse = 6,
  kCentered = 8,
  kHigh = 9,
  kLow = 12,   ///< and the one before: what is read and what is written of high and low sums are on different sides
  kCodes = 14, ///< and the next seven
};

} // namespace

EncoderLowering::EncoderLowering(ModuleOp module, const isa::Machine &machine, ObjectPool &pool, llm::StepOp step)
    : module(module), machine(machine), pool(pool), step(step), builder(OpBuilder::atBlockEnd(module.getBody())),
      loc(step.getLoc()), tokens(step.getTokens()) {}

LogicalResult EncoderLowering::run(func::FuncOp forward) {
  if (tokens > machine.lanes() || 2 * tokens > machine.mxmAccumulatorRows)
    return step.emitError("encodes ") << tokens << " tokens; tiles and accumulators of '" << machine.name << "' hold "
                                      << std::min<std::int64_t>(machine.lanes(), machine.mxmAccumulatorRows / 2)
                                      << "; choose a smaller --max-context";
  program =
      stream::ProgramOp::create(builder, loc, step.getSymName(), "encode", tokens, step.getContext(), 0, IntegerAttr());
  builder.setInsertionPointToEnd(&program.getBody().emplaceBlock());
  for (Operation &op : forward.getBody().front())
    if (!done.contains(&op) && failed(lower(&op)))
      return failure();
  program.setWeightBytes(weightBytes);
  builder.setInsertionPointToStart(&program.getBody().front());
  auto bind = [&](StringRef name, const std::string &object, std::int64_t items, const Layout &layout) {
    stream::BindingOp::create(builder, loc, name, object, items, layout.vectors(), machine.lanes(), layout.elements);
  };
  Layout single = Layout::plain(machine.lanes(), 1);
  bind("token", pool.input("token", tokens), tokens, single);
  bind("type", pool.input("type", tokens), tokens, single);
  bind("length", pool.input("length", 1), 1, single);
  auto names = module->getAttrOfType<ArrayAttr>(llm::kOutputsAttr);
  for (auto [i, result] : llvm::enumerate(forward.front().getTerminator()->getOperands())) {
    bool isFirst = cast<RankedTensorType>(result.getType()).getDimSize(0) == 1;
    bind(cast<StringAttr>(names[i]).getValue(), outputObject(result), isFirst ? 1 : tokens, rowsOf(result));
  }
  return success();
}

LogicalResult EncoderLowering::lower(Operation *op) {
  if (!mlir::isa<llm::LinearOp>(op))
    phaseInput = {};
  auto lowered =
      llvm::TypeSwitch<Operation *, LogicalResult>(op)
          .Case<llm::EmbeddingSumOp>([&](auto o) { return lowerEmbedding(o), success(); })
          .Case<llm::LayerNormOp>([&](auto o) { return lowerNorm(o), success(); })
          .Case<llm::GeluOp>([&](auto o) { return lowerGelu(o), success(); })
          .Case<llm::FirstOp>([&](auto o) { return lowerFirst(o), success(); })
          .Case<llm::SiluOp>([&](auto o) { return lowerSilu(o), success(); })
          .Case<llm::MeanOp>([&](auto o) { return lowerMean(o), success(); })
          .Case<llm::NormalizeOp>([&](auto o) { return lowerNormalize(o), success(); })
          .Case<llm::QuantizeOp, llm::AddOp, llm::TanhOp, llm::ReluOp, llm::SigmoidOp>(
              [&](auto o) { return lowerAlone(o), success(); })
          .Case<llm::LinearOp>([&](auto o) { return lowerLinear(o); })
          .Case<llm::SelfAttentionOp>([&](auto o) { return lowerAttention(o); })
          .Case<func::ReturnOp>([](auto) { return success(); })
          .Default([](Operation *o) { return o->emitOpError("has no lowering to the stream dialect in an encoder"); });
  done.insert(op);
  return lowered;
}

void EncoderLowering::beginPhase(const std::string &label) {
  builder.setInsertionPointToEnd(&program.getBody().front());
  auto opened = stream::PhaseOp::create(builder, loc, label);
  builder.setInsertionPointToEnd(&opened.getBody().emplaceBlock());
  accumulated[0] = accumulated[1] = 0;
}

std::string EncoderLowering::tensorOf(StringRef symbol) {
  return cast<llm::WeightOp>(SymbolTable::lookupSymbolIn(module, symbol)).getSource().str();
}

/// Values of attention are laid out by heads, all others as they come.
Layout EncoderLowering::rowsOf(Value value) {
  for (Operation *user : value.getUsers())
    if (auto quantize = dyn_cast<llm::QuantizeOp>(user))
      value = quantize.getResult();
  for (Operation *user : value.getUsers())
    if (auto attention = dyn_cast<llm::SelfAttentionOp>(user))
      return Layout::headsInGroups(machine.lanes(), attention.getHeads(), widthOf(value) / attention.getHeads());
  if (auto quantize = value.getDefiningOp<llm::QuantizeOp>();
      quantize && quantize.getInput().getDefiningOp<llm::SelfAttentionOp>())
    value = quantize.getInput();
  if (auto attention = value.getDefiningOp<llm::SelfAttentionOp>())
    return Layout::headsInGroups(machine.lanes(), attention.getHeads(), widthOf(value) / attention.getHeads());
  return Layout::plain(machine.lanes(), widthOf(value));
}

//===-- what becomes of a value ------------------------------------------------------===//

bool EncoderLowering::takesAlong(Value result, llm::AddOp add) {
  Value other = add.getBranch() == result ? add.getResidual() : add.getBranch();
  return other != result && !done.contains(add) && rows.contains(other);
}

/// Whether an operation will read the value from memory.
bool EncoderLowering::wantsRows(Value result) {
  std::int64_t scales =
      llvm::count_if(result.getUsers(), [](Operation *user) { return mlir::isa<llm::QuantizeOp>(user); });
  return scales > 1 || llvm::any_of(result.getUsers(), [&](Operation *user) {
           auto add = dyn_cast<llm::AddOp>(user);
           return mlir::isa<llm::LayerNormOp, llm::FirstOp, llm::MeanOp, llm::NormalizeOp, llm::SigmoidOp>(user) ||
                  (add && !takesAlong(result, add));
         });
}

bool EncoderLowering::isLive(Value value) const {
  return llvm::any_of(value.getUsers(), [&](Operation *user) {
    return !done.contains(user) || (mlir::isa<llm::FirstOp>(user) && isLive(user->getResult(0)));
  });
}

std::int64_t EncoderLowering::bufferOf(Value value, std::vector<Value> &holders) {
  for (std::size_t i = 0; i < holders.size(); ++i)
    if (holders[i] == value)
      return static_cast<std::int64_t>(i);
  auto free = llvm::find_if(holders, [&](Value held) { return !isLive(held); });
  if (free == holders.end())
    free = holders.insert(holders.end(), value);
  *free = value;
  return free - holders.begin();
}

std::string EncoderLowering::rowsObject(Value value) {
  std::int64_t buffer = bufferOf(value, rowHolders);
  return pool.scratch(fmt::format("rows.{}", buffer), 4, tokens * rowsOf(value).vectors(), kRows + buffer);
}

std::string EncoderLowering::codesObject(Value value) {
  std::int64_t buffer = bufferOf(value, codeHolders), count = tokens * rowsOf(value).vectors();
  std::string name = fmt::format("codes.{}", buffer);
  pool.scratch(name + ".east", 2, count, kCodes + 2 * buffer),
      pool.scratch(name + ".west", 2, count, kCodes + 2 * buffer + 1);
  return name;
}

func::ReturnOp EncoderLowering::results() {
  return cast<func::ReturnOp>(llm::forwardFunction(module).front().getTerminator());
}

std::string EncoderLowering::outputObject(Value result) {
  auto operands = results().getOperands();
  auto number = std::distance(operands.begin(), llvm::find(operands, result));
  bool isFirst = cast<RankedTensorType>(result.getType()).getDimSize(0) == 1;
  return pool.output(fmt::format("out.{}", number), (isFirst ? 1 : tokens) * rowsOf(result).vectors());
}

void EncoderLowering::writeOutputs(FlowWriter &w, Value made, Value result, std::int64_t vector) {
  if (llvm::is_contained(results().getOperands(), result))
    w.write(made, outputObject(result), vector, rowsOf(result).vectors());
}

void EncoderLowering::quantize(FlowWriter &w, Value made, llm::QuantizeOp op, std::int64_t vector, std::int64_t count) {
  double scale = *llm::activationScale(op.getResult());
  Layout layout = rowsOf(op.getResult());
  std::string object = codesObject(op.getResult());
  storeCodes(w, w.alu("mulf", {made, Operand::f32(inverseScale(scale))}), op, object, vector);
  codes[op.getResult()] = {object, layout, count, scale};
  done.insert(op);
}

void EncoderLowering::storeCodes(FlowWriter &w, Value scaled, llm::QuantizeOp op, const std::string &object,
                                 std::int64_t vector) {
  Value code = w.alu("cvt.f32.d16", {scaled});
  if (op.getLow()) {
    code = w.alu("maxi", {code, Operand::i32(static_cast<std::int32_t>(*op.getLow()))});
    code = w.alu("mini", {code, Operand::i32(static_cast<std::int32_t>(*op.getHigh()))});
  }
  Value biased = w.alu("addi", {code, Operand::i32(isa::kDigit16Bias)});
  for (const char *side : {".east", ".west"})
    w.write(w.alu("xor", {biased, Operand::i32(isa::kDigit16Bias)}, 2), object + side, vector * tokens, 1);
}

void EncoderLowering::finish(FlowWriter &w, Value made, Value result, std::int64_t vector, std::int64_t count) {
  bool isLast = vector + 1 == rowsOf(result).vectors(), isQuantized = false;
  writeOutputs(w, made, result, vector);
  if (wantsRows(result)) {
    std::string object = rowsObject(result);
    w.write(made, object, vector * tokens, 1);
    if (isLast)
      rows[result] = {object, rowsOf(result), count};
  }
  for (Operation *user : llvm::to_vector(result.getUsers())) {
    if (auto op = dyn_cast<llm::QuantizeOp>(user)) {
      if (!std::exchange(isQuantized, true)) // there are not ALUs for several scales in one flow
        quantize(w, made, op, vector, count);
    } else if (auto op = dyn_cast<llm::TanhOp>(user)) {
      finish(w, w.alu("tanh", {made}), op.getResult(), vector, count);
      done.insert(op);
    } else if (auto op = dyn_cast<llm::ReluOp>(user)) {
      finish(w, w.alu("reluf", {made}), op.getResult(), vector, count);
      done.insert(op);
    } else if (auto op = dyn_cast<llm::AddOp>(user); op && takesAlong(result, op)) {
      Value other = op.getBranch() == result ? op.getResidual() : op.getBranch();
      const Rows &held = rows.find(other)->second;
      finish(w, w.alu("addf", {made, w.read(held.object, vector * tokens, 1)}), op.getResult(), vector, count);
      if (isLast)
        done.insert(op);
    } else if (mlir::isa<llm::GeluOp, llm::SiluOp>(user)) {
      // What is needed more than once, at different times, is written as often (N22, N24).
      std::int64_t all = tokens * rowsOf(result).vectors();
      w.write(made, pool.scratch("gelu.x.0", 4, all, 6), vector * tokens, 1);
      w.write(made, pool.scratch("gelu.x.1", 4, all, 8), vector * tokens, 1);
      if (mlir::isa<llm::SiluOp>(user))
        continue;
      Value square = w.alu("minf", {w.alu("mulf", {made, made}), Operand::f32(GeluConstants::kLargest)});
      w.write(square, pool.scratch("gelu.s.0", 4, all, 7), vector * tokens, 1);
      w.write(square, pool.scratch("gelu.s.1", 4, all, 9), vector * tokens, 1);
    }
  }
}

//===-- operations ---------------------------------------------------------------------===//

void EncoderLowering::lowerAlone(Operation *op) {
  beginPhase("values");
  Value input = op->getOperand(0), result = op->getResult(0);
  const Rows held = rows.find(input)->second;
  for (std::int64_t v = 0; v < held.layout.vectors(); ++v) {
    FlowWriter w = flow(held.count);
    Value x = w.read(held.object, v * tokens, 1);
    if (auto codesOp = dyn_cast<llm::QuantizeOp>(op)) {
      quantize(w, x, codesOp, v, held.count);
    } else if (mlir::isa<llm::TanhOp>(op)) {
      finish(w, w.alu("tanh", {x}), result, v, held.count);
    } else if (mlir::isa<llm::ReluOp>(op)) {
      finish(w, w.alu("reluf", {x}), result, v, held.count);
    } else if (mlir::isa<llm::SigmoidOp>(op)) {
      Value y = sigmoid(w, x, -1.0f);
      if (held.layout.lanesUsed(v) < machine.lanes()) // lanes beyond the width hold zeros
        y = w.alu("mulf", {y, w.read(pool.usedLanes(held.layout, kConstants), v)});
      finish(w, y, result, v, held.count);
    } else {
      const Rows other = rows.find(op->getOperand(1))->second;
      finish(w, w.alu("addf", {x, w.read(other.object, v * tokens, 1)}), result, v, held.count);
    }
  }
}

void EncoderLowering::lowerFirst(llm::FirstOp op) {
  if (auto held = rows.find(op.getInput()); held != rows.end()) {
    Rows first = held->second;
    first.count = 1;
    rows[op.getResult()] = first;
  }
  if (auto held = codes.find(op.getInput()); held != codes.end()) {
    Codes first = held->second;
    first.count = 1;
    codes[op.getResult()] = first;
  }
  if (llvm::any_of(op.getResult().getUsers(), [](Operation *u) { return mlir::isa<llm::GeluOp, llm::SiluOp>(u); })) {
    beginPhase("values");
    const Rows held = rows.find(op.getInput())->second;
    for (std::int64_t v = 0; v < held.layout.vectors(); ++v) {
      FlowWriter w = flow(1);
      finish(w, w.alu("move", {w.read(held.object, v * tokens)}), op.getResult(), v, 1);
    }
  } else if (llvm::is_contained(results().getOperands(), op.getResult())) {
    beginPhase("values");
    for (std::int64_t v = 0; v < rowsOf(op.getResult()).vectors(); ++v) {
      FlowWriter w = flow(1);
      writeOutputs(w, w.alu("move", {w.read(rows[op.getResult()].object, v * tokens)}), op.getResult(), v);
    }
  }
}

void EncoderLowering::lowerEmbedding(llm::EmbeddingSumOp op) {
  beginPhase("embedding");
  prepareAttention();
  auto words = cast<llm::WeightOp>(SymbolTable::lookupSymbolIn(module, op.getWords()));
  Layout layout = Layout::plain(machine.lanes(), widthOf(op.getResult()));
  // Whole banks are rare where bursts have their objects all over the memory, so large tables come in quarters of one.
  std::int64_t chunk = words.getRows() > machine.memRowsPerBank ? machine.memRowsPerBank / 4 : machine.memRowsPerBank;
  std::int64_t banks = (words.getRows() + chunk - 1) / chunk;
  int shift = 0;
  while ((std::int64_t{1} << shift) < chunk)
    ++shift;
  std::string token = pool.input("token", tokens), type = pool.input("type", tokens);
  auto place = [&](std::int64_t bank) {
    return pool.scratch(fmt::format("words.{}", bank), 4, tokens, bank % 2 ? 6 : 7);
  };
  for (std::int64_t bank = 0; banks > 1 && bank < banks;
       ++bank) { // rows of every bank; those that hold none are told apart
    FlowWriter w = flow(tokens);
    Value id = w.read(token, 0, 1);
    Value isHere =
        w.alu("cmpeqi", {w.alu("sra", {id, Operand::i32(shift)}), Operand::i32(static_cast<std::int32_t>(bank))});
    Value row = w.alu("and", {id, Operand::i32(static_cast<std::int32_t>(chunk - 1))});
    w.write(w.alu("select", {isHere, w.alu("move", {row}), Operand::i32(FlowWriter::kNoRow)}), place(bank), 0, 1);
  }
  std::string sum = pool.scratch("words.sum", 4, tokens * layout.vectors(), 8);
  for (std::int64_t t = 0; t < tokens; ++t)
    for (std::int64_t v = 0; v < layout.vectors(); ++v)
      for (std::int64_t bank = 0; bank < banks; ++bank) {
        std::string table = pool.embeddingTable(tensorOf(op.getWords()), words.getRows(), layout, v, bank, -1, chunk);
        FlowWriter w = flow(1);
        Value map = banks > 1 ? w.mapToOrNone(w.read(place(bank), t), table) : w.mapTo(w.read(token, t), table);
        Value x = w.alu("cvt.f16.f32", {w.gather(map, table)});
        if (bank > 0)
          x = w.alu("addf", {x, w.read(sum, v * tokens + t)});
        w.write(x, sum, v * tokens + t);
      }
  if (op.getTypes()) {
    auto types = cast<llm::WeightOp>(SymbolTable::lookupSymbolIn(module, *op.getTypes()));
    std::string typed = pool.scratch("words.typed", 4, tokens * layout.vectors(), 10);
    for (std::int64_t row = 0; row < tokens * layout.vectors(); ++row) {
      std::string table = pool.embeddingTable(tensorOf(*op.getTypes()), types.getRows(), layout, row / tokens, 0, 11);
      FlowWriter w = flow(1);
      Value x = w.alu("cvt.f16.f32", {w.gather(w.mapTo(w.read(type, row % tokens), table), table)});
      w.write(w.alu("addf", {w.read(sum, row), x}), typed, row);
    }
    sum = typed;
  }
  auto positions = cast<llm::WeightOp>(SymbolTable::lookupSymbolIn(module, op.getPositions()));
  std::int64_t held = std::min<std::int64_t>(positions.getRows(), machine.memRowsPerBank);
  for (std::int64_t v = 0; v < layout.vectors(); ++v) {
    std::string table = pool.embeddingTable(tensorOf(op.getPositions()), held, layout, v, 0, 9);
    FlowWriter w = flow(tokens);
    Value x = w.read(sum, v * tokens, 1);
    finish(w, w.alu("addf", {x, w.alu("cvt.f16.f32", {w.read(table, 0, 1)})}), op.getResult(), v, tokens);
  }
}

std::string EncoderLowering::sumObject(bool high, std::int64_t vector) {
  std::int64_t which = vector % 2;
  return pool.scratch(fmt::format("norm.{}.{}", high ? "high" : "low", which), 4, tokens,
                      high ? kHigh + which : kLow - which);
}

void EncoderLowering::onesTiles() {
  for (std::int64_t plane = 0; plane < 4; ++plane) {
    stream::LoadTileOp::create(builder, loc, FlatSymbolRefAttr::get(builder.getContext(), pool.onesTile(plane)),
                               builder.getI64IntegerAttr(plane), builder.getI64IntegerAttr(0), IntegerAttr(),
                               builder.getI64IntegerAttr(0), UnitAttr(), UnitAttr(), UnitAttr());
    stream::InstallOp::create(builder, loc, builder.getI64IntegerAttr(plane));
  }
}

void EncoderLowering::sumLanes(FlowWriter &w, Value scaled, std::int64_t vector, std::int64_t) {
  Value biased = w.alu("addi", {w.alu("cvt.f32.d32", {scaled}), Operand::i32(isa::kDigit32Bias)});
  Value east = w.alu("xor", {biased, Operand::i32(isa::kDigit32Bias)}),
        west = w.alu("xor", {biased, Operand::i32(isa::kDigit32Bias)});
  // Digits 3 and 1 are shifted left by 8 before they meet 2 and 0, so those are played one ALU latency later.
  std::int64_t acc = machine.mxmAccumulatorRows - 1, delay = machine.latency.VxmSimple;
  Value d3 = w.sweep(east, 3, 0, kSweepRow, acc, 0), d1 = w.sweep(east, 1, 1, kSweepRow, acc, 0);
  Value d2 = w.sweep(west, 2, 2, kSweepRow, acc, delay), d0 = w.sweep(west, 0, 3, kSweepRow, acc, delay);
  for (bool high : {true, false}) {
    Value sum = high ? w.joinHigh(d3, d2) : w.joinHigh(d1, d0);
    if (vector > 0)
      sum = w.alu("addi", {sum, w.read(sumObject(high, vector - 1), 0, 1)});
    w.write(sum, sumObject(high, vector), 0, 1);
  }
}

Value EncoderLowering::meanOf(FlowWriter &w, std::int64_t vectors, float high, float low) {
  auto part = [&](bool isHigh, float weight) {
    return w.alu("mulf", {w.alu("cvt.i32.f32", {w.read(sumObject(isHigh, vectors - 1), 0, 1)}), Operand::f32(weight)});
  };
  Value upper = part(true, high);
  return w.alu("addf", {upper, part(false, low)});
}

void EncoderLowering::lowerNorm(llm::LayerNormOp op) {
  using C = LayerNormConstants;
  const Rows held = rows.find(op.getInput())->second;
  std::string tensor = tensorOf(op.getWeight());
  beginPhase(fmt::format("layer {}: norm", layer));
  onesTiles();
  C c = layerNormConstants(static_cast<std::uint32_t>(widthOf(op.getInput())));
  std::int64_t vectors = held.layout.vectors(), n = held.count;
  std::string mean = pool.scratch("norm.mean", 4, tokens, kMean),
              inverse = pool.scratch("norm.inverse", 4, tokens, kInverse);
  std::string centered = pool.scratch("norm.centered", 4, tokens * vectors, kCentered);
  for (std::int64_t v = 0; v < vectors; ++v) {
    FlowWriter w = flow(n);
    sumLanes(w, w.alu("mulf", {w.read(held.object, v * tokens, 1), Operand::f32(C::kValue)}), v, vectors);
  }
  {
    FlowWriter w = flow(n);
    w.write(meanOf(w, vectors, c.valueHi, c.valueLo), mean, 0, 1);
  }
  for (std::int64_t v = 0; v < vectors; ++v) {
    FlowWriter w = flow(n);
    Value x = w.alu("subf", {w.read(held.object, v * tokens, 1), w.read(mean, 0, 1)});
    w.write(x, centered, v * tokens, 1);
    // Lanes beyond the width hold zeros, which stay out of the sum of squares.
    Value square = w.alu("mulf", {x, x});
    if (held.layout.lanesUsed(v) < machine.lanes())
      square = w.alu("mulf", {square, w.read(pool.usedLanes(held.layout, kConstants), v)});
    sumLanes(w, w.alu("mulf", {square, Operand::f32(C::kSquare)}), v, vectors);
  }
  {
    FlowWriter w = flow(n);
    Value variance = meanOf(w, vectors, c.squareHi, c.squareLo);
    w.write(w.alu("rsqrt", {w.alu("addf", {variance, Operand::f32(op.getEps().convertToFloat())})}), inverse, 0, 1);
  }
  std::string gains = pool.normGain(tensor, held.layout, {}, kConstants),
              offsets = pool.normGain(tensorOf(op.getBias()), held.layout, {}, kOffsets);
  for (std::int64_t v = 0; v < vectors; ++v) {
    FlowWriter w = flow(n);
    Value normed = w.alu("mulf", {w.read(centered, v * tokens, 1), w.read(inverse, 0, 1)});
    Value scaled = w.aluHolding("mulf", w.read(gains, v, 0, true), normed);
    finish(w, w.aluHolding("addf", w.read(offsets, v, 0, true), scaled), op.getResult(), v, n);
  }
}

void EncoderLowering::lowerGelu(llm::GeluOp op) {
  GeluConstants c = geluConstants(op.getApproximate());
  Layout layout = rowsOf(op.getInput());
  std::int64_t count = cast<RankedTensorType>(op.getInput().getType()).getDimSize(0) == 1 ? 1 : tokens;
  for (std::int64_t v = 0; v < layout.vectors(); ++v) {
    FlowWriter w = flow(count);
    std::int64_t row = v * tokens;
    Value slope =
        w.alu("addf", {w.alu("mulf", {w.read("gelu.s.0", row, 1), Operand::f32(c.second)}), Operand::f32(c.first)});
    slope = w.alu("addf", {w.alu("mulf", {slope, w.read("gelu.s.1", row, 1)}), Operand::f32(c.linear)});
    Value gate =
        w.alu("addf", {w.alu("tanh", {w.alu("mulf", {slope, w.read("gelu.x.0", row, 1)})}), Operand::f32(1.0f)});
    Value half = w.alu("mulf", {w.read("gelu.x.1", row, 1), Operand::f32(0.5f)});
    finish(w, w.alu("mulf", {half, gate}), op.getResult(), v, count);
  }
}

} // namespace lpu::compiler
