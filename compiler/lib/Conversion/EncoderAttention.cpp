// Attention of an encoder (numerics.md N23) as matrix products over whole sequences.
//
//   scores    keys are a tile (rows = positions), queries pass: lanes = positions, a row per token
//   maxima    queries are a tile, keys pass: lanes = tokens, so the maximum over positions is an accumulator's;
//             it is the same sums in another arrangement, and no lane ever moves
//   exponents a maximum comes out of its lane into all lanes through tiles of ones: its bits are four digits, of which
//             the sum over lanes is exact when all other lanes are zero
//   values    exponents pass through the transposed values (rows = elements, lanes = positions); heads of a vector add
//             up in the accumulators, for each fills its own rows of the tile only
//
// Values are transposed by passing unit vectors through them. A head's queries and keys are told from those that share
// their vector by masking one of the two.

#include "EncoderLowering.h"

#include "lpu/compiler/Support/ModelConstants.h"
#include "lpu/isa/Numerics.h"

#include <fmt/format.h>

#include <bit>

using namespace mlir;

namespace lpu::compiler {

namespace {

constexpr std::int64_t kSquare = 16;
constexpr std::int64_t kSweepRow = 120, kFetched = 40, kGroups = 3;
/// Hints of objects; flows use no two of one group of slices together.
enum Place : std::int64_t {
  kMask = 4,
  kCounter = 5,
  kSlots = 6,
  kUnits = 2,
  kTileRows = 3,
  kScores = 9,
  kMaxima = 10,
  kExponents = 12,
  kMixed = 0
};

} // namespace

void EncoderLowering::loadTile(const std::string &object, std::int64_t row, std::int64_t count, std::int64_t first,
                               std::int64_t side) {
  OpBuilder &b = builder;
  stream::LoadTileOp::create(b, loc, FlatSymbolRefAttr::get(b.getContext(), object), b.getI64IntegerAttr(2 * side),
                             b.getI64IntegerAttr(row), b.getI64IntegerAttr(count), b.getI64IntegerAttr(first),
                             UnitAttr(), b.getUnitAttr(), UnitAttr());
  for (std::int64_t plane : {2 * side, 2 * side + 1})
    stream::InstallOp::create(b, loc, b.getI64IntegerAttr(plane));
}

/// What tells tokens of the sequence from padding: negative in the lanes of tokens, and a number that counts up to it.
void EncoderLowering::prepareAttention() {
  std::string length = pool.input("length", 1);
  {
    FlowWriter w = flow(1);
    w.write(w.alu("subi", {w.read(pool.laneIndex(kSquare), 0), w.read(length, 0)}),
            pool.scratch("mask.lanes", 4, 1, kMask), 0);
  }
  FlowWriter w = flow(1);
  w.write(w.alu("subi", {Operand::i32(-1), w.read(length, 0)}), pool.scratch("mask.counter", 4, 1, kCounter), 0);
}

/// Digits [token][lane] as tiles with a row per token: high ones east, low ones west.
void EncoderLowering::makeTiles(const std::string &source, const std::string &tiles, std::int64_t vector) {
  std::int64_t groups = (tokens + kSquare - 1) / kSquare;
  std::string east = pool.cacheTiles(tiles + ".high", groups, 0), west = pool.cacheTiles(tiles + ".low", groups, 2);
  FlowWriter w = flow(tokens);
  Value code = w.read(source + ".east", vector * tokens, 1), place = w.read(pool.tileRows(kTileRows), 0, 1);
  w.scatterTile(w.alu("move", {code}, 2), 1, w.mapToOrNone(place, east), east);
  w.scatterTile(w.alu("move", {code}, 2), 0, w.mapToOrNone(place, west), west);
}

void EncoderLowering::transposeValues(std::int64_t vector, std::int64_t lanes) {
  std::int64_t groups = (tokens + kSquare - 1) / kSquare;
  loadTile("tiles.v.high", 0, groups, 0, 0);
  loadTile("tiles.v.low", 0, groups, 0, 1);
  std::string name = fmt::format("tiles.vt.{}", vector % 2);
  std::string east = pool.cacheTiles(name + ".high", machine.superlanes, 0),
              west = pool.cacheTiles(name + ".low", machine.superlanes, 2);
  FlowWriter w = flow(lanes);
  Value unit = w.read(pool.unitLanes(kUnits), 0, 1), place = w.read(pool.tileRows(kTileRows), 0, 1); // −1 in one lane
  auto turned = [&](std::int64_t side) {
    Value sum = w.sweep(w.alu("move", {unit}, 1), 0, 2 * side, kSweepRow, machine.mxmAccumulatorRows - 1, 0);
    return w.alu("subi", {Operand::i32(0), sum}, 1);
  };
  Value high = turned(0), low = turned(1);
  w.scatterTile(high, 0, w.mapToOrNone(place, east), east);
  w.scatterTile(low, 0, w.mapToOrNone(place, west), west);
}

/// A · 256c + C · c of N11 for one vector of codes through the tiles of high and low digits.
Value EncoderLowering::scoreValue(FlowWriter &w, const std::string &source, std::int64_t vector, std::int64_t slot,
                                  const ScoreConstants &c) {
  std::string masks = pool.slotMasks(rowsOfHeads, kSlots);
  Value code = w.read(source + ".east", vector * tokens, 1);
  Value east = w.aluHolding("and", w.read(masks, slot, 0, true), code);
  Value west = w.aluHolding("and", w.read(masks, slot, 0, true), code, 1);
  std::int64_t acc = machine.mxmAccumulatorRows - 1, x = machine.latency.VxmSimple;
  Value highHigh = w.sweep(east, 1, 0, kSweepRow, acc, 0), lowHigh = w.sweep(east, 0, 1, kSweepRow, acc, 0);
  Value highLow = w.sweep(west, 1, 2, kSweepRow, acc, 0), lowLow = w.sweep(west, 0, 3, kSweepRow, acc, x);
  Value upper = w.joinHigh(highHigh, w.alu("addi", {lowHigh, highLow}));
  upper = w.alu("mulf", {w.alu("cvt.i32.f32", {upper}), Operand::f32(256.0f * c.scoreLo)});
  Value lower = w.alu("mulf", {w.alu("cvt.i32.f32", {w.alu("move", {lowLow})}), Operand::f32(c.scoreLo)});
  return w.alu("addf", {upper, lower});
}

std::string EncoderLowering::headObject(const char *what, Head head, std::int64_t planes, std::int64_t count,
                                        std::int64_t hint) {
  return pool.scratch(fmt::format("att.{}.{}", what, head.slot), planes, count, hint);
}

void EncoderLowering::maxima(const Codes &keys, Head head, const ScoreConstants &c) {
  FlowWriter w = flow(tokens);
  Value score = scoreValue(w, keys.object, head.vector, head.slot, c);
  Value ahead = w.accumulate("addi", Operand::i32(1), w.read("mask.counter", 0, 0, true)); // negative for tokens
  Value masked = w.alu("select", {ahead, score, Operand::f32(ScoreConstants::kMasked)});
  Value largest = w.last("move", w.accumulate("maxf", masked, std::bit_cast<std::uint32_t>(ScoreConstants::kMasked)));
  Value digits =
      w.alu("xor", {w.alu("addi", {largest, Operand::i32(isa::kDigit32Bias)}), Operand::i32(isa::kDigit32Bias)});
  w.write(digits, headObject("max", head, 4, 1, kMaxima), 0);
}

void EncoderLowering::scores(const Codes &queries, Head head, const ScoreConstants &c) {
  FlowWriter w = flow(tokens);
  Value score = scoreValue(w, queries.object, head.vector, head.slot, c);
  Value masked = w.alu("select", {w.read("mask.lanes", 0), score, Operand::f32(ScoreConstants::kMasked)});
  w.write(masked, headObject("scores", head, 4, tokens, kScores), 0, 1);
}

void EncoderLowering::exponents(Head head) {
  FlowWriter w = flow(tokens);
  std::string largest = headObject("max", head, 4, 1, kMaxima);
  Value unit = w.read(pool.unitLanes(kUnits), 0, 1);
  Value east = w.aluHolding("and", w.read(largest, 0, 0, true), unit),
        west = w.aluHolding("and", w.read(largest, 0, 0, true), unit, 1);
  std::int64_t acc = machine.mxmAccumulatorRows - 1, x = machine.latency.VxmSimple;
  // Digits 3 and 1 are shifted left by 8 before they meet 2 and 0, so those are played one ALU latency later.
  Value d3 = w.sweep(east, 3, 0, kSweepRow, acc, 0), d1 = w.sweep(east, 1, 1, kSweepRow, acc, 0);
  Value d2 = w.sweep(west, 2, 2, kSweepRow, acc, x), d0 = w.sweep(west, 0, 3, kSweepRow, acc, x);
  Value upper = w.alu("shl", {w.joinHigh(d3, d2), Operand::i32(16)}), lower = w.alu("move", {w.joinHigh(d1, d0)});
  Value maximum = w.alu("addi", {upper, lower});
  Value exponent =
      w.alu("exp", {w.alu("subf", {w.read(headObject("scores", head, 4, tokens, kScores), 0, 1), maximum})});
  Value weight = w.alu("cvt.f32.d16", {w.alu("mulf", {exponent, Operand::f32(static_cast<float>(isa::kDigit16Max))})});
  Value biased = w.alu("addi", {weight, Operand::i32(isa::kDigit16Bias)});
  for (const char *side : {"exp.east", "exp.west"})
    w.write(w.alu("xor", {biased, Operand::i32(isa::kDigit16Bias)}, 2),
            headObject(side, head, 2, tokens, kExponents + (std::string_view(side) == "exp.west" ? 1 : 0)), 0, 1);
}

/// Exponents through the values of the head's elements, and through as many rows of ones; the sums of a vector's heads.
void EncoderLowering::weigh(Head head) {
  std::int64_t groups = rowsOfHeads / kSquare, first = head.slot * groups, ones = head.slot % 2;
  std::string values = fmt::format("tiles.vt.{}", head.vector % 2);
  for (std::int64_t side = 0; side < 2; ++side) {
    std::string weights = headObject(side ? "exp.west" : "exp.east", head, 2, tokens, kExponents + side);
    auto passAll = [&](std::int64_t acc, bool add) {
      for (std::int64_t t = 0; t < tokens; t += kFetched) {
        std::int64_t burst = std::min(kFetched, tokens - t), row = fetched[side]++ % kGroups * kFetched;
        for (std::int64_t digit : {1, 0}) {
          std::int64_t plane = 2 * side + 1 - digit;
          flow(burst).fetch(weights, t, digit, {plane}, row);
          flow(burst).pass(plane, row, acc + t, add);
        }
      }
    };
    loadTile(values + (side ? ".low" : ".high"), first, groups, first, side);
    passAll(0, head.slot > 0);
    if (side != ones)
      continue;
    loadTile(pool.onesTile(2 * side), first, groups, first, side);
    passAll(tokens, head.slot > 1);
  }
}

void EncoderLowering::divide(llm::SelfAttentionOp op, const Layout &layout, std::int64_t vector) {
  auto real = [](FlowWriter &w, Value v) { return w.alu("cvt.i32.f32", {v}); };
  std::string mixed = pool.scratch("att.mixed", 4, tokens * layout.vectors(), kMixed);
  auto requantized =
      dyn_cast<llm::QuantizeOp>(*op->getUsers().begin()); // the file has a scale of its own for what follows
  std::string object = codesObject(requantized ? requantized.getResult() : op.getResult());
  {
    FlowWriter w = flow(tokens);
    Value high = w.alu("mulf", {real(w, w.emit(0, 0)), Operand::f32(256.0f)});
    Value middle = real(w, w.alu("addi", {w.emit(1, 0), w.emit(2, 0)}));
    Value upper = w.alu("mulf", {w.alu("addf", {high, middle}), Operand::f32(256.0f)});
    w.write(w.alu("addf", {upper, real(w, w.emit(3, 0))}), mixed, vector * tokens, 1);
  }
  FlowWriter w = flow(tokens);
  bool both = layout.slotsUsed(vector) > 1; // the ones of odd heads passed on the other side
  auto total = [&](std::int64_t plane) {
    Value sum = w.emit(plane, tokens);
    return both ? w.alu("addi", {sum, w.emit(plane + 2, tokens)}) : sum;
  };
  Value inverse = w.alu("recip", {real(w, w.joinHigh(total(0), total(1)))});
  Value code = w.alu("cvt.f32.d16", {w.alu("mulf", {w.read(mixed, vector * tokens, 1), inverse})});
  if (requantized) {
    auto ratio =
        static_cast<float>(*llm::activationScale(op.getResult()) / *llm::activationScale(requantized.getResult()));
    storeCodes(w, w.alu("mulf", {real(w, code), Operand::f32(ratio)}), requantized, object, vector);
    return;
  }
  Value biased = w.alu("addi", {code, Operand::i32(isa::kDigit16Bias)});
  for (const char *side : {".east", ".west"})
    w.write(w.alu("xor", {biased, Operand::i32(isa::kDigit16Bias)}, 2), object + side, vector * tokens, 1);
}

LogicalResult EncoderLowering::lowerAttention(llm::SelfAttentionOp op) {
  const Codes queries = codes.find(op.getQuery())->second, keys = codes.find(op.getKey())->second,
              values = codes.find(op.getValue())->second;
  const Layout &layout = queries.layout;
  rowsOfHeads = layout.slotWidth();
  ScoreConstants c = scaledScores(queries.scale, keys.scale, op.getScale().convertToDouble());
  std::int64_t groups = (tokens + kSquare - 1) / kSquare;
  for (std::int64_t v = 0; v < layout.vectors(); ++v) {
    beginPhase(fmt::format("layer {}: attention", layer));
    std::int64_t heads = layout.slotsUsed(v);
    makeTiles(queries.object, "tiles.q", v);
    makeTiles(keys.object, "tiles.k", v);
    makeTiles(values.object, "tiles.v", v);
    loadTile("tiles.q.high", 0, groups, 0, 0), loadTile("tiles.q.low", 0, groups, 0, 1);
    for (std::int64_t h = 0; h < heads; ++h)
      maxima(keys, {v, h}, c);
    loadTile("tiles.k.high", 0, groups, 0, 0), loadTile("tiles.k.low", 0, groups, 0, 1);
    for (std::int64_t h = 0; h < heads; ++h)
      scores(queries, {v, h}, c);
    transposeValues(v, layout.lanesUsed(v));
    onesTiles();
    for (std::int64_t h = 0; h < heads; ++h)
      exponents({v, h});
    for (std::int64_t h = 0; h < heads; ++h)
      weigh({v, h});
    divide(op, layout, v);
  }
  auto requantized = dyn_cast<llm::QuantizeOp>(*op->getUsers().begin());
  if (requantized && !op.getResult().hasOneUse())
    return op.emitOpError("is taken with different scales, which is not lowered");
  Value result = requantized ? requantized.getResult() : op.getResult();
  codes[result] = {codesObject(result), layout, tokens, *llm::activationScale(result)};
  if (requantized)
    done.insert(requantized);
  ++layer;
  return success();
}

} // namespace lpu::compiler
