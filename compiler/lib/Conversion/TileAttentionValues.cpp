// From scores to the result of attention in tiles: exponentials as int16 weights,
// weights times values and their sums, the quotient.

#include "LowerTileAttention.h"

#include "lpu/isa/Numerics.h"

#include <algorithm>
#include <utility>

using namespace mlir;

namespace lpu::compiler {

/// Weights e of the heads from `head` on for the positions of a block: high digits to the side's even plane, low digits
/// to its odd one.
void TileAttention::weigh(std::int64_t block, std::int64_t side, std::int64_t head, std::int64_t row) {
  for (const Items &part : bursts(burst, head % kSquare)) {
    std::int64_t first = head + part.member;
    FlowWriter w = flow(part.count);
    Value packed = w.read(largest(), maximaRow(first / kSquare, part.token), step(1, 0), !chunk.tokensInside);
    Value held = chunk.tokensInside ? w.alu("move", {packed}) : w.repeatHeld(packed);
    Value maximum = w.lanes("distribute.broadcast", held, side, first % kSquare, step(0, 1));
    Value score = w.read(scores(block, first), scoreRow(part.token, block, first), 1);
    Value e = w.alu("exp", {w.alu("subf", {score, maximum})});
    Value weight = w.alu("cvt.f32.d16", {w.alu("mulf", {e, Operand::f32(isa::kDigit16Max)})});
    std::int64_t planes[] = {2 * side, 2 * side + 1}, at = row + itemRow(part);
    w.load(w.digits16(weight), planes, {1, 0}, {at, at}, 1);
  }
}

void TileAttention::multiplyValues(std::int64_t vector, std::int64_t slot, std::int64_t block, std::int64_t row,
                                   const Mixed &mixed) {
  std::int64_t plane = 2 * mixed.side, rows = headDim / kSquare, perBlock = layouts.value.perVector() / kSquare;
  for (std::int64_t digit : cachedDigits()) {
    loadRows(valueTiles(vector, digit, valueBlocks.part(block)), valueBlocks.index(block) * perBlock + slot * rows,
             rows, slot * rows, plane, true, true);
    if (digit == cachedDigits().front() && sumsInTile())
      loadRows(p.pool.onesTile(plane), 0, 1, machine.superlanes - 1 - slot, plane, false, true);
    install(plane, true);
    flow(items()).pass(plane, row, mixed.high[1 - digit], mixed.started);
    flow(items()).pass(plane + 1, row, mixed.low[1 - digit], mixed.started);
  }
}

/// Sums of a head's weights in the lanes of its slot.
void TileAttention::sumWeights(std::int64_t row, const Mixed &mixed) {
  flow(items()).pass(2 * mixed.side, row, mixed.high[2], mixed.summed);
  flow(items()).pass(2 * mixed.side + 1, row, mixed.low[2], mixed.summed);
}

void TileAttention::mix(std::int64_t vector) {
  std::int64_t half = machine.mxmActivationRows / 2, together = std::max<std::int64_t>(1, half / items());
  std::vector<Mixed> sums;
  for (std::int64_t b = 0; b < std::min(blocks, valueBlocks.parts()); ++b) {
    Mixed &mixed = sums.emplace_back();
    mixed.side = valueBlocks.side(b, vector);
    for (int i = narrow(); i < (sumsInTile() ? 2 : 3); ++i) {
      mixed.high[i] = p.nextAccumulator(2 * mixed.side, items());
      mixed.low[i] = p.nextAccumulator(2 * mixed.side + 1, items());
    }
  }
  for (std::int64_t slot = 0; slot < layouts.value.slotsUsed(vector); ++slot)
    for (std::int64_t first = 0; first < blocks; first += together)
      mixSlot(vector, slot, first, std::min(blocks, first + together), sums);
  divide(vector, sums);
}

/// Adds what blocks first … end − 1 contribute to the heads of a slot.
void TileAttention::mixSlot(std::int64_t vector, std::int64_t slot, std::int64_t first, std::int64_t end,
                            std::vector<Mixed> &sums) {
  std::int64_t head = (vector * layouts.value.slots + slot) * group, width = headDim / kSquare;
  std::vector<std::int64_t> rows;
  for (std::int64_t b = first; b < end; ++b) {
    std::int64_t side = valueBlocks.side(b, vector);
    rows.push_back(activationRows(side, items(), true));
    weigh(b, side, head, rows.back());
  }
  for (std::int64_t b = first; b < end; ++b) {
    Mixed &mixed = sums[valueBlocks.part(b)];
    multiplyValues(vector, slot, b, rows[b - first], mixed);
    mixed.started = true;
  }
  if (sumsInTile())
    return;
  for (auto [part, mixed] : llvm::enumerate(sums)) {
    bool installed = false;
    for (std::int64_t b = first; b < end; ++b) {
      if (valueBlocks.part(b) != static_cast<std::int64_t>(part))
        continue;
      if (!std::exchange(installed, true)) {
        loadRows(p.pool.onesTile(2 * mixed.side), 0, width, slot * width, 2 * mixed.side, false, true);
        install(2 * mixed.side, true);
      }
      sumWeights(rows[b - first], mixed);
      mixed.summed = true;
    }
  }
}

void TileAttention::divide(std::int64_t vector, const std::vector<Mixed> &sums) {
  bool intoRows = !layouts.result.packed && !p.written.count(op.getResult()); // both digits, an operation apart
  auto quotient = [&](const Items &part) {
    divide(part, vector, sums);
    if (sumsInTile())
      divideSpread(part, vector);
  };
  // A burst over heads ends where vectors are taken apart.
  std::int64_t kept = layouts.result.vectors() - vector * group;
  for (const Items &part : bursts(intoRows ? machine.latency.VxmSimple : burst)) {
    std::int64_t rest = chunk.tokensInside ? 0 : part.member + part.count - std::max(kept, part.member);
    if (rest <= 0 || rest == part.count) {
      quotient(part);
      continue;
    }
    quotient({part.token, part.member, part.count - rest});
    quotient({part.token, kept, rest});
  }
}

/// out of N11. A plane's emits may not fall into one cycle, so moves bring them as many VXM operations apart as the
/// burst is long. Sums of weights in other lanes than their values' wait with these in memory.
void TileAttention::divide(const Items &part, std::int64_t vector, const std::vector<Mixed> &sums) {
  std::int64_t x = machine.latency.VxmSimple, apart = ceilDiv(part.count, x);
  FlowWriter w = flow(part.count);
  auto total = [&](bool high, int i) {
    SmallVector<Value> parts;
    for (const Mixed &mixed : sums)
      parts.push_back(w.emit(2 * mixed.side + !high, (high ? mixed.high : mixed.low)[i] + itemRow(part)));
    return parts.size() > 1 ? w.alu("addi", {parts[0], parts[1]}) : parts[0];
  };
  auto real = [&](Value v) { return w.alu("cvt.i32.f32", {v}); };
  auto later = [&](Value v, std::int64_t operations) {
    for (; operations > 0; --operations)
      v = w.alu("move", {v});
    return v;
  };
  Value highSum = total(true, narrow()), lowSum = total(false, narrow());
  Value high = w.alu("mulf", {real(highSum), Operand::f32(256.0f)}), value;
  if (narrow()) {
    value = w.alu("addf", {high, real(lowSum)});
  } else {
    Value mixed = real(w.alu("addi", {total(true, 1), lowSum}));
    Value upper = w.alu("mulf", {w.alu("addf", {later(high, apart), mixed}), Operand::f32(256.0f)});
    value = w.alu("addf", {upper, real(total(false, 1))});
  }
  if (sumsInTile()) {
    Value shifted = w.alu("shl", {highSum, Operand::i32(8)});
    Value sum = w.alu("addi", {later(shifted, narrow() ? 0 : apart - 1), lowSum});
    w.write(value, table("mixed.values", 4, chunk.room * group, ownGroup(5, 5)), itemRow(part), 1);
    w.write(sum, table("mixed.sums", 4, chunk.room * group, 1), itemRow(part), 1);
    return;
  }
  Value inverse = w.alu("recip", {real(w.joinHigh(total(true, 2), total(false, 2)))});
  inverse = later(inverse, ceilDiv((narrow() ? apart : 2 * (apart + 1)) * x - machine.latency.VxmSpecial, x));
  passOn(w, inUnitsOfResult(w, w.alu("mulf", {value, inverse})), part, vector);
}

/// int8 values are in units of their own (r of N16).
Value TileAttention::inUnitsOfResult(FlowWriter &w, Value quotient) {
  return narrow() ? p.times(w, quotient, p.attentionFactors(op, headDim)[2]) : quotient;
}

/// The quotient of what waits in memory; the sum of a slot's weights is in a superlane at the end.
void TileAttention::divideSpread(const Items &part, std::int64_t vector) {
  FlowWriter w = flow(part.count);
  Value sum = w.alu("move", {w.read("mixed.sums", itemRow(part), 1)});
  Value spread = w.lanes("permute.spread", sum, nextQueue++ % 2, headDim / kSquare);
  Value inverse = w.alu("recip", {w.alu("cvt.i32.f32", {spread})});
  passOn(w, inUnitsOfResult(w, w.alu("mulf", {w.read("mixed.values", itemRow(part), 1), inverse})), part, vector);
}

void TileAttention::passOn(FlowWriter &w, Value result, const Items &part, std::int64_t vector) {
  std::int64_t vectors = layouts.value.vectors() * group, token = chunk.first + part.token,
               at = vector * group + part.member;
  if (layouts.result.packed) {
    // Vectors that are taken apart and those that take up the pieces are read together.
    std::int64_t kept = layouts.result.vectors(), first = at < kept ? 0 : kept, each = first ? vectors - kept : kept;
    w.write(w.alu("cvt.f32.d16", {result}, 2), unpacked(first), p.rowOf(token, at - first, each),
            step(p.tokenStep(each), p.vectorStep()));
    return;
  }
  bool written = p.written.count(op.getResult());
  std::int64_t perToken = written ? p.writtenRow(layouts.result, 1, 0) : vectors,
               perVector = written ? p.writtenRow(layouts.result, 0, 1) : 1;
  p.passOnDigits(w, op.getResult(), result, token, at, out + 2 * (token * vectors + at), step(perToken, perVector));
}

/// Moves the pieces of the last vectors into the lanes that the others have to spare, and loads the digits.
void TileAttention::packResult(std::int64_t token, std::int64_t count) {
  const Layout &result = layouts.result;
  std::int64_t kept = result.vectors(), apart = result.elements / result.perVector() - kept,
               pieces = result.piecesPerVector();
  std::string lanes = laneIndex();
  for (std::int64_t v = 0; v < kept; ++v) {
    FlowWriter w = flow(count);
    std::int64_t row = out + 2 * (token * kept + v);
    if (result.lanesUsed(v) == result.perVector()) {
      p.passOnQuantized(w, op.getResult(), w.read(unpacked(0), p.rowOf(token, v, kept), p.tokenStep(kept)), token, v,
                        row, 2 * kept);
      continue;
    }
    // Superlane k of the moved vector is superlane k + amount of its source.
    std::int64_t from = v % pieces * result.spareLanes() / kSquare, to = result.perVector() / kSquare;
    Value source = w.alu("move", {w.read(unpacked(kept), p.rowOf(token, v / pieces, apart), p.tokenStep(apart))}, 2);
    Value piece = w.lanes("permute.rotate", source, v % 2, (from - to + machine.superlanes) % machine.superlanes, 0,
                          v / 2 % 2 * 2);
    Value isOwn = w.alu("subi", {w.read(lanes, 0), Operand::i32(static_cast<std::int32_t>(result.perVector()))});
    Value packed = w.alu("select", {isOwn, w.read(unpacked(0), p.rowOf(token, v, kept), p.tokenStep(kept)), piece});
    p.passOnQuantized(w, op.getResult(), packed, token, v, row, 2 * kept);
  }
}

} // namespace lpu::compiler
