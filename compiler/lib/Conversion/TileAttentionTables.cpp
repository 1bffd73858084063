// What a step of attention in tiles depends on its positions for: factors of rope,
// causal masks, and where the positions lie in the caches. Written once a step.

#include "LowerTileAttention.h"

#include "lpu/compiler/Conversion/ContextLimit.h"

using namespace mlir;

namespace lpu::compiler {

namespace {

/// position / divisor, rounded down. The product with the rounded-up reciprocal is exact for odd parts of the divisor
/// up to 11 (ropePositionsPerRow keeps to those), for all a vector's lanes can have (at most 31, and four twos), and
/// for rings of up to 8,192 positions (at most 128, and six twos), because its excess stays small.
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
  std::string freqs = p.freqsOf(rope), kind = ProgramLowering::ropeKind(rope);
  std::int64_t packed = ropePacking();
  std::string values = p.pool.ropeTable(sine, rope, kind, positions, freqs, packed);
  std::string gathered =
                  p.pool.scratch((sine ? "step.sin.packed" : "step.cos.packed") + kind, 4, p.tokens, sine ? 5 : 3),
              rows = p.pool.scratch((sine ? "step.sin" : "step.cos") + kind, 4, p.tokens, sine ? 5 : 3);
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

std::vector<llm::AttentionOp> TileAttention::kinds() const {
  std::vector<llm::AttentionOp> found;
  auto isWindowed = [](llm::AttentionOp attention) {
    return llm::lookupCache(attention, attention.getCacheAttr()).getWindow().has_value();
  };
  for (auto attention : op->getBlock()->getOps<llm::AttentionOp>())
    if (llvm::none_of(found, [&](llm::AttentionOp known) { return isWindowed(known) == isWindowed(attention); }))
      found.push_back(attention);
  return found;
}

/// Negative in the lanes of a block whose positions are seen. In a ring the lane's position is `back` before the own
/// one, counted around; what is further back than the sequence is long was another's.
Value TileAttention::seen(FlowWriter &w, std::int64_t first, std::int64_t block) {
  auto i32 = [](std::int64_t v) { return Operand::i32(static_cast<std::int32_t>(v)); };
  if (isRing) {
    Value lane = w.alu("addi", {w.read(laneIndex(), 0), i32(block * machine.lanes())});
    Value back = w.alu("subi", {w.read(place(), first, 1), lane}), around = w.alu("addi", {back, i32(capacity)});
    Value later = w.alu("move", {back});
    Value most = w.alu("mini", {w.read("position", first, 1), i32(*window - 1)});
    return w.alu("subi", {w.alu("subi", {w.alu("select", {later, around, later}), i32(1)}), most});
  }
  Value before = w.alu("addi", {w.read(laneIndex(), 0), i32(block * machine.lanes() - 1)});
  Value seen = w.alu("subi", {before, w.read("position", first, 1)}); // negative up to the own position
  if (!window)
    return seen;
  Value recent = w.alu("xor", {w.alu("addi", {seen, i32(*window)}), i32(-1)}); // negative in the window
  return w.alu("and", {w.alu("move", {w.alu("move", {seen})}), recent});
}

void TileAttention::writeMasks(std::int64_t first, std::int64_t count) {
  for (std::int64_t b = 0; b < blocks; ++b) {
    FlowWriter w = flow(count);
    w.write(seen(w, first, b), mask(), b * p.tokens + first, 1);
  }
}

/// position modulo the ring's length
void TileAttention::writeRing(std::int64_t first, std::int64_t count) {
  {
    FlowWriter w = flow(count);
    w.write(quotient(w, w.read("position", first, 1), capacity), table("step.ring.turn", 4, p.tokens, 1), first, 1);
  }
  FlowWriter w = flow(count);
  Value before = w.alu("muli", {w.read("step.ring.turn", first, 1), Operand::i32(static_cast<std::int32_t>(capacity))});
  w.write(w.alu("subi", {w.read("position", first, 1), before}), place(), first, 1);
}

void TileAttention::writeStepTables(llvm::ArrayRef<llm::RopeOp> ropes) {
  std::string position = p.pool.input("position", p.tokens);
  for (auto [number, attention] : llvm::enumerate(kinds())) {
    TileAttention kind(p, attention);
    forTokens(0, p.tokens, [&](std::int64_t first, std::int64_t count) {
      if (kind.isRing)
        kind.writeRing(first, count);
      {
        FlowWriter w = flow(count);
        w.write(quotient(w, w.read(kind.place(), first, 1), machine.lanes()), kind.placeBlock(), first, 1);
      }
      if (number == 0) {
        FlowWriter w = flow(count);
        w.write(quotient(w, w.read(position, first, 1), ropePacking()), table("step.rope", 4, p.tokens, 0), first, 1);
      }
      kind.writeMasks(first, count);
      // Positions are read twice in these flows, an operation apart.
      for (std::int64_t at = first, step = machine.latency.VxmSimple; at < first + count; at += step)
        kind.writePlaces(at, std::min(step, first + count - at));
    });
  }
  writeLaneGroups();
  // Its latency hides behind the norm, the last phase so far.
  p.builder.setInsertionPointToEnd(&cast<stream::PhaseOp>(p.program.getBody().front().back()).getBody().front());
  for (llm::RopeOp rope : ropes)
    for (bool sine : {false, true})
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
  std::string positionRows = place(), blockRows = placeBlock(), lanes = laneIndex();
  auto i32 = [](std::int64_t v) { return Operand::i32(static_cast<std::int32_t>(v)); };
  auto position = [&](FlowWriter &w) { return w.read(positionRows, first, 1); };
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
