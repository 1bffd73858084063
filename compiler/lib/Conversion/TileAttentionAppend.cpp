// Rope, and this step's keys and values into the caches of attention in tiles.

#include "LowerTileAttention.h"

#include "lpu/isa/Numerics.h"

using namespace mlir;

namespace lpu::compiler {

std::pair<Value, Value> TileAttention::ropeHalves(FlowWriter &w, Value source, std::int64_t token, std::int64_t pair) {
  const ProgramLowering::Sums &sums = p.sums[{source.getDefiningOp<llm::RopeOp>().getInput().getDefiningOp(), false}];
  Value first = p.linearValue(w, sums, token, 2 * pair), second = p.linearValue(w, sums, token, 2 * pair + 1);
  // Two operations apart they take neither an accumulator nor a row of scales in the same cycle, whatever planes they
  // come from.
  first = w.alu("move", {w.alu("move", {first})});
  Value cos = w.read("step.cos", token), sin = w.read("step.sin", token);
  // N6 with the sine's sign in the operation: x + (−y) is x − y.
  Value even = w.alu("subf", {w.alu("mulf", {first, cos}), w.alu("mulf", {second, sin})});
  return {even, w.alu("addf", {w.alu("mulf", {second, cos}), w.alu("mulf", {first, sin})})};
}

void TileAttention::appendKeys(std::int64_t token) {
  for (std::int64_t pair = 0; pair < keyBlocks.vectors; ++pair) {
    FlowWriter w = flow();
    auto [even, odd] = ropeHalves(w, op.getKey(), token, pair);
    for (std::int64_t half = 0; half < 2; ++half) {
      Value biased = w.alu("addi", {w.alu("cvt.f32.d16", {half ? odd : even}), Operand::i32(isa::kDigit16Bias)});
      for (std::int64_t part = 0; part < keyBlocks.parts(); ++part) {
        Value digits = w.alu("xor", {biased, Operand::i32(isa::kDigit16Bias)}, 2);
        // The tiles may share slices, so their scatters follow one another.
        for (std::int64_t i = 0; i < 2 * half; ++i)
          digits = w.alu("move", {digits}, 2);
        for (std::int64_t digit : {1, 0}) {
          std::string tiles = keyTiles(pair, half, digit, part);
          w.scatterTile(digits, digit, w.mapToOrNone(w.read(partTable('k', part), token), tiles), tiles);
          if (digit)
            digits = w.alu("move", {digits}, 2);
        }
      }
    }
  }
}

void TileAttention::storeQueriesAndValues(std::int64_t token) {
  std::int64_t pairs = layouts.query.vectors() / 2, vectors = layouts.value.vectors();
  std::string first = table("q.0", 2, p.tokens * pairs, 1), second = table("q.1", 2, p.tokens * pairs, 0);
  for (std::int64_t pair = 0; pair < pairs; ++pair) {
    FlowWriter w = flow();
    auto [even, odd] = ropeHalves(w, op.getQuery(), token, pair);
    w.write(w.alu("cvt.f32.d16", {even}, 2), first, token * pairs + pair);
    w.write(w.alu("cvt.f32.d16", {odd}, 2), second, token * pairs + pair);
  }
  for (std::int64_t v = 0; v < vectors; ++v) {
    FlowWriter w = flow();
    Value value = w.alu("cvt.f32.d16", {p.linearValue(w, p.sums[{op.getValue().getDefiningOp(), false}], token, v)});
    w.write(w.digits16(value), table("v.new", 2, p.tokens * vectors, 2), token * vectors + v);
  }
}

/// One digit of a vector of values: superlane word i, brought into all superlanes, is written where the position's is.
void TileAttention::appendValues(std::int64_t token) {
  for (std::int64_t v = 0; v < valueBlocks.vectors; ++v)
    for (std::int64_t digit = 0; digit < 2; ++digit)
      for (std::int64_t part = 0; part < valueBlocks.parts(); ++part) {
        std::string tiles = valueTiles(v, digit, part);
        FlowWriter w = flow(layouts.value.lanesUsed(v) / kSquare);
        Value value = w.repeatHeld(w.read("v.new", token * valueBlocks.vectors + v, 0, true), digit ? 8 : 0, 1);
        std::int64_t queue = nextQueue++ % machine.sxmPermuteQueues;
        Value word = w.alu("move", {w.lanes("permute.broadcast", value, valueBlocks.side(part, v), 0, 1, queue)}, 1);
        Value row = w.accumulate("addi", Operand::i32(1), w.read(partTable('v', part), token, 0, true));
        w.scatterTile(word, 0, w.mapToOrNone(row, tiles, -1), tiles);
      }
}

} // namespace lpu::compiler
