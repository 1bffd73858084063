// From scores to the result of attention in tiles: exponentials as int16 weights,
// weights times values and their sums, the quotient.

#include "LowerTileAttention.h"

#include "lpu/isa/Numerics.h"

#include <utility>

using namespace mlir;

namespace lpu::compiler {

/// Weights e of the heads from `head` on for the positions of a block: high digits to the side's even plane, low digits
/// to its odd one.
void TileAttention::weigh(std::int64_t block, std::int64_t side, std::int64_t head, std::int64_t row) {
  for (const Items &part : bursts(burst, head % kSquare)) {
    std::int64_t first = head + part.member;
    FlowWriter w = flow(part.count);
    Value packed = w.read(largest(), first / kSquare * chunk.count + part.token, step(1, 0), !chunk.tokensInside);
    Value held = chunk.tokensInside ? w.alu("move", {packed}) : w.repeatHeld(packed);
    Value maximum = w.lanes("distribute.broadcast", held, side, first % kSquare, step(0, 1));
    Value score = w.read(scores(block), scoreRow(part.token, block, first), 1);
    Value e = w.alu("exp", {w.alu("subf", {score, maximum})});
    Value weight = w.alu("cvt.f32.d16", {w.alu("mulf", {e, Operand::f32(isa::kDigit16Max)})});
    std::int64_t planes[] = {2 * side, 2 * side + 1}, at = row + itemRow(part);
    w.load(w.digits16(weight), planes, {1, 0}, {at, at}, 1);
  }
}

void TileAttention::multiplyValues(std::int64_t vector, std::int64_t slot, std::int64_t block, std::int64_t row,
                                   const Mixed &mixed) {
  std::int64_t plane = 2 * mixed.side, rows = headDim / kSquare, perBlock = layouts.value.perVector() / kSquare;
  for (std::int64_t digit : {1, 0}) {
    loadTile(valueTiles(vector, digit, valueBlocks.part(block)), valueBlocks.index(block) * perBlock + slot * rows,
             rows, slot * rows, plane, true, true);
    flow(items()).pass(plane, row, mixed.high[1 - digit], mixed.started);
    flow(items()).pass(plane + 1, row, mixed.low[1 - digit], mixed.started);
  }
}

/// Sums of a head's weights in the lanes of its slot.
void TileAttention::sumWeights(std::int64_t row, const Mixed &mixed) {
  flow(items()).pass(2 * mixed.side, row, mixed.high[2], mixed.summed);
  flow(items()).pass(2 * mixed.side + 1, row, mixed.low[2], mixed.summed);
}

void TileAttention::mix() {
  std::int64_t half = machine.mxmActivationRows / 2, together = std::max<std::int64_t>(1, half / items());
  for (std::int64_t v = 0; v < valueBlocks.vectors; ++v) {
    std::vector<Mixed> sums;
    for (std::int64_t b = 0; b < std::min(blocks, valueBlocks.parts()); ++b) {
      Mixed &mixed = sums.emplace_back();
      mixed.side = valueBlocks.side(b, v);
      for (int i = 0; i < 3; ++i) {
        mixed.high[i] = p.nextAccumulator(2 * mixed.side, items());
        mixed.low[i] = p.nextAccumulator(2 * mixed.side + 1, items());
      }
    }
    for (std::int64_t slot = 0; slot < layouts.value.slotsUsed(v); ++slot)
      for (std::int64_t first = 0; first < blocks; first += together)
        mixSlot(v, slot, first, std::min(blocks, first + together), sums);
    divide(v, sums);
  }
}

/// Adds what blocks first … end − 1 contribute to the heads of a slot.
void TileAttention::mixSlot(std::int64_t vector, std::int64_t slot, std::int64_t first, std::int64_t end,
                            std::vector<Mixed> &sums) {
  std::int64_t head = (vector * layouts.value.slots + slot) * group, width = headDim / kSquare;
  std::vector<std::int64_t> rows;
  for (std::int64_t b = first; b < end; ++b) {
    std::int64_t side = valueBlocks.side(b, vector);
    rows.push_back(activationRows(side, items()));
    weigh(b, side, head, rows.back());
  }
  for (std::int64_t b = first; b < end; ++b) {
    Mixed &mixed = sums[valueBlocks.part(b)];
    multiplyValues(vector, slot, b, rows[b - first], mixed);
    mixed.started = true;
  }
  for (auto [part, mixed] : llvm::enumerate(sums)) {
    bool installed = false;
    for (std::int64_t b = first; b < end; ++b) {
      if (valueBlocks.part(b) != static_cast<std::int64_t>(part))
        continue;
      if (!std::exchange(installed, true))
        loadTile(p.pool.onesTile(2 * mixed.side), 0, width, slot * width, 2 * mixed.side, false, true);
      sumWeights(rows[b - first], mixed);
      mixed.summed = true;
    }
  }
}

void TileAttention::divide(std::int64_t vector, const std::vector<Mixed> &sums) {
  bool intoRows = !layouts.result.packed && !p.written.count(op.getResult()); // both digits, an operation apart
  for (const Items &part : bursts(intoRows ? machine.latency.VxmSimple : burst))
    divide(part, vector, sums);
}

/// out of N11. A plane's emits may not fall into one cycle, so moves bring them as many VXM operations apart as the
/// burst is long.
void TileAttention::divide(const Items &part, std::int64_t vector, const std::vector<Mixed> &sums) {
  std::int64_t x = machine.latency.VxmSimple, apart = ceilDiv(part.count, x), vectors = layouts.value.vectors() * group;
  FlowWriter w = flow(part.count);
  auto total = [&](bool high, int i) {
    SmallVector<Value> parts;
    for (const Mixed &mixed : sums)
      parts.push_back(w.emit(2 * mixed.side + !high, (high ? mixed.high : mixed.low)[i] + itemRow(part)));
    return parts.size() > 1 ? w.alu("addi", {parts[0], parts[1]}) : parts[0];
  };
  auto real = [&](Value v) { return w.alu("cvt.i32.f32", {v}); };
  Value high = w.alu("mulf", {real(total(true, 0)), Operand::f32(256.0f)});
  for (std::int64_t i = 0; i < apart; ++i)
    high = w.alu("move", {high});
  Value mixed = real(w.alu("addi", {total(true, 1), total(false, 0)}));
  Value upper = w.alu("mulf", {w.alu("addf", {high, mixed}), Operand::f32(256.0f)});
  Value value = w.alu("addf", {upper, real(total(false, 1))});
  Value inverse = w.alu("recip", {real(w.joinHigh(total(true, 2), total(false, 2)))});
  for (std::int64_t late = machine.latency.VxmSpecial; late < 2 * (apart + 1) * x; late += x)
    inverse = w.alu("move", {inverse});
  Value result = w.alu("mulf", {value, inverse});
  std::int64_t token = chunk.first + part.token, at = vector * group + part.member;
  if (layouts.result.packed) {
    w.write(w.alu("cvt.f32.d16", {result}, 2), table("a", 2, p.tokens * vectors, 0), token * vectors + at,
            step(vectors, 1));
    return;
  }
  std::int64_t perToken = p.written.count(op.getResult()) ? layouts.result.gather().vectors() : vectors;
  p.passOnDigits(w, op.getResult(), result, token, at, out + 2 * (token * vectors + at), step(perToken, 1));
}

/// Moves the pieces of the last vectors into the lanes that the others have to spare, and loads the digits.
void TileAttention::packResult(std::int64_t token, std::int64_t count) {
  const Layout &result = layouts.result;
  std::int64_t kept = result.vectors(), all = result.elements / result.perVector(), pieces = result.piecesPerVector(),
               first = token * all;
  std::string vectors = table("a", 2, p.tokens * all, 0), lanes = laneIndex();
  for (std::int64_t v = 0; v < kept; ++v) {
    FlowWriter w = flow(count);
    std::int64_t row = out + 2 * (token * kept + v);
    if (result.lanesUsed(v) == result.perVector()) {
      w.loadDigits(w.read(vectors, first + v, all), row, 2 * kept);
      continue;
    }
    // Superlane k of the moved vector is superlane k + amount of its source.
    std::int64_t from = v % pieces * result.spareLanes() / kSquare, to = result.perVector() / kSquare;
    Value source = w.alu("move", {w.read(vectors, first + kept + v / pieces, all)}, 2);
    Value piece = w.lanes("permute.rotate", source, v % 2, (from - to + machine.superlanes) % machine.superlanes, 0,
                          v / 2 % 2 * 2);
    Value isOwn = w.alu("subi", {w.read(lanes, 0), Operand::i32(static_cast<std::int32_t>(result.perVector()))});
    w.loadDigits(w.alu("select", {isOwn, w.read(vectors, first + v, all), piece}), row, 2 * kept);
  }
}

} // namespace lpu::compiler
