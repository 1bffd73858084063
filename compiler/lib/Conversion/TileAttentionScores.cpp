// Scores of attention in tiles, lanes = positions, and their maxima over lanes.
//
// One plane of a side has the high digits of a block of keys, the other one the low digits; every play of a query's
// digit is one of the four products of a score, and leaves for VXM as it arrives. VXM wants the product of both high
// digits two operations before those with a low one, so bursts of so many cycles alternate and keep both planes busy.

#include "LowerTileAttention.h"

#include "lpu/compiler/Support/ModelConstants.h"
#include "lpu/isa/Numerics.h"

#include <algorithm>
#include <bit>

using namespace mlir;

namespace lpu::compiler {

/// First of the activation rows of a merged vector's queries on either side, −1 where none of its keys are: the items'
/// high digits, then their low ones.
std::array<std::int64_t, 2> TileAttention::queryRows(std::size_t vector) {
  std::array<std::int64_t, 2> rows = {-1, -1};
  for (std::int64_t b = 0; b < std::min(blocks, keyBlocks.parts()); ++b) {
    std::int64_t side = keyBlocks.side(b, static_cast<std::int64_t>(vector));
    rows[side] = activationRows(side, 2 * items(), false);
  }
  return rows;
}

void TileAttention::loadQueries(std::int64_t pair, ArrayRef<std::array<std::int64_t, 2>> rows) {
  std::int64_t perToken = pairs() * group;
  for (const Items &burstOf : bursts(burst)) {
    FlowWriter w = flow(burstOf.count);
    std::int64_t row = p.rowOf(chunk.first + burstOf.token, pair * group + burstOf.member, perToken);
    for (auto [biased, at] :
         llvm::zip(mergeHalves(w, "q", row, step(p.tokenStep(perToken), p.vectorStep()), pair), rows))
      for (std::int64_t side = 0; side < 2; ++side) {
        if (at[side] < 0)
          continue;
        Value digits = w.alu("xor", {biased, Operand::i32(isa::kDigit16Bias)}, 2);
        std::int64_t planes[] = {2 * side, 2 * side + 1}, high = at[side] + itemRow(burstOf), low = high + items();
        if (narrow()) { // a digit for each plane
          w.load(digits, planes, {1, 0}, {high, high}, 1);
          continue;
        }
        w.load(digits, planes, {1, 1}, {high, high}, 1);
        // A plane takes one load a cycle: the other digit waits until the burst is over.
        for (std::int64_t i = 0; i < ceilDiv(burstOf.count, machine.latency.VxmSimple); ++i)
          digits = w.alu("move", {digits}, 2);
        w.load(digits, planes, {0, 0}, {low, low}, 1);
      }
  }
}

/// Superlanes with the two halves of the head in a slot of a pair of vectors.
std::int64_t TileAttention::superlanesOf(std::int64_t slot) const {
  std::int64_t width = headDim / 2 / kSquare, half = (std::int64_t{1} << width) - 1;
  std::int64_t other = slot < slotsTogether() ? slot + slotsTogether() : slot - slotsTogether();
  return half << (slot * width) | half << (other * width);
}

void TileAttention::multiplyKeys(std::size_t vector, std::int64_t block, std::int64_t row) {
  auto number = static_cast<std::int64_t>(vector);
  std::int64_t side = keyBlocks.side(block, number);
  std::int64_t rows = std::min<std::int64_t>(machine.superlanes,
                                             ceilDiv(std::min(p.context, capacity) - block * machine.lanes(), kSquare));
  for (std::int64_t digit : cachedDigits()) {
    std::int64_t plane = narrow() ? 2 * side : 2 * side + 1 - digit;
    loadRows(keyTiles(number, digit, keyBlocks.part(block)), keyBlocks.index(block) * machine.superlanes, rows, 0,
             plane, false, narrow());
    install(plane, narrow());
  }
  const Merged &m = merged[vector];
  for (std::int64_t slot = m.first; slot < m.first + m.slots; ++slot)
    for (const Items &burstOf : bursts(burst))
      joinScores(burstOf, side, row, superlanesOf(slot), (m.pair * layouts.key.slotsPerVector() + slot) * group, block);
}

void TileAttention::joinScores(const Items &burstOf, std::int64_t side, std::int64_t row, std::int64_t mask,
                               std::int64_t head, std::int64_t block) {
  auto factors = p.attentionFactors(op, headDim);
  const auto &scale256 = factors[3], &scale = factors[1];
  FlowWriter w = flow(burstOf.count);
  auto product = [&](std::int64_t plane, std::int64_t at) {
    return w.passAndEmit(plane, at + itemRow(burstOf), p.nextAccumulator(plane, burstOf.count), false, mask);
  };
  Value high, low;
  if (narrow()) { // both planes have the keys
    high = w.alu("cvt.i32.f32", {product(2 * side, row)});
    low = w.alu("cvt.i32.f32", {product(2 * side + 1, row)});
  } else {
    Value upper = w.joinHigh(product(2 * side, row), product(2 * side + 1, row));
    high = w.alu("cvt.i32.f32", {w.alu("addi", {upper, product(2 * side, row + items())})});
    low = w.alu("cvt.i32.f32", {product(2 * side + 1, row + items())});
  }
  Value score = w.alu("addf", {p.times(w, high, scale256), p.times(w, low, scale)});
  score = ProgramLowering::softCap(w, score, op.getCap());
  Value isSeen = w.read(this->mask(), block * p.tokens + chunk.first + burstOf.token, step(1, 0));
  Value masked = w.alu("select", {isSeen, score, Operand::f32(ScoreConstants::kMasked)});
  w.write(masked, scores(block, head + burstOf.member), scoreRow(burstOf.token, block, head + burstOf.member), 1);
  if (blocks <= 2) // the maxima are these
    return;
  std::string largestSoFar = maxima(block % 2, head + burstOf.member);
  std::int64_t at = scoreRow(burstOf.token, 0, head + burstOf.member);
  w.write(block < 2 ? w.alu("move", {masked}) : w.alu("maxf", {masked, w.read(largestSoFar, at, 1)}), largestSoFar, at,
          1);
}

void TileAttention::score(std::int64_t pair) {
  if (p.tokens > 1)
    appendKeys(pair);
  std::vector<std::size_t> vectors;
  std::vector<std::array<std::int64_t, 2>> rows;
  for (std::size_t m = 0; m < merged.size(); ++m)
    if (merged[m].pair == pair)
      vectors.push_back(m), rows.push_back(queryRows(m));
  loadQueries(pair, rows);
  for (std::int64_t block = 0; block < blocks; ++block)
    for (auto [m, at] : llvm::zip(vectors, rows))
      multiplyKeys(m, block, at[keyBlocks.side(block, static_cast<std::int64_t>(m))]);
}

void TileAttention::scoreUpTo(std::int64_t head) {
  auto end = [&](std::int64_t pair) {
    return (pair * layouts.key.slotsPerVector() + layouts.key.slotsUsed(2 * pair)) * group;
  };
  while (nextPair < pairs() && end(nextPair) <= head)
    score(nextPair++);
  for (; nextBatch < batches && nextPair > 0 && std::min(heads(), (nextBatch + 1) * kSquare) <= end(nextPair - 1);
       ++nextBatch)
    reduceMaxima(nextBatch);
  if (nextBatch == batches)
    nextPair = nextBatch = 0;
}

//===-- maxima over lanes ---------------------------------------------------------------------===//

void TileAttention::reduceMaxima(std::int64_t batch) {
  if (folds())
    foldMaxima(batch);
  for (std::int64_t t = 0; t < chunk.count; ++t) {
    if (!folds())
      packMaxima(t, batch);
    // Across superlanes: every rotation of the packed vector, one a cycle.
    std::int64_t row = maximaRow(batch, t);
    FlowWriter w = flow(machine.superlanes);
    Value rotated = w.lanes("permute.rotate", w.repeatHeld(w.read(packed(), row, 0, true)), (batch + t) % 2, 0, 1);
    Value maximum = w.accumulate("maxf", rotated, std::bit_cast<std::uint32_t>(ScoreConstants::kMasked));
    w.write(w.last("move", maximum), largest(), row);
  }
}

/// Within superlanes, for one token: 16 lanes are 4 times 4, and four units can rotate at once. Head i ends in lane i
/// of every superlane.
void TileAttention::packMaxima(std::int64_t token, std::int64_t batch) {
  FlowWriter w = flow(std::min(kSquare, heads() - batch * kSquare));
  std::int64_t first = scoreRow(token, 0, batch * kSquare), step = scoreRow(token, 0, 1) - scoreRow(token, 0, 0);
  Value even = w.read(maxima(0, 0), first, step), odd = blocks > 1 ? w.read(maxima(1, 0), first, step) : Value();
  auto joined = [&] { return odd ? w.alu("maxf", {even, odd}) : w.alu("move", {even}); };
  Value east = joined(), west = joined(), all;
  for (std::int64_t distance : {1, 4}) {
    Value rotated[] = {w.lanes("rotate", east, 0, 0), w.lanes("distribute.rotate", east, 0, distance),
                       w.lanes("rotate", west, 1, 2 * distance), w.lanes("distribute.rotate", west, 1, 3 * distance)};
    Value a = w.alu("maxf", {rotated[0], rotated[1]}), b = w.alu("maxf", {rotated[2], rotated[3]});
    all = east = w.alu("maxf", {a, b});
    if (distance == 1)
      west = w.alu("maxf", {a, b});
  }
  Value masks = w.read(p.pool.laneMasks(), 0, 1);
  Value kept = w.selectInto(masks, all, std::bit_cast<std::uint32_t>(ScoreConstants::kMasked));
  w.write(w.last("move", kept), packed(), maximaRow(batch, token));
}

/// The same for all tokens of the chunk, with a quarter of the rotations: two heads first share a vector, each with the
/// maxima of its lanes' halves, then four; then each lane of a head's four may collect the others', and takes the place
/// of its head.
void TileAttention::foldMaxima(std::int64_t batch) {
  std::int64_t head = batch * kSquare, most = burst, eight = kSquare / 2, four = kSquare / 4;
  std::string pairs[] = {table("score.pairs.0", 4, batches * four * chunk.room, 0),
                         table("score.pairs.1", 4, batches * four * chunk.room, ownGroup(1, 3))};
  std::string fours = table("score.fours", 4, batches * four * chunk.room, 2);
  auto row = [&](std::int64_t i, std::int64_t token) { return (batch * four + i) * chunk.room + chunk.place + token; };
  for (std::int64_t t = 0, n; t < chunk.count; t += n) {
    n = std::min(most, chunk.count - t);
    for (std::int64_t i = 0; i < eight; ++i) {
      FlowWriter w = flow(n);
      auto maximum = [&](std::int64_t of) {
        Value even = w.read(maxima(0, of), scoreRow(t, 0, of), 1);
        return blocks > 1 ? w.alu("maxf", {even, w.read(maxima(1, of), scoreRow(t, 0, of), 1)}) : even;
      };
      Value lower = maximum(head + i), upper = maximum(head + i + eight), isLower = w.read(laneGroups(), 0);
      Value own = w.lanes("rotate", w.alu("select", {isLower, lower, upper}), i % 2, 0);
      Value others = w.lanes("distribute.rotate", w.alu("select", {isLower, upper, lower}), i % 2, eight);
      w.write(w.alu("maxf", {own, others}), pairs[i / four], row(i % four, t), 1);
    }
    for (std::int64_t i = 0; i < four; ++i) {
      FlowWriter w = flow(n);
      auto maximum = [&](std::int64_t which, std::int64_t distance) {
        Value x = w.alu("move", {w.read(pairs[which], row(i, t), 1)});
        return w.alu("maxf", {w.lanes("rotate", x, which, 0), w.lanes("distribute.rotate", x, which, distance)});
      };
      Value lower = maximum(0, four), upper = maximum(1, kSquare - four);
      w.write(w.alu("select", {w.read(laneGroups(), 1), lower, upper}), fours, row(i, t), 1);
    }
    for (std::int64_t i = 0; i < four; ++i) {
      // Lane 4g + i of the result is the largest of lanes 4g to 4g + 3.
      FlowWriter w = flow(n);
      Value x = w.read(fours, row(i, t), 1);
      auto largerOf = [&](std::int64_t side) {
        Value copy = w.alu("move", {x});
        std::int64_t lane = 2 * side - i;
        return w.alu("maxf", {w.lanes("rotate", copy, side, (kSquare - lane) % kSquare),
                              w.lanes("distribute.rotate", copy, side, (kSquare + lane + 1) % kSquare)});
      };
      Value all = w.alu("maxf", {largerOf(0), largerOf(1)});
      std::int64_t at = maximaRow(batch, t);
      if (i > 0)
        all = w.alu("select", {w.read(laneGroups(), 2 + i), all, w.read(packed(), at, 1)});
      w.write(all, packed(), at, 1);
    }
  }
}

} // namespace lpu::compiler
