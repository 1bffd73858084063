// Scores of attention in tiles, lanes = positions, and their maxima over lanes.

#include "LowerTileAttention.h"

#include "lpu/compiler/Support/ModelConstants.h"
#include "lpu/isa/Numerics.h"

#include <algorithm>
#include <bit>

using namespace mlir;

namespace lpu::compiler {

void TileAttention::loadQueries(std::int64_t pair, std::int64_t row) {
  std::int64_t pairs = layouts.query.vectors() / 2;
  for (std::int64_t t = 0; t < chunk.count; ++t)
    for (std::int64_t half = 0; half < 2; ++half) {
      FlowWriter w = flow(group);
      Value query = w.read(half ? "q.1" : "q.0", (chunk.first + t) * pairs + pair * group, 1);
      Value biased = w.alu("addi", {query, Operand::i32(isa::kDigit16Bias)});
      for (std::int64_t side = 0; side < 2; ++side) {
        SmallVector<std::int64_t> planes;
        for (std::int64_t b = 0; b < blocks; ++b)
          if (std::int64_t plane = keyBlocks.plane(b, pair); plane / 2 == side && !llvm::is_contained(planes, plane))
            planes.push_back(plane);
        if (planes.empty())
          continue;
        Value digits = w.alu("xor", {biased, Operand::i32(isa::kDigit16Bias)}, 2);
        for (std::int64_t digit = 0; digit < 2; ++digit) {
          SmallVector<std::int64_t> bytes(planes.size(), digit),
              rows(planes.size(), row + ((t * 2 + half) * 2 + digit) * group);
          w.load(digits, planes, bytes, rows, 1);
          // A plane takes one load a cycle: the other digit waits until the burst is over.
          for (std::int64_t i = 0; digit == 0 && i < ceilDiv(group, machine.latency.VxmSimple); ++i)
            digits = w.alu("move", {digits}, 2);
        }
      }
    }
}

/// The digit products of all heads of a pair of halves: accumulator rows [high, mixed, low][token][head] from `acc` on.
void TileAttention::multiplyKeys(std::int64_t pair, std::int64_t block, std::int64_t row, std::int64_t acc) {
  std::int64_t plane = keyBlocks.plane(block, pair), slots = layouts.key.slotsUsed(2 * pair),
               products = chunk.count * slots * group;
  std::int64_t rows = std::min<std::int64_t>(machine.superlanes, ceilDiv(p.context - block * machine.lanes(), kSquare));
  std::int64_t width = headDim / 2 / kSquare;
  for (std::int64_t half = 0; half < 2; ++half)
    for (std::int64_t keyDigit : {1, 0}) {
      loadTile(keyTiles(pair, half, keyDigit, keyBlocks.part(block)), keyBlocks.index(block) * machine.superlanes, rows,
               0, plane, false, false);
      for (std::int64_t t = 0; t < chunk.count; ++t)
        for (std::int64_t slot = 0; slot < slots; ++slot)
          for (std::int64_t digit : {1, 0}) {
            std::int64_t to = acc + (2 - keyDigit - digit) * products + (t * slots + slot) * group;
            bool first = half == 0 && (keyDigit == 1 || digit == 0);
            flow(group).pass(plane, row + ((t * 2 + half) * 2 + digit) * group, to, !first,
                             ((std::int64_t{1} << width) - 1) << (slot * width));
          }
    }
}

void TileAttention::joinScores(std::int64_t token, std::int64_t plane, std::int64_t acc, std::int64_t products,
                               std::int64_t head, std::int64_t block) {
  auto factors = p.attentionFactors(op, headDim);
  const auto &scale256 = factors[3], &scale = factors[1];
  for (std::int64_t first = 0; first < group; first += burst) {
    FlowWriter w = flow(std::min(burst, group - first));
    auto emit = [&](std::int64_t product) { return w.emit(plane, acc + product * products + first); };
    Value high = w.alu("cvt.i32.f32", {w.joinHigh(emit(0), emit(1))}), low = w.alu("cvt.i32.f32", {emit(2)});
    Value score = w.alu("addf", {p.times(w, high, scale256), p.times(w, low, scale)});
    Value masked = w.alu("select", {w.read("step.mask", (chunk.first + token) * blocks + block), score,
                                    Operand::f32(ScoreConstants::kMasked)});
    w.write(masked, scores(), scoreRow(token, block, head + first), 1);
    std::int64_t row = token * heads() + head + first;
    w.write(block ? w.alu("maxf", {masked, w.read(maxima(), row, 1)}) : w.alu("move", {masked}), maxima(), row, 1);
  }
}

void TileAttention::score() {
  for (std::int64_t pair = 0; pair < keyBlocks.vectors; ++pair) {
    std::int64_t slots = layouts.key.slotsUsed(2 * pair), products = chunk.count * slots * group;
    std::int64_t row = activationRows(chunk.count * 4 * group);
    loadQueries(pair, row);
    for (std::int64_t block = 0; block < blocks; ++block) {
      std::int64_t plane = keyBlocks.plane(block, pair), acc = p.nextAccumulator(plane, 3 * products);
      multiplyKeys(pair, block, row, acc);
      for (std::int64_t t = 0; t < chunk.count; ++t)
        for (std::int64_t slot = 0; slot < slots; ++slot)
          joinScores(t, plane, acc + (t * slots + slot) * group, products, (pair * layouts.key.slots + slot) * group,
                     block);
    }
  }
}

//===-- maxima over lanes ---------------------------------------------------------------------===//

void TileAttention::reduceMaxima(std::int64_t token) {
  std::string packed = table("score.packed", 4, chunk.count * batches, 0),
              largest = table("score.largest", 4, chunk.count * batches, 2);
  std::string masks = p.pool.laneMasks();
  for (std::int64_t batch = 0; batch < batches; ++batch) {
    std::int64_t row = token * batches + batch;
    {
      // Within superlanes: 16 lanes are 4 times 4, and four units can rotate at once. Head i ends in lane i of every
      // superlane.
      FlowWriter w = flow(std::min(kSquare, heads() - batch * kSquare));
      Value x = w.read(maxima(), token * heads() + batch * kSquare, 1);
      Value east = w.alu("move", {x}), west = w.alu("move", {x}), all;
      for (std::int64_t distance : {1, 4}) {
        Value rotated[] = {w.lanes("rotate", east, 0, 0), w.lanes("distribute.rotate", east, 0, distance),
                           w.lanes("rotate", west, 1, 2 * distance),
                           w.lanes("distribute.rotate", west, 1, 3 * distance)};
        Value a = w.alu("maxf", {rotated[0], rotated[1]}), b = w.alu("maxf", {rotated[2], rotated[3]});
        all = east = w.alu("maxf", {a, b});
        if (distance == 1)
          west = w.alu("maxf", {a, b});
      }
      Value kept = w.selectInto(w.read(masks, 0, 1), all, std::bit_cast<std::uint32_t>(ScoreConstants::kMasked));
      w.write(w.last("move", kept), packed, row);
    }
    // Across superlanes: every rotation of the packed vector, one a cycle.
    FlowWriter w = flow(machine.superlanes);
    Value rotated = w.lanes("permute.rotate", w.repeatHeld(w.read(packed, row, 0, true)), batch % 2, 0, 1);
    Value maximum = w.accumulate("maxf", rotated, std::bit_cast<std::uint32_t>(ScoreConstants::kMasked));
    w.write(w.last("move", maximum), largest, row);
  }
}

} // namespace lpu::compiler
