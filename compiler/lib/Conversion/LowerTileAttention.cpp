// Attention in tiles (numerics.md N11): cached keys and values are weights, a
// block of as many positions as there are lanes at a time. docs/decisions/0008
// tells why; the objects are
//
//   keys    tile row = position, lanes = a half of every head: position p is row p / 16 of slice p mod 16
//   values  16 elements of a position stand in a superlane word: element 16·i + l of position p is lane l of superlane
//           p / 16 of row i, slice p mod 16; SXM transposes rows into tile rows = elements, lanes = positions
//
// Steps: scores of all heads (lanes = positions) and their maxima per lane; maxima over lanes by SXM rotations, for 16
// heads at once, one a lane; exponentials as int16 weights; weights times values and their sums; the quotient.

#include "LowerTileAttention.h"

#include "lpu/compiler/Support/ModelConstants.h"
#include "lpu/isa/Numerics.h"

#include <fmt/format.h>

#include <utility>

using namespace mlir;

namespace lpu::compiler {

namespace {

/// Lanes of a superlane, slices of a tile, rows of a row group.
constexpr std::int64_t kSquare = 16;
/// Sums of more than twice as many positions may leave int32 (N11); so many can be divided by products that do not.
constexpr std::int64_t kMostPositions = 32767, kOddDivisor = 11;

std::int64_t ceilDiv(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

/// position / divisor, rounded down. The product with the rounded-up reciprocal is exact for odd parts of the divisor up to
/// kOddDivisor, and for all a vector's lanes can have (at most 31, and four twos), because its excess stays small.
Value quotient(FlowWriter &w, Value position, std::int64_t divisor) {
  std::int32_t shift = 0;
  for (; divisor % 2 == 0; divisor /= 2)
    ++shift;
  Value shifted = w.alu("sra", {position, Operand::i32(shift)});
  if (divisor == 1)
    return shifted;
  auto reciprocal = static_cast<std::int32_t>(ceilDiv(1 << 17, divisor));
  return w.alu("sra", {w.alu("muli", {shifted, Operand::i32(reciprocal)}), Operand::i32(17)});
}

} // namespace

TileLayouts::TileLayouts(std::int64_t lanes, llm::KVCacheOp cache, std::int64_t heads) {
  auto all = static_cast<std::int64_t>(cache.getHeads()), kvHeads = static_cast<std::int64_t>(cache.getKvHeads()),
       headDim = static_cast<std::int64_t>(cache.getHeadDim()), group = all / kvHeads;
  if (heads != all) // a piece of a model that is not partitioned yet
    kvHeads = llm::heldKVHeads(heads, group);
  std::int64_t queries = heads / kvHeads, sourceGroup = cache.getQueryGroup() ? static_cast<std::int64_t>(*cache.getQueryGroup()) : group;
  query = Layout::queryTiles(lanes, kvHeads, queries, headDim, true);
  key = Layout::keyTiles(lanes, kvHeads, queries, sourceGroup, headDim, true);
  value = Layout::keyTiles(lanes, kvHeads, queries, sourceGroup, headDim, false);
  result = Layout::queryTiles(lanes, kvHeads, queries, headDim, false);
  if (auto cut = cache.getHeadsCut())
    for (Layout *layout : {&query, &key, &value, &result})
      *layout = layout->pieceOf(cut->getWhole() * headDim, cut->getPieces());
  result = result.pack();
}

TileAttention::TileAttention(ProgramLowering &lowering, llm::AttentionOp attention)
    : p(lowering), op(attention), machine(lowering.machine),
      layouts(machine.lanes(), cast<llm::KVCacheOp>(SymbolTable::lookupSymbolIn(lowering.module, attention.getCache()))) {
  auto cache = cast<llm::KVCacheOp>(SymbolTable::lookupSymbolIn(lowering.module, attention.getCache()));
  layer = cache.getLayer(), kvHeads = cache.getKvHeads(), group = cache.getHeads() / kvHeads, headDim = cache.getHeadDim();
  capacity = cache.getCapacity();
  keyBlocks = {layouts.key.vectors() / 2}, valueBlocks = {layouts.value.vectors()};
  blocks = ceilDiv(p.context, machine.lanes());
  batches = ceilDiv(heads(), kSquare);
  burst = machine.latency.VxmSimple;
}

//===-- objects ---------------------------------------------------------------------===//

std::string TileAttention::keyTiles(std::int64_t pair, std::int64_t half, std::int64_t digit, std::int64_t part) {
  std::int64_t count = ceilDiv(ceilDiv(capacity, machine.lanes()), keyBlocks.parts());
  return p.pool.cacheTiles(fmt::format("kv.{}.k.{}.{}.{}.{}", layer, pair, half, digit, part), count * machine.superlanes,
                           2 * keyBlocks.side(part, pair) + half);
}

std::string TileAttention::valueTiles(std::int64_t vector, std::int64_t digit, std::int64_t part) {
  std::int64_t count = ceilDiv(ceilDiv(capacity, machine.lanes()), valueBlocks.parts());
  return p.pool.cacheTiles(fmt::format("kv.{}.v.{}.{}.{}", layer, vector, digit, part), count * layouts.value.perVector() / kSquare,
                           2 * valueBlocks.side(part, vector) + digit);
}

std::string TileAttention::partTable(char which, std::int64_t part) {
  return p.pool.scratch(fmt::format("step.{}.{}", which, part), 4, p.tokens, which == 'k' ? 1 + 2 * part : 2 * part);
}

std::string TileAttention::scores() { return table("scores", 4, chunk.count * blocks * heads(), 4); }
std::string TileAttention::maxima() { return table("score.max", 4, chunk.count * heads(), 3); }

std::int64_t TileAttention::activationRows(std::int64_t count) {
  std::int64_t rows = machine.mxmActivationRows / 2;
  if (nextRow + count > rows)
    nextRow = 0;
  nextRow += count;
  return p.otherHalf() + nextRow - count;
}

void TileAttention::loadTile(const std::string &object, std::int64_t row, std::int64_t rows, std::int64_t first, std::int64_t plane,
                             bool transposed, bool twin) {
  OpBuilder &b = p.builder;
  auto flag = [&](bool set) { return set ? b.getUnitAttr() : UnitAttr(); };
  stream::LoadTileOp::create(b, p.loc, FlatSymbolRefAttr::get(b.getContext(), object), b.getI64IntegerAttr(plane), b.getI64IntegerAttr(row),
                             b.getI64IntegerAttr(rows), b.getI64IntegerAttr(first), flag(transposed), flag(twin));
  stream::InstallOp::create(b, p.loc, b.getI64IntegerAttr(plane));
  if (twin)
    stream::InstallOp::create(b, p.loc, b.getI64IntegerAttr(plane ^ 1));
}

//===-- tables of the step --------------------------------------------------------------===//

std::int64_t TileAttention::ropePacking() const {
  // A rotation takes slots to slots only if they fill the vector.
  std::int64_t slots = machine.lanes() / (headDim / 2), odd = slots;
  while (odd % 2 == 0)
    odd /= 2;
  return slots * headDim / 2 == machine.lanes() && odd <= kOddDivisor ? slots : 1;
}

/// Gathers the slot that holds the position; rotations by slots bring it into the others, where the rest is zero.
void TileAttention::writeRope(llm::RopeOp rope, bool sine) {
  std::string freqs = rope.getFreqs() ? p.tensorOf(*rope.getFreqs()) : "";
  std::int64_t packed = ropePacking();
  std::string values = p.pool.ropeTable(sine, rope.getBase().convertToDouble(), headDim, capacity, freqs, packed);
  std::string gathered = table(sine ? "step.sin.packed" : "step.cos.packed", 4, p.tokens, sine ? 5 : 3), rows = table(sine ? "step.sin" : "step.cos", 4, p.tokens, sine ? 5 : 3);
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
    Value turned = w.lanes("permute.rotate", w.repeatHeld(w.read(gathered, t, 0, true)), sine, 0, headDim / 2 / kSquare);
    w.write(w.last("move", w.accumulate("or", turned, 0u)), rows, t);
  }
}

void TileAttention::writeStepTables(llm::RopeOp rope) {
  std::string position = p.pool.input("position", p.tokens), lanes = laneIndex(), block = table("step.block", 4, p.tokens, 1);
  std::string masks = table("step.mask", 4, p.tokens * blocks, 1);
  for (std::int64_t t = 0; t < p.tokens; ++t) {
    {
      FlowWriter w = flow();
      w.write(quotient(w, w.read(position, t), machine.lanes()), block, t);
    }
    {
      FlowWriter w = flow();
      w.write(quotient(w, w.read(position, t), ropePacking()), table("step.rope", 4, p.tokens, 0), t);
    }
    for (std::int64_t b = 0; b < blocks; ++b) { // negative up to the own position
      FlowWriter w = flow();
      Value before = w.alu("addi", {w.read(lanes, 0), Operand::i32(static_cast<std::int32_t>(b * machine.lanes() - 1))});
      w.write(w.alu("subi", {before, w.read(position, t)}), masks, t * blocks + b);
    }
    writePlaces(t);
  }
  // Its latency hides behind the norm, the last phase so far.
  p.builder.setInsertionPointToEnd(&cast<stream::PhaseOp>(p.program.getBody().front().back()).getBody().front());
  writeRope(rope, false);
  writeRope(rope, true);
}

/// Rows of this step's position in every part of the caches, in the lanes whose words a scatter takes; no row elsewhere.
void TileAttention::writePlaces(std::int64_t t) {
  std::string block = table("step.block", 4, p.tokens, 1), lanes = laneIndex();
  auto i32 = [](std::int64_t v) { return Operand::i32(static_cast<std::int32_t>(v)); };
  auto place = [&](FlowWriter &w, Value here, Value row, std::int64_t part, std::int64_t parts, char which) {
    if (parts > 1)
      here = w.alu("and", {here, w.alu("cmpeqi", {w.alu("and", {w.read(block, t), i32(1)}), i32(part)})});
    w.write(w.alu("select", {here, row, i32(FlowWriter::kNoRow)}), partTable(which, part), t);
  };
  for (std::int64_t part = 0; part < keyBlocks.parts(); ++part) {
    FlowWriter w = flow();
    Value here = w.alu("cmpeqi", {w.read(lanes, 1), w.alu("and", {w.read("position", t), i32(15)})});
    Value row = w.alu("sra", {w.read("position", t), i32(4)});
    if (keyBlocks.parts() > 1) { // every other block is elsewhere
      Value others = w.alu("sra", {w.alu("addi", {w.read(block, t), i32(1)}), i32(1)});
      row = w.alu("subi", {row, w.alu("muli", {others, i32(machine.superlanes)})});
    }
    place(w, here, row, part, keyBlocks.parts(), 'k');
  }
  for (std::int64_t part = 0; part < valueBlocks.parts(); ++part) {
    FlowWriter w = flow();
    Value first = w.alu("muli", {w.read(block, t), i32(machine.lanes())});
    Value here = w.alu("cmpeqi", {w.read(lanes, 0), w.alu("subi", {w.read("position", t), first})});
    Value index = w.read(block, t);
    if (valueBlocks.parts() > 1)
      index = w.alu("sra", {index, i32(1)});
    place(w, here, w.alu("muli", {index, i32(layouts.value.perVector() / kSquare)}), part, valueBlocks.parts(), 'v');
  }
}

//===-- appending to the cache ------------------------------------------------------------===//

std::pair<Value, Value> TileAttention::ropeHalves(FlowWriter &w, Value source, std::int64_t token, std::int64_t pair) {
  const ProgramLowering::Sums &sums = p.sums[{source.getDefiningOp<llm::RopeOp>().getInput().getDefiningOp(), false}];
  Value first = p.linearValue(w, sums, token, 2 * pair), second = p.linearValue(w, sums, token, 2 * pair + 1);
  // Two operations apart they take neither an accumulator nor a row of scales in the same cycle, whatever planes they come from.
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

//===-- scores ------------------------------------------------------------------------------===//

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
          SmallVector<std::int64_t> bytes(planes.size(), digit), rows(planes.size(), row + ((t * 2 + half) * 2 + digit) * group);
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
  std::int64_t plane = keyBlocks.plane(block, pair), slots = layouts.key.slotsUsed(2 * pair), products = chunk.count * slots * group;
  std::int64_t rows = std::min<std::int64_t>(machine.superlanes, ceilDiv(p.context - block * machine.lanes(), kSquare));
  std::int64_t width = headDim / 2 / kSquare;
  for (std::int64_t half = 0; half < 2; ++half)
    for (std::int64_t keyDigit : {1, 0}) {
      loadTile(keyTiles(pair, half, keyDigit, keyBlocks.part(block)), keyBlocks.index(block) * machine.superlanes, rows, 0, plane, false, false);
      for (std::int64_t t = 0; t < chunk.count; ++t)
        for (std::int64_t slot = 0; slot < slots; ++slot)
          for (std::int64_t digit : {1, 0}) {
            std::int64_t to = acc + (2 - keyDigit - digit) * products + (t * slots + slot) * group;
            bool first = half == 0 && (keyDigit == 1 || digit == 0);
            flow(group).pass(plane, row + ((t * 2 + half) * 2 + digit) * group, to, !first, ((std::int64_t{1} << width) - 1) << (slot * width));
          }
    }
}

void TileAttention::joinScores(std::int64_t token, std::int64_t plane, std::int64_t acc, std::int64_t products, std::int64_t head,
                               std::int64_t block) {
  auto factors = p.attentionFactors(op, headDim);
  const auto &scale256 = factors[3], &scale = factors[1];
  for (std::int64_t first = 0; first < group; first += burst) {
    FlowWriter w = flow(std::min(burst, group - first));
    auto emit = [&](std::int64_t product) { return w.emit(plane, acc + product * products + first); };
    Value high = w.alu("cvt.i32.f32", {w.joinHigh(emit(0), emit(1))}), low = w.alu("cvt.i32.f32", {emit(2)});
    Value score = w.alu("addf", {p.times(w, high, scale256), p.times(w, low, scale)});
    Value masked = w.alu("select", {w.read("step.mask", (chunk.first + token) * blocks + block), score, Operand::f32(ScoreConstants::kMasked)});
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
          joinScores(t, plane, acc + (t * slots + slot) * group, products, (pair * layouts.key.slots + slot) * group, block);
    }
  }
}

//===-- maxima over lanes ---------------------------------------------------------------------===//

void TileAttention::reduceMaxima(std::int64_t token) {
  std::string packed = table("score.packed", 4, chunk.count * batches, 0), largest = table("score.largest", 4, chunk.count * batches, 2);
  std::string masks = p.pool.laneMasks();
  for (std::int64_t batch = 0; batch < batches; ++batch) {
    std::int64_t row = token * batches + batch;
    {
      // Within superlanes: 16 lanes are 4 times 4, and four units can rotate at once. Head i ends in lane i of every superlane.
      FlowWriter w = flow(std::min(kSquare, heads() - batch * kSquare));
      Value x = w.read(maxima(), token * heads() + batch * kSquare, 1);
      Value east = w.alu("move", {x}), west = w.alu("move", {x}), all;
      for (std::int64_t distance : {1, 4}) {
        Value rotated[] = {w.lanes("rotate", east, 0, 0), w.lanes("distribute.rotate", east, 0, distance),
                           w.lanes("rotate", west, 1, 2 * distance), w.lanes("distribute.rotate", west, 1, 3 * distance)};
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

//===-- values ------------------------------------------------------------------------------------===//

/// Weights e of the heads from `head` on for the positions of a block: high digits to the side's even plane, low digits to its odd one.
void TileAttention::weigh(std::int64_t block, std::int64_t side, std::int64_t head, std::int64_t row) {
  for (std::int64_t t = 0; t < chunk.count; ++t)
    for (std::int64_t first = head, count; first < head + group; first += count) {
      count = std::min(head + group, first / kSquare * kSquare + kSquare) - first;
      FlowWriter w = flow(count);
      Value packed = w.repeatHeld(w.read("score.largest", t * batches + first / kSquare, 0, true));
      Value maximum = w.lanes("distribute.broadcast", packed, side, first % kSquare, 1);
      Value e = w.alu("exp", {w.alu("subf", {w.read(scores(), scoreRow(t, block, first), 1), maximum})});
      Value weight = w.alu("cvt.f32.d16", {w.alu("mulf", {e, Operand::f32(isa::kDigit16Max)})});
      std::int64_t planes[] = {2 * side, 2 * side + 1}, at = row + t * group + first - head;
      w.load(w.digits16(weight), planes, {1, 0}, {at, at}, 1);
    }
}

void TileAttention::multiplyValues(std::int64_t vector, std::int64_t slot, std::int64_t block, std::int64_t row,
                                   const Mixed &mixed) {
  std::int64_t plane = 2 * mixed.side, rows = headDim / kSquare, perBlock = layouts.value.perVector() / kSquare;
  for (std::int64_t digit : {1, 0}) {
    loadTile(valueTiles(vector, digit, valueBlocks.part(block)), valueBlocks.index(block) * perBlock + slot * rows, rows, slot * rows, plane, true, true);
    for (std::int64_t t = 0; t < chunk.count; ++t) {
      flow(group).pass(plane, row + t * group, mixed.high[1 - digit] + t * group, mixed.started);
      flow(group).pass(plane + 1, row + t * group, mixed.low[1 - digit] + t * group, mixed.started);
    }
  }
}

/// Sums of a head's weights in the lanes of its slot.
void TileAttention::sumWeights(std::int64_t row, const Mixed &mixed) {
  for (std::int64_t t = 0; t < chunk.count; ++t) {
    flow(group).pass(2 * mixed.side, row + t * group, mixed.high[2] + t * group, mixed.summed);
    flow(group).pass(2 * mixed.side + 1, row + t * group, mixed.low[2] + t * group, mixed.summed);
  }
}

void TileAttention::mix() {
  std::int64_t half = machine.mxmActivationRows / 2, together = std::max<std::int64_t>(1, half / (chunk.count * group));
  for (std::int64_t v = 0; v < valueBlocks.vectors; ++v) {
    std::vector<Mixed> sums;
    for (std::int64_t b = 0; b < std::min(blocks, valueBlocks.parts()); ++b) {
      Mixed &mixed = sums.emplace_back();
      mixed.side = valueBlocks.side(b, v);
      for (int i = 0; i < 3; ++i) {
        mixed.high[i] = p.nextAccumulator(2 * mixed.side, chunk.count * group);
        mixed.low[i] = p.nextAccumulator(2 * mixed.side + 1, chunk.count * group);
      }
    }
    for (std::int64_t slot = 0; slot < layouts.value.slotsUsed(v); ++slot)
      for (std::int64_t first = 0; first < blocks; first += together)
        mixSlot(v, slot, first, std::min(blocks, first + together), sums);
    divide(v, sums);
  }
}

/// Adds what blocks first … end − 1 contribute to the heads of a slot.
void TileAttention::mixSlot(std::int64_t vector, std::int64_t slot, std::int64_t first, std::int64_t end, std::vector<Mixed> &sums) {
  std::int64_t head = (vector * layouts.value.slots + slot) * group, width = headDim / kSquare;
  std::vector<std::int64_t> rows;
  for (std::int64_t b = first; b < end; ++b) {
    rows.push_back(activationRows(chunk.count * group));
    weigh(b, valueBlocks.side(b, vector), head, rows.back());
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

/// out of N11. The moves keep a plane's emits from falling into one cycle: they come a VXM operation apart, so bursts are no longer than that.
void TileAttention::divide(std::int64_t vector, const std::vector<Mixed> &sums) {
  std::int64_t x = machine.latency.VxmSimple, vectors = layouts.value.vectors() * group;
  for (std::int64_t t = 0; t < chunk.count; ++t)
    for (std::int64_t first = 0; first < group; first += burst) {
      FlowWriter w = flow(std::min(burst, group - first));
      auto total = [&](bool high, int i) {
        SmallVector<Value> parts;
        for (const Mixed &mixed : sums)
          parts.push_back(w.emit(2 * mixed.side + !high, (high ? mixed.high : mixed.low)[i] + t * group + first));
        return parts.size() > 1 ? w.alu("addi", {parts[0], parts[1]}) : parts[0];
      };
      auto real = [&](Value v) { return w.alu("cvt.i32.f32", {v}); };
      Value high = w.alu("move", {w.alu("mulf", {real(total(true, 0)), Operand::f32(256.0f)})});
      Value mixed = real(w.alu("addi", {total(true, 1), total(false, 0)}));
      Value upper = w.alu("mulf", {w.alu("addf", {high, mixed}), Operand::f32(256.0f)});
      Value value = w.alu("addf", {upper, real(total(false, 1))});
      Value inverse = w.alu("recip", {real(w.joinHigh(total(true, 2), total(false, 2)))});
      for (std::int64_t apart = machine.latency.VxmSpecial + 3 * x; apart < 7 * x; apart += x)
        inverse = w.alu("move", {inverse});
      std::int64_t row = out + 2 * ((chunk.first + t) * vectors + vector * group + first);
      Value result = w.alu("mulf", {value, inverse});
      if (layouts.result.packed)
        w.write(w.alu("cvt.f32.d16", {result}, 2), table("a", 2, p.tokens * vectors, 0), (chunk.first + t) * vectors + vector * group + first, 1);
      else
        p.passOnDigits(w, op.getResult(), result, chunk.first + t, vector * group + first, row, 1);
    }
}

/// Moves the pieces of the last vectors into the lanes that the others have to spare, and loads the digits.
void TileAttention::packResult(std::int64_t token) {
  const Layout &result = layouts.result;
  std::int64_t kept = result.vectors(), all = result.elements / result.perVector(), pieces = result.piecesPerVector(), first = token * all;
  std::string vectors = table("a", 2, p.tokens * all, 0), lanes = laneIndex();
  for (std::int64_t v = 0; v < kept; ++v) {
    FlowWriter w = flow();
    std::int64_t row = out + 2 * (token * kept + v);
    if (result.lanesUsed(v) == result.perVector()) {
      w.loadDigits(w.read(vectors, first + v), row);
      continue;
    }
    // Superlane k of the moved vector is superlane k + amount of its source.
    std::int64_t from = v % pieces * result.spareLanes() / kSquare, to = result.perVector() / kSquare;
    Value source = w.alu("move", {w.read(vectors, first + kept + v / pieces)}, 2);
    Value piece = w.lanes("permute.rotate", source, v % 2, (from - to + machine.superlanes) % machine.superlanes, 0, v / 2 % 2 * 2);
    Value isOwn = w.alu("subi", {w.read(lanes, 0), Operand::i32(static_cast<std::int32_t>(result.perVector()))});
    w.loadDigits(w.alu("select", {isOwn, w.read(vectors, first + v), piece}), row);
  }
}

//===-- the operation ---------------------------------------------------------------------------------===//

LogicalResult TileAttention::lower() {
  if (capacity > kMostPositions)
    return op->emitOpError("a cache of ") << capacity << " positions: tiles hold up to " << kMostPositions << "; choose a smaller --max-context";
  if (machine.lanesPerSuperlane != kSquare || machine.sxmPermuteQueues < 4 || machine.sxmDistributeQueues < 4 || machine.sxmSelectQueues < 4 ||
      machine.sxmTransposeQueues < 1)
    return op->emitOpError("in tiles needs a transpose queue and four permute, distribute and select queues a side, which machine '")
           << machine.name << "' has not";
  for (std::int64_t t = 0; t < p.tokens; ++t)
    appendKeys(t), storeQueriesAndValues(t);

  p.beginPhase(fmt::format("layer {}: attention", layer));
  for (std::int64_t t = 0; t < p.tokens; ++t)
    appendValues(t);
  out = p.nextHalf();
  p.noteDigits(op.getResult(), layouts.result, out, "a");
  std::int64_t rows = machine.mxmActivationRows / 2, products = 3 * layouts.key.slots * group;
  std::int64_t most = std::min({rows / (4 * group), machine.mxmAccumulatorRows / products, machine.memRowsPerBank / 2 / (blocks * heads())});
  if (most < 1)
    return op->emitOpError() << heads() << " heads over " << p.context << " positions do not fit what machine '" << machine.name << "' holds at once";
  for (chunk.first = 0; chunk.first < p.tokens; chunk.first += chunk.count) {
    chunk.count = std::min(most, p.tokens - chunk.first);
    score();
    for (std::int64_t t = 0; t < chunk.count; ++t)
      reduceMaxima(t);
    mix();
  }
  for (std::int64_t t = 0; layouts.result.packed && t < p.tokens; ++t)
    packResult(t);
  return success();
}

} // namespace lpu::compiler
