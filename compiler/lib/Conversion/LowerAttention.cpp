// Attention (numerics.md N6, N7) without moving a lane: per position, the
// products q·k of a vector of heads become digits, a tile of per-head ones sums
// them over each head and spreads the score over the head's lanes, where it
// meets the value row. Positions pass one a cycle; softmax and the weighted sum
// are accumulators in VXM. See docs/decisions for how this compares with
// contracting over positions in MXM.

#include "LowerTileAttention.h"
#include "ProgramLowering.h"

#include "lpu/compiler/Conversion/DoesNotFit.h"
#include "lpu/compiler/Support/ModelConstants.h"
#include "lpu/isa/Numerics.h"

#include <fmt/format.h>

#include <utility>

using namespace mlir;

namespace lpu::compiler {

namespace {

/// Tokens whose values are summed together: 5 ALUs each and one for the shared value row make 16.
constexpr std::int64_t kGroup = 3;

/// Scores before they are capped and masked.
constexpr char kRawScores[] = "scores.raw";

/// Score buffers, a multiple of the group. As many as a quarter of a slice group holds, up to eight groups: score flows
/// and value flows fill VXM in different patterns, so the fewer changes between the two the better.
std::int64_t scoreBuffers(const isa::Machine &machine, std::int64_t positions) {
  return kGroup * std::clamp<std::int64_t>(machine.memRowsPerBank / 2 / positions, 1, 8);
}

} // namespace

std::string ProgramLowering::cacheName(std::string name, std::int64_t token) const {
  return users > 1 ? fmt::format("{}.user.{}", name, userOf(token)) : name;
}

std::string ProgramLowering::cacheObject(char which, std::int64_t vector, std::int64_t token) {
  return pool.zero(cacheName(fmt::format("kv.{}.{}.{}", cacheLayer, which, vector), token),
                   cacheType == llm::KVType::Int8 ? 1 : 2, (cacheCapacity + 7) / 8 * 8, which == 'k' ? 3 : 5);
}

Value ProgramLowering::ropeValue(FlowWriter &w, Value source, std::int64_t token, std::int64_t vector) {
  auto rope = source.getDefiningOp<llm::RopeOp>();
  Operation *linear = rope.getInput().getDefiningOp();
  const Sums &plain = sums[{linear, false}];
  if (rope.getStill())
    return linearValue(w, plain, token, vector);
  const Sums &turned = sums[{linear, true}];
  Value straight = linearValue(w, plain, token, vector), swapped = linearValue(w, turned, token, vector);
  std::string kind = ropeKind(rope);
  // Two operations apart, so that sums of both in one plane are not wanted in one cycle.
  bool meet = plain.object.empty() && llvm::any_of(plain.parts[vector][token], [&](auto part) {
                return llvm::any_of(turned.parts[vector][token], [&](auto other) { return other.first == part.first; });
              });
  if (meet)
    straight = w.alu("move", {w.alu("move", {straight})});
  return w.alu("addf", {w.alu("mulf", {straight, w.read("step.cos" + kind, token)}),
                        w.alu("mulf", {swapped, w.read("step.sin" + kind, token)})});
}

std::vector<llm::RopeOp> ProgramLowering::turningRopes(Operation *op) {
  std::vector<llm::RopeOp> kinds;
  auto alike = [](llm::RopeOp a, llm::RopeOp b) {
    return a.getBaseAttr() == b.getBaseAttr() && a.getFreqsAttr() == b.getFreqsAttr() &&
           a.getMagnitude() == b.getMagnitude();
  };
  for (auto rope : op->getBlock()->getOps<llm::RopeOp>())
    if (!rope.getStill() && llvm::none_of(kinds, [&](llm::RopeOp known) { return alike(known, rope); }))
      kinds.push_back(rope);
  return kinds;
}

std::string ProgramLowering::ropeKind(llm::RopeOp op) {
  std::vector<llm::RopeOp> kinds = turningRopes(op);
  auto same = llvm::find_if(kinds, [&](llm::RopeOp known) {
    return known.getBaseAttr() == op.getBaseAttr() && known.getFreqsAttr() == op.getFreqsAttr();
  });
  return same == kinds.begin() ? "" : fmt::format(".{}", same - kinds.begin());
}

std::optional<std::int64_t> ProgramLowering::window() const {
  ModuleOp whole = module;
  for (auto cache : whole.getOps<llm::KVCacheOp>())
    if (cache.getWindow())
      return static_cast<std::int64_t>(*cache.getWindow());
  return std::nullopt;
}

void ProgramLowering::lowerRope(llm::RopeOp op) {
  // Once per program: this step's rows of the rope tables, and −2 − position, from which the causal mask counts up.
  if (std::exchange(hasStepTables, true))
    return;
  OpBuilder::InsertionGuard guard(builder);
  auto first = cast<stream::PhaseOp>(&program.getBody().front().front()); // the embedding's phase has room for it
  builder.setInsertionPointToEnd(&first.getBody().front());
  auto attention = cast<llm::AttentionOp>(*op->getUsers().begin());
  auto cache = cast<llm::KVCacheOp>(SymbolTable::lookupSymbolIn(module, attention.getCache()));
  std::string position = pool.input("position", tokens);
  if (attention.getTiles())
    return TileAttention(*this, attention).writeStepTables(turningRopes(op));
  auto positions = static_cast<std::int64_t>(cache.getCapacity());
  SmallVector<std::pair<std::string, std::string>> factors; ///< table, and rows of the step
  for (llm::RopeOp turning : turningRopes(op)) {
    std::string freqs = freqsOf(turning), kind = ropeKind(turning);
    factors.emplace_back(pool.ropeTable(false, turning, kind, positions, freqs),
                         pool.scratch("step.cos" + kind, 4, tokens, 3));
    factors.emplace_back(pool.ropeTable(true, turning, kind, positions, freqs),
                         pool.scratch("step.sin" + kind, 4, tokens, 5));
  }
  for (std::int64_t t = 0; t < tokens; ++t) {
    for (const auto &[table, rows] : factors) {
      FlowWriter w = flow();
      Value row = w.gather(w.mapTo(w.read(position, t), table), table);
      w.write(w.alu("move", {row}), rows, t);
    }
    auto count = [&](std::int64_t from, const char *rows) {
      FlowWriter w = flow();
      w.write(w.alu("subi", {Operand::i32(static_cast<std::int32_t>(from)), w.read(position, t)}),
              pool.scratch(rows, 4, tokens, 1), t);
    };
    count(-2, "step.counter");
    if (window()) // negative as long as a position is older
      count(*window() - 2, "step.counter.window");
  }
}

void ProgramLowering::storeKeysAndValues(llm::AttentionOp op, const Layout &heads) {
  const Sums &values = sums[{op.getValue().getDefiningOp(), false}];
  bool half = cacheType == llm::KVType::Half, narrow = cacheType == llm::KVType::Int8;
  std::string queries = pool.scratch("q", half ? 4 : 2, tokens * heads.vectors(), 1);
  for (std::int64_t t = 0; t < tokens; ++t)
    for (std::int64_t v = 0; v < heads.vectors(); ++v) {
      {
        FlowWriter w = flow();
        std::string keys = cacheObject('k', v, t);
        Value k = w.alu(narrow ? "cvt.f32.i8"
                        : half ? "cvt.f32.f16"
                               : "cvt.f32.d16",
                        {ropeValue(w, op.getKey(), t, v)}, narrow ? 1 : 2);
        w.scatter(k, w.mapTo(w.read("position", t), keys), keys);
      }
      {
        FlowWriter w = flow();
        Value q = w.alu("cvt.f32.d16", {ropeValue(w, op.getQuery(), t, v)}, half ? 4 : 2);
        if (half) // fp32, so that the sweep need not convert it
          q = w.alu("mulf", {w.alu("cvt.i32.f32", {q}), Operand::f32(kHalfStep)});
        w.write(q, queries, t * heads.vectors() + v);
      }
      FlowWriter w = flow();
      std::string cache = cacheObject('v', v, t);
      Value y = linearValue(w, values, t, v);
      Value value =
          narrow ? w.alu("cvt.f32.i8", {w.alu("mulf", {y, Operand::f32(valueConstants(llm::valueStep(op)).stored)})}, 1)
                 : w.alu("cvt.f32.f16", {y}, 2);
      w.scatter(value, w.mapTo(w.read("position", t), cache), cache);
    }
}

Value ProgramLowering::times(FlowWriter &w, Value value, const AttentionFactor &factor) {
  if (factor.object.empty())
    return w.alu("mulf", {value, Operand::f32(factor.value)});
  // The factors of a score are wanted in one cycle but share their slices.
  return w.aluHolding("mulf", w.read(factor.object, factor.row, 0, true), value, factor.row);
}

std::array<ProgramLowering::AttentionFactor, 4> ProgramLowering::attentionFactors(llm::AttentionOp op,
                                                                                  std::int64_t headDim) {
  Scale query = scaleOf(op.getQuery()), key = scaleOf(op.getKey()), result = scaleOf(op.getResult());
  ScoreConstants score = llm::scoreConstantsOf(op);
  std::string object;
  bool half = llm::kvType(op) == llm::KVType::Half;
  auto scale = op.getScale() ? std::optional(op.getScale()->convertToDouble()) : std::nullopt;
  if (!query.name.empty())
    object = pool.attentionFactors(op.getCache().str(), query, key, result, headDim, scale, half ? 6 : 4);
  float step = half ? 1 / kHalfStep : 1;
  std::array<AttentionFactor, 4> factors{{{score.scoreHi * step, object, half ? 4 : 0},
                                          {score.scoreLo * step, object, half ? 5 : 1},
                                          {inverseScale(result.value), object, 2},
                                          {256.0f * score.scoreLo, object, 3}}};
  if (llm::kvType(op) == llm::KVType::Int8)
    factors[2] = {valueConstants(llm::valueStep(op)).result, "", 0};
  return factors;
}

Value ProgramLowering::causal(FlowWriter &w, Value score, Value counter) {
  Value ahead = w.accumulate("addi", Operand::i32(1), counter);
  return w.alu("select", {ahead, score, Operand::f32(ScoreConstants::kMasked)}); // negative up to the own position
}

void ProgramLowering::writeScores(FlowWriter &w, Value masked, std::int64_t at, std::int64_t rows, std::int64_t slot) {
  w.write(masked, pool.scratch(fmt::format("scores.{}", slot), 4, sweepLength, 2 * (slot % kGroup)), 0, 1);
  Value maximum = w.accumulate("maxf", masked, std::bit_cast<std::uint32_t>(ScoreConstants::kMasked));
  w.write(w.last("move", maximum), pool.scratch(fmt::format("score.max.{}", slot), 4, rows, 2 * (slot % kGroup)), at);
}

/// Caps and windows are a sweep of their own: the ALUs are all taken by the one that makes the scores.
void ProgramLowering::settleScores(llm::AttentionOp op, std::int64_t token, std::int64_t vector, std::int64_t vectors,
                                   std::int64_t slot) {
  FlowWriter w = flow(sweepLength);
  Value counter = w.read("step.counter", token, 0, true);
  Value masked = causal(w, softCap(w, w.read(kRawScores, 0, 1), op.getCap()), counter);
  if (llm::lookupCache(op, op.getCacheAttr()).getWindow()) {
    Value older = w.accumulate("addi", Operand::i32(1), w.read("step.counter.window", token, 0, true));
    masked = w.alu("select", {older, Operand::f32(ScoreConstants::kMasked), masked});
  }
  writeScores(w, masked, token * vectors + vector, tokens * vectors, slot);
}

void ProgramLowering::scoreFlow(llm::AttentionOp op, std::int64_t token, std::int64_t vector, std::int64_t vectors,
                                std::int64_t slot, const AttentionFactor &high, const AttentionFactor &low) {
  FlowWriter w = flow(sweepLength);
  bool settles = op.getCap() || llm::lookupCache(op, op.getCacheAttr()).getWindow();
  Value query = w.read("q", token * vectors + vector, 0, true);
  Value counter = settles ? Value() : w.read("step.counter", token, 0, true);
  Value key = w.read(cacheObject('k', vector, token), 0, 1);
  bool half = cacheType == llm::KVType::Half;
  Value product = half ? w.alu("cvt.f32.i32", {w.aluHolding("mulf", query, w.alu("cvt.f16.f32", {key}))})
                       : w.aluHolding("muli", query, key);
  Value biased = w.alu("addi", {product, Operand::i32(isa::kDigit32Bias)});
  Value east = w.alu("xor", {biased, Operand::i32(isa::kDigit32Bias)}),
        west = w.alu("xor", {biased, Operand::i32(isa::kDigit32Bias)});
  // Digits 3 and 1 are shifted left by 8 before they meet 2 and 0, so those are played one ALU latency later.
  std::int64_t row = otherHalf(), acc = machine.mxmAccumulatorRows - 1, delay = machine.latency.VxmSimple;
  // Of fp16 keys there is no digit 3, and digit 2 waits for the other two to be joined.
  Value d3 = half ? Value() : w.sweep(east, 3, 0, row, acc, 0), d1 = w.sweep(east, 1, 1, row, acc, 0);
  Value d2 = w.sweep(west, 2, 2, row, acc, half ? 2 * delay : delay), d0 = w.sweep(west, 0, 3, row, acc, delay);
  Value upper = times(w, w.alu("cvt.i32.f32", {half ? d2 : w.joinHigh(d3, d2)}), high);
  Value lower = times(w, w.alu("cvt.i32.f32", {w.joinHigh(d1, d0)}), low);
  Value score = w.alu("addf", {upper, lower});
  if (!settles)
    return writeScores(w, causal(w, score, counter), token * vectors + vector, tokens * vectors, slot);
  w.write(score, pool.scratch(kRawScores, 4, sweepLength, 5), 0, 1);
  settleScores(op, token, vector, vectors, slot);
}

void ProgramLowering::valueFlow(llm::AttentionOp op, ArrayRef<std::int64_t> group, std::int64_t vector,
                                std::int64_t vectors, const AttentionFactor &inverse, std::int64_t row,
                                std::int64_t firstSlot) {
  FlowWriter w = flow(sweepLength);
  Value value = w.alu(cacheType == llm::KVType::Int8 ? "cvt.i32.f32" : "cvt.f16.f32",
                      {w.read(cacheObject('v', vector, group.front()), 0, 1)});
  for (auto [member, token] : llvm::enumerate(group)) {
    std::int64_t slot = firstSlot + static_cast<std::int64_t>(member);
    Value maximum = w.read(fmt::format("score.max.{}", slot), token * vectors + vector, 0, true);
    Value score = w.read(fmt::format("scores.{}", slot), 0, 1);
    Value exponent = w.alu("exp", {w.subtractHeld(score, maximum)});
    Value sum = w.accumulate("addf", exponent, 0u);
    Value weighted = w.accumulate("addf", w.alu("mulf", {exponent, value}), 0u);
    // Each token's digits are loaded twice, one ALU latency apart; the tokens' loads must fall between those.
    std::int64_t latency = machine.latency.VxmSimple, step = latency >= kGroup ? 1 : 2 * latency;
    std::int64_t stagger = static_cast<std::int64_t>(member) * step;
    Value reciprocal = w.alu("recip", {w.last("move", sum, {}, stagger)});
    Value normal = w.last("mulf", weighted, reciprocal);
    passOnDigits(w, op.getResult(), times(w, normal, inverse), token, vector, row + 2 * (token * vectors + vector));
  }
}

LogicalResult ProgramLowering::lowerAttention(llm::AttentionOp op) {
  flushLinears();
  if (op.getTiles())
    return TileAttention(*this, op).lower();
  auto cache = cast<llm::KVCacheOp>(SymbolTable::lookupSymbolIn(module, op.getCache()));
  if (static_cast<std::int64_t>(cache.getCapacity()) > machine.memRowsPerBank) {
    noteDoesNotFit(op, {Resource::BankRows, static_cast<std::int64_t>(cache.getCapacity()), machine.memRowsPerBank});
    return op->emitOpError("the cache of ")
           << cache.getCapacity() << " positions does not fit one memory bank of " << machine.memRowsPerBank << " rows";
  }
  cacheLayer = cache.getLayer(), cacheCapacity = cache.getCapacity(), cacheType = llm::kvType(op);
  Layout heads = headsOf(cache, 1, false);
  storeKeysAndValues(op, heads);

  beginPhase(fmt::format("layer {}: attention", cacheLayer));
  std::int64_t out = nextHalf();
  for (std::int64_t plane = 0; plane < 4; ++plane)
    emitTile(pool.headOnesTile(cache.getHeadDim(), plane), plane);
  auto [high, low, inverse, unused] = attentionFactors(op, cache.getHeadDim());
  noteDigits(op.getResult(), heads, out, "a");
  std::int64_t slot = 0;
  for (std::int64_t v = 0; v < heads.vectors(); ++v)
    for (std::int64_t t0 = 0, count; t0 < tokens;
         t0 += count, slot = (slot + kGroup) % scoreBuffers(machine, sweepLength)) {
      count = std::min(kGroup, (userOf(t0) + 1) * tokens / users - t0); // they share a user's values
      SmallVector<std::int64_t> group;
      for (std::int64_t t = t0; t < t0 + count; ++t) {
        scoreFlow(op, t, v, heads.vectors(), slot + t - t0, high, low);
        group.push_back(t);
      }
      valueFlow(op, group, v, heads.vectors(), inverse, out, slot);
    }
  return success();
}

} // namespace lpu::compiler
