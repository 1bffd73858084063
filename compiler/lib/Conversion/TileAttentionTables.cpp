// What a step of attention in tiles depends on its positions for: factors of rope,
// causal masks, and where the positions lie in the caches. Written once a step.

#include "LowerTileAttention.h"

#include "lpu/compiler/Conversion/ContextLimit.h"

using namespace mlir;

namespace lpu::compiler {

namespace {

/// position / divisor, rounded down. The product with the rounded-up reciprocal is exact for odd parts of the divisor
/// up to 11 (ropePositionsPerRow keeps to those), and for all a vector's lanes can have (at most 31, and four twos),
/// because its excess stays small.
Value quotient(FlowWriter &w, Value position, std::int64_t divisor) {
  std::int32_t shift = 0;
  for (; divisor % 2 == 0; divisor /= 2)
    ++shift;
  Value shifted = w.alu("sra", {position, Operand::i32(shift)});
  if (divisor == 1)
    return shifted;
  auto reciprocal = static_cast<std::int32_t>(((1 << 17) + divisor - 1) / divisor);
  return w.alu("sra", {w.alu("muli", {shifted, Operand::i32(reciprocal)}), Operand::i32(17)});
}

} // namespace

std::int64_t TileAttention::ropePacking() const { return ropePositionsPerRow(machine, headDim); }

/// Gathers the slot that holds the position; rotations by slots bring it into the others, where the rest is zero.
void TileAttention::writeRope(llm::RopeOp rope, bool sine) {
  std::string freqs = rope.getFreqs() ? p.tensorOf(*rope.getFreqs()) : "";
  std::int64_t packed = ropePacking();
  std::string values = p.pool.ropeTable(sine, rope, capacity, freqs, packed);
  std::string gathered = table(sine ? "step.sin.packed" : "step.cos.packed", 4, p.tokens, sine ? 5 : 3),
              rows = table(sine ? "step.sin" : "step.cos", 4, p.tokens, sine ? 5 : 3);
  auto i32 = [](std::int64_t v) { return Operand::i32(static_cast<std::int32_t>(v)); };
  for (std::int64_t t = 0; t < p.tokens; ++t) {
    if (packed == 1) {
      FlowWriter w = flow();
      w.write(w.alu("move", {w.gather(w.mapTo(w.read("position", t), values), values)}), rows, t);
      continue;
    }
    {
      FlowWriter w = flow();
      Value first = w.alu("muli", {w.read("step.rope", t), i32(packed)});
      Value here = w.alu("cmpeqi", {w.read(laneIndex(), 2), w.alu("subi", {w.read("position", t), first})});
      Value map = w.alu("select", {here, w.mapTo(w.read("step.rope", t), values), i32(0xFFFF)}, 2);
      w.write(w.alu("move", {w.gather(map, values)}), gathered, t);
    }
    FlowWriter w = flow(packed);
    Value turned =
        w.lanes("permute.rotate", w.repeatHeld(w.read(gathered, t, 0, true)), sine, 0, headDim / 2 / kSquare);
    w.write(w.last("move", w.accumulate("or", turned, 0u)), rows, t);
  }
}

void TileAttention::writeStepTables(llm::RopeOp rope) {
  std::string position = p.pool.input("position", p.tokens), lanes = laneIndex(),
              block = table("step.block", 4, p.tokens, 1);
  std::string masks = table("step.mask", 4, p.tokens * blocks, ownGroup(4, 1));
  forTokens(0, p.tokens, [&](std::int64_t first, std::int64_t count) {
    {
      FlowWriter w = flow(count);
      w.write(quotient(w, w.read(position, first, 1), machine.lanes()), block, first, 1);
    }
    {
      FlowWriter w = flow(count);
      w.write(quotient(w, w.read(position, first, 1), ropePacking()), table("step.rope", 4, p.tokens, 0), first, 1);
    }
    for (std::int64_t b = 0; b < blocks; ++b) { // negative up to the own position
      FlowWriter w = flow(count);
      Value before =
          w.alu("addi", {w.read(lanes, 0), Operand::i32(static_cast<std::int32_t>(b * machine.lanes() - 1))});
      w.write(w.alu("subi", {before, w.read(position, first, 1)}), masks, b * p.tokens + first, 1);
    }
    // Positions are read twice in these flows, an operation apart.
    for (std::int64_t at = first, step = machine.latency.VxmSimple; at < first + count; at += step)
      writePlaces(at, std::min(step, first + count - at));
  });
  writeLaneGroups();
  // Its latency hides behind the norm, the last phase so far.
  p.builder.setInsertionPointToEnd(&cast<stream::PhaseOp>(p.program.getBody().front().back()).getBody().front());
  for (bool sine : {false, true})
    if (rope)
      writeRope(rope, sine);
}

/// Negative in the lower eight lanes of every superlane, in the lower four of each eight, and in every fourth from 0, 1
/// … on.
void TileAttention::writeLaneGroups() {
  auto i32 = [](std::int64_t v) { return Operand::i32(static_cast<std::int32_t>(v)); };
  auto write = [&](std::int64_t row, llvm::function_ref<Value(FlowWriter &, Value)> mask) {
    FlowWriter w = flow();
    w.write(mask(w, w.read(laneIndex(), 1)), laneGroups(), row);
  };
  write(0, [&](FlowWriter &w, Value lane) { return w.alu("subi", {lane, i32(8)}); });
  write(1, [&](FlowWriter &w, Value lane) { return w.alu("subi", {w.alu("and", {lane, i32(4)}), i32(1)}); });
  for (std::int64_t n = 0; n < kSquare / 4; ++n)
    write(2 + n, [&](FlowWriter &w, Value lane) { return w.alu("cmpeqi", {w.alu("and", {lane, i32(3)}), i32(n)}); });
}

/// Rows of this step's positions in every part of the caches, in the lanes whose words a scatter takes; no row
/// elsewhere.
void TileAttention::writePlaces(std::int64_t first, std::int64_t count) {
  std::string blockRows = table("step.block", 4, p.tokens, 1), lanes = laneIndex();
  auto i32 = [](std::int64_t v) { return Operand::i32(static_cast<std::int32_t>(v)); };
  auto position = [&](FlowWriter &w) { return w.read("position", first, 1); };
  auto block = [&](FlowWriter &w) { return w.read(blockRows, first, 1); };
  auto place = [&](FlowWriter &w, Value here, Value row, std::int64_t part, std::int64_t parts, char which) {
    if (parts > 1)
      here = w.alu("and", {here, w.alu("cmpeqi", {w.alu("and", {block(w), i32(1)}), i32(part)})});
    w.write(w.alu("select", {here, row, i32(FlowWriter::kNoRow)}), partTable(which, part), first, 1);
  };
  for (std::int64_t part = 0; part < keyBlocks.parts(); ++part) {
    FlowWriter w = flow(count);
    Value here = w.alu("cmpeqi", {w.read(lanes, 1), w.alu("and", {position(w), i32(15)})});
    Value row = w.alu("sra", {position(w), i32(4)});
    if (keyBlocks.parts() > 1) { // every other block is elsewhere
      Value others = w.alu("sra", {w.alu("addi", {block(w), i32(1)}), i32(1)});
      row = w.alu("subi", {row, w.alu("muli", {others, i32(machine.superlanes)})});
    }
    place(w, here, row, part, keyBlocks.parts(), 'k');
  }
  for (std::int64_t part = 0; part < valueBlocks.parts(); ++part) {
    FlowWriter w = flow(count);
    Value start = w.alu("muli", {block(w), i32(machine.lanes())});
    Value here = w.alu("cmpeqi", {w.read(lanes, 0), w.alu("subi", {position(w), start})});
    Value index = block(w);
    if (valueBlocks.parts() > 1)
      index = w.alu("sra", {index, i32(1)});
    place(w, here, w.alu("muli", {index, i32(layouts.value.perVector() / kSquare)}), part, valueBlocks.parts(), 'v');
  }
}

} // namespace lpu::compiler
