// Rope, and this step's keys and values into the caches of attention in tiles.
//
// Rope works on the two halves of a head in two vectors. A tile of keys and the queries played through it have both
// halves in one vector, in different lanes: the first half of the slots exchanges superlanes with the second half, so
// that a vector of keys is multiplied with all its heads' elements in one pass instead of two.

#include "LowerTileAttention.h"

#include "lpu/compiler/Support/ModelConstants.h"
#include "lpu/isa/Numerics.h"

#include <algorithm>

using namespace mlir;

namespace lpu::compiler {

Value TileAttention::linearValue(FlowWriter &w, const ProgramLowering::Sums &sums, std::int64_t token,
                                 std::int64_t vector) {
  return p.chunked ? w.read(sums.object, p.chunkRow(token, vector), 1) : p.linearValue(w, sums, token, vector);
}

const ProgramLowering::Sums &TileAttention::headed(Value source) {
  return p.sums[{source.getDefiningOp<llm::RopeOp>().getInput().getDefiningOp(), false}];
}

std::pair<Value, Value> TileAttention::ropeHalves(FlowWriter &w, Value source, std::int64_t token, std::int64_t pair) {
  const ProgramLowering::Sums &sums = headed(source);
  Value first = linearValue(w, sums, token, 2 * pair), second = linearValue(w, sums, token, 2 * pair + 1);
  // Two operations apart they take neither an accumulator nor a row of scales in the same cycle, whatever planes they
  // come from.
  first = w.alu("move", {w.alu("move", {first})});
  std::string kind = ProgramLowering::ropeKind(source.getDefiningOp<llm::RopeOp>());
  Value cos = w.read("step.cos" + kind, token, 1), sin = w.read("step.sin" + kind, token, 1);
  // N6 with the sine's sign in the operation: x + (−y) is x − y.
  Value even = w.alu("subf", {w.alu("mulf", {first, cos}), w.alu("mulf", {second, sin})});
  return {even, w.alu("addf", {w.alu("mulf", {second, cos}), w.alu("mulf", {first, sin})})};
}

/// The halves of queries or keys of `count` tokens, quantized, into `name`.0 and `name`.1.
void TileAttention::storeHalves(std::int64_t token, std::int64_t count, Value source, const std::string &name,
                                const Layout &layout) {
  std::int64_t pairs = layout.vectors() / 2;
  std::string first = p.pool.scratch(name + ".0", 2, p.tokens * pairs, 1),
              second = p.pool.scratch(name + ".1", 2, p.tokens * pairs, 0);
  const char *convert = narrow() && source == op.getKey() ? "cvt.f32.i8" : "cvt.f32.d16";
  bool still = source.getDefiningOp<llm::RopeOp>().getStill();
  for (std::int64_t pair = 0; pair < pairs; ++pair) {
    auto store = [&](FlowWriter &w, Value half, const std::string &object) {
      w.write(w.alu(convert, {half}, 2), object, p.rowOf(token, pair, pairs), p.tokenStep(pairs));
    };
    FlowWriter w = flow(count);
    if (still) { // halves that nothing brings together
      store(w, linearValue(w, headed(source), token, 2 * pair), first);
      FlowWriter next = flow(count);
      store(next, linearValue(next, headed(source), token, 2 * pair + 1), second);
      continue;
    }
    auto [even, odd] = ropeHalves(w, source, token, pair);
    store(w, even, first);
    store(w, odd, second);
  }
}

void TileAttention::storeValues(std::int64_t token, std::int64_t count) {
  std::int64_t vectors = valueBlocks.vectors;
  for (std::int64_t v = 0; v < vectors; ++v) {
    FlowWriter w = flow(count);
    Value y = linearValue(w, p.sums[{op.getValue().getDefiningOp(), false}], token, v);
    if (narrow())
      y = w.alu("mulf", {y, Operand::f32(valueConstants(llm::valueStep(op)).stored)});
    Value value = w.alu(narrow() ? "cvt.f32.i8" : "cvt.f32.d16", {y});
    w.write(w.digits16(value), table("v.new", 2, p.tokens * vectors, 4), p.rowOf(token, v, vectors),
            p.tokenStep(vectors));
  }
}

/// The halves in row `row` of `name`.0 and .1 as the merged vectors of `pair`, in units of int16 plus the bias of
/// digits.
std::vector<Value> TileAttention::mergeHalves(FlowWriter &w, const std::string &name, std::int64_t row,
                                              std::int64_t step, std::int64_t pair) {
  std::int64_t turn = nextQueue++, slots = slotsTogether(), lanes = slots * headDim / 2;
  Value first = w.read(name + ".0", row, step), second = w.alu("move", {w.read(name + ".1", row, step)}, 2);
  Value exchanged = w.lanes("permute.exchange", second, turn % 2, lanes / kSquare, 0, turn / 2 % 2 * 2);
  Value isFirst = w.alu("subi", {w.read(laneIndex(), 0), Operand::i32(static_cast<std::int32_t>(lanes))});
  std::vector<Value> vectors;
  for (std::int64_t slot = 0; slot < layouts.key.slotsUsed(2 * pair); slot += slots) {
    Value vector = w.alu("select", {isFirst, slot ? exchanged : first, slot ? first : exchanged});
    vectors.push_back(w.alu("addi", {vector, Operand::i32(isa::kDigit16Bias)}));
  }
  return vectors;
}

/// The chunk's keys of a pair of vectors of halves.
void TileAttention::appendKeys(std::int64_t pair) {
  static constexpr const char *names[] = {"k.merged.0", "k.merged.1"};
  forTokens(chunk.first, chunk.count, [&](std::int64_t first, std::int64_t count) {
    FlowWriter w = flow(count);
    for (auto [i, biased] :
         llvm::enumerate(mergeHalves(w, "k", p.rowOf(first, pair, pairs()), p.tokenStep(pairs()), pair))) {
      std::string rows = table(names[i], 2, pairs() * p.tokens, i ? 2 : 4);
      w.write(w.alu("xor", {biased, Operand::i32(isa::kDigit16Bias)}, 2), rows, pair * p.tokens + first, 1);
    }
  });
  for (auto [vector, m] : llvm::enumerate(merged))
    for (std::int64_t part = 0; m.pair == pair && part < keyBlocks.parts(); ++part)
      for (std::int64_t digit : cachedDigits()) // apart, because their tiles may share slices
        forTokens(chunk.first, chunk.count, [&](std::int64_t first, std::int64_t count) {
          std::string tiles = keyTiles(static_cast<std::int64_t>(vector), digit, part);
          FlowWriter w = flow(count);
          Value digits = w.alu("move", {w.read(names[m.first > 0], pair * p.tokens + first, 1)}, 2);
          w.scatterTile(digits, digit, w.mapToOrNone(w.read(partTable('k', part), first, 1), tiles), tiles);
        });
}

/// The chunk's values, a digit of a vector at a time: superlane word i, brought into all superlanes, is written where
/// the position's is.
void TileAttention::appendValues(std::int64_t v) {
  for (std::int64_t token = chunk.first; token < chunk.first + chunk.count; ++token)
    for (std::int64_t digit : llvm::reverse(cachedDigits()))
      for (std::int64_t part = 0; part < valueBlocks.parts(); ++part) {
        std::string tiles = valueTiles(v, digit, part);
        FlowWriter w = flow(layouts.value.lanesUsed(v) / kSquare);
        Value value = w.repeatHeld(w.read("v.new", p.rowOf(token, v, valueBlocks.vectors), 0, true), digit ? 8 : 0, 1);
        std::int64_t queue = nextQueue++ % machine.sxmPermuteQueues;
        Value word = w.alu("move", {w.lanes("permute.broadcast", value, valueBlocks.side(part, v), 0, 1, queue)}, 1);
        Value start = w.rowIn(w.read(partTable('v', part), token, 0, true), tiles, -1);
        w.scatterTile(word, 0, w.mapOrNone(w.accumulate("addi", Operand::i32(1), start)), tiles);
      }
}

} // namespace lpu::compiler
