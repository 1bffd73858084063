// Steps that feed so many tokens that their digits do not fit the activation rows: chunks of a prompt. The MXM is what
// is scarce then, not the weight stream, so every tile is kept for one pass of each token and digit:
//
//   digits wait in memory on both sides, row v·tokens + t, and a column of them is fetched for a group of tiles;
//   both planes of a side load the same tile, the even one plays high digits, the odd one low digits, so a tile takes
//   tokens + 1 cycles of a side, its install included;
//   the last pass of an output vector emits as it adds, and what takes the sums is one burst over the tokens.
//
// docs/decisions/0011 has the numbers.
//
// A batch's tokens may be so few that the weight stream is still scarce. Then every plane has tiles of its own, through
// which both digits pass in the time of a load, and sums wait in accumulators (docs/decisions/0020).

#include "ProgramLowering.h"

#include "lpu/compiler/Support/ModelConstants.h"

#include <array>
#include <deque>
#include <map>
#include <set>

using namespace mlir;

namespace lpu::compiler {

namespace {

/// Outputs of a plane that begin at the same visit of a column. The more, the less often digits are fetched, but the
/// more results VXM has to take at once.
constexpr std::int64_t kWave = 2;
/// Groups of slices that gates and ups of a batch alternate in, and vectors in each: at any time a plane's tiles leave
/// one of its groups alone, so flows that go on with them soon find one free.
constexpr std::int64_t kGateGroups = 4, kGatesTogether = 2;
constexpr std::int64_t kHiddenTurns = 2; ///< objects of a side that digits between up and down are divided between

llvm::StringRef sideName(std::int64_t side) { return side ? ".west" : ".east"; }

/// N22 in its form by tanh, of a burst's values that are read again where they are needed again.
Value geluOf(FlowWriter &w, Value x, Value again, Value third) {
  GeluConstants c = geluConstants(true);
  Value square = w.alu("minf", {w.alu("mulf", {x, x}), Operand::f32(GeluConstants::kLargest)});
  Value slope = w.alu("addf", {w.alu("mulf", {square, Operand::f32(c.first)}), Operand::f32(c.linear)});
  Value open = w.alu("addf", {w.alu("tanh", {w.alu("mulf", {again, slope})}), Operand::f32(1.0f)});
  return w.alu("mulf", {w.alu("mulf", {third, Operand::f32(0.5f)}), open});
}

} // namespace

//===-- linears -------------------------------------------------------------------===//

/// Where the sums of an output vector are on a side.
struct ProgramLowering::ChunkSums {
  std::array<std::int64_t, 2> high = {-1, -1},
                              low = {-1, -1}; ///< first accumulator row on the even and odd plane; −1: no tile there
};

void ProgramLowering::flushChunk() {
  constexpr std::int64_t kHints[] = {2, 4, 4}; // on the side that the factors of rope do not come from
  std::vector<std::string> objects;
  for (auto [i, linear] : llvm::enumerate(pending)) {
    linear.sums->object = pool.scratch("y." + std::to_string(i), 4, tokens * linear.rows.vectors(), kHints[i % 3]);
    linear.sums->stored = true;
    objects.push_back(linear.sums->object);
  }
  passChunk([&](FlowWriter &w, Value y, const Unit &unit,
                Burst burst) { w.write(y, objects[unit.linear], chunkRow(burst.first, unit.vector), 1); },
            {});
}

void ProgramLowering::passChunk(ChunkSink sink, llvm::function_ref<void(std::int64_t)> finished) {
  if (pending.empty())
    return;
  const Digits &input = digits[pendingInput];
  bool isDown = mlir::isa_and_nonnull<llm::SiluMulOp>(producerOf(pendingInput)), swept = isHead() || finished || isDown;
  prepareSums(input, swept);
  beginLinearPhase();
  chunkSlot = 0;
  bool isOutput = mlir::isa_and_nonnull<llm::AttentionOp>(producerOf(pendingInput));
  if (!paired && (swept || isOutput)) // there is no decode step of a single token that has placed the tiles
    tileHint = stream::kTileAnywhere;
  std::vector<Unit> units = dealtUnits(input.layout.vectors(), swept, rolls());
  if (paired)
    passPaired(input, units, sink, finished);
  else
    passSingly(input, units, sink);
  pending.clear();
  pendingInput = {};
  tileHint = -1;
}

std::pair<std::string, std::int64_t> ProgramLowering::chunkDigits(const Digits &input, std::int64_t side,
                                                                  std::int64_t vector) const {
  std::int64_t turn = vector % input.turns;
  return {input.object + (turn ? "." + std::to_string(turn) : "") + sideName(side).str(),
          chunkRow(0, vector / input.turns)};
}

void ProgramLowering::passPaired(const Digits &input, ArrayRef<Unit> units, ChunkSink sink,
                                 llvm::function_ref<void(std::int64_t)> finished) {
  std::int64_t columns = input.layout.vectors(), slots = machine.mxmActivationRows / tokens;
  std::vector<ChunkSums> sums(units.size());
  std::vector<std::array<std::int64_t, 2>> tilesLeft(units.size(), {0, 0}); ///< on each side
  std::vector<std::vector<std::string>> tiles(units.size());
  for (auto [u, unit] : llvm::enumerate(units))
    tiles[u].resize(columns);
  visit(units, columns,
        [&](std::int64_t k, ArrayRef<std::size_t> active) {
          for (std::size_t u : active) {
            const Unit &unit = units[u];
            PendingLinear &linear = pending[unit.linear];
            std::int64_t plane = unit.plane < 0 ? planeInTurn(unit.vector + k) : unit.plane;
            tiles[u][k] = pool.weightTile(tensorOf(linear.op.getWeight()), linear.rows, unit.vector, input.layout, k,
                                          plane, tileHint);
            ++tilesLeft[u][pool.planeOf(tiles[u][k]) / 2];
          }
        },
        {});
  visit(
      units, columns,
      [&](std::int64_t k, ArrayRef<std::size_t> active) {
        std::int64_t row = chunkSlot++ % slots * tokens;
        for (std::int64_t side = 0; side < 2; ++side) {
          if (llvm::none_of(active, [&](std::size_t u) { return pool.planeOf(tiles[u][k]) / 2 == side; }))
            continue;
          auto [object, first] = chunkDigits(input, side, k);
          FlowWriter w = flow(tokens);
          for (std::int64_t digit : {1, 0})
            w.fetch(object, first, digit, {2 * side + 1 - digit}, row);
        }
        for (std::size_t u : active) {
          const Unit &unit = units[u];
          std::int64_t side = pool.planeOf(tiles[u][k]) / 2, &high = sums[u].high[side], &low = sums[u].low[side];
          emitTile(tiles[u][k], 2 * side, true);
          bool first = high < 0;
          if (first)
            high = nextAccumulator(2 * side, tokens), low = nextAccumulator(2 * side + 1, tokens);
          --tilesLeft[u][side];
          FlowWriter w = flow(tokens);
          if (tilesLeft[u][0] + tilesLeft[u][1] > 0) {
            w.pass(2 * side, row, high, !first);
            w.pass(2 * side + 1, row, low, !first);
            continue;
          }
          Value upper = w.passAndEmit(2 * side, row, high, !first),
                lower = w.passAndEmit(2 * side + 1, row, low, !first);
          if (std::int64_t other = 1 - side; sums[u].high[other] >= 0) {
            upper = w.alu("addi", {upper, w.emit(2 * other, sums[u].high[other])});
            lower = w.alu("addi", {lower, w.emit(2 * other + 1, sums[u].low[other])});
          }
          sink(w, chunkValue(w, *pending[unit.linear].sums, upper, lower, unit.vector), unit, {0, tokens});
        }
      },
      finished);
}

/// Columns are visited in rotation, and outputs begin a wave a visit, so that they are complete one after the other and
/// VXM has time for their results.
void ProgramLowering::passSingly(const Digits &input, ArrayRef<Unit> units, ChunkSink sink) {
  struct Output {
    const Unit *unit;
    std::int64_t begin; ///< visit of its first tile
  };
  heldSums.clear();
  std::int64_t columns = input.layout.vectors(), slots = machine.mxmActivationRows / (2 * tokens),
               planes = 2 * machine.mxmPlanesPerSide;
  // So few at a time that the accumulators hold all that are under way.
  bool spread = units.front().plane < 0;
  std::int64_t room = machine.mxmAccumulatorRows / (2 * tokens) - planes,
               width = std::clamp<std::int64_t>(room / columns, 1, kWave);
  std::int64_t wave = spread ? width : planes * width, apart = (columns + room - 1) / room;
  std::array<std::int64_t, 4> busy =
      {}; ///< cycles of the streams that each plane's tiles come on; digits take those of a side's even plane
  std::deque<Output> active;
  std::size_t next = 0;
  for (std::int64_t visit = 0; next < units.size() || !active.empty(); ++visit) {
    for (std::int64_t i = 0; visit % apart == 0 && i < wave && next < units.size(); ++i)
      active.push_back({&units[next++], visit});
    if (tileHint == stream::kTileAnywhere && visit + 1 == columns) // results leave from now on
      tileHint = stream::kTileKeepsClear;
    std::int64_t k = visit % columns, row = chunkSlot++ % slots * 2 * tokens;
    std::vector<std::string> tiles;
    std::set<std::int64_t> used;
    for (const Output &output : active) {
      const Unit &unit = *output.unit;
      std::int64_t plane = unit.plane < 0 ? std::distance(busy.begin(), llvm::min_element(busy)) : unit.plane;
      busy[plane] += machine.superlanes;
      tiles.push_back(pool.weightTile(tensorOf(pending[unit.linear].op.getWeight()), pending[unit.linear].rows,
                                      unit.vector, input.layout, k, plane, tileHint));
      used.insert(pool.planeOf(tiles.back()));
    }
    for (std::int64_t side = 0; side < 2; ++side) {
      SmallVector<std::int64_t> here;
      for (std::int64_t plane : {2 * side, 2 * side + 1})
        if (used.count(plane))
          here.push_back(plane);
      if (here.empty())
        continue;
      busy[2 * side] += 2 * tokens;
      auto [object, first] = chunkDigits(input, side, k);
      for (std::int64_t digit : {1, 0})
        flow(tokens).fetch(object, first, digit, here, row + (1 - digit) * tokens);
    }
    for (auto [output, tile] : llvm::zip(active, tiles)) {
      std::int64_t plane = pool.planeOf(tile);
      auto [sums, isFirst] = heldSums[{output.unit->linear, output.unit->vector}].try_emplace(plane, 0);
      if (isFirst)
        sums->second = nextAccumulator(plane, 2 * tokens);
      emitTile(tile, plane);
      flow(2 * tokens).pass(plane, row, sums->second, !isFirst);
    }
    for (; !active.empty() && active.front().begin + columns == visit + 1; active.pop_front()) {
      const Unit &unit = *active.front().unit;
      forBursts(
          [&](FlowWriter &w, Burst burst) { sink(w, heldValue(w, unit.linear, unit.vector, burst), unit, burst); });
    }
  }
}

/// A plane's accumulators are free between the passes of two tiles: bursts are no longer than that, nor than an
/// operation takes.
void ProgramLowering::forBursts(llvm::function_ref<void(FlowWriter &, Burst)> f) {
  std::int64_t gap = machine.superlanes - 2 * tokens,
               together = std::clamp<std::int64_t>(gap, 1, machine.latency.VxmSimple);
  for (std::int64_t first = 0; first < tokens; first += together) {
    Burst burst{first, std::min(together, tokens - first)};
    FlowWriter w = flow(burst.count);
    f(w, burst);
  }
}

/// If both digits' sums do not leave between two tiles, those of the low digits leave a tile later.
Value ProgramLowering::heldValue(FlowWriter &w, std::size_t linear, std::int64_t vector, Burst burst) {
  std::int64_t x = machine.latency.VxmSimple,
               later = machine.superlanes - 2 * tokens < x + burst.count ? machine.superlanes / x - 1 : 0;
  auto total = [&](std::int64_t digit) {
    SmallVector<Value> parts;
    for (auto [plane, accumulator] : heldSums.at({linear, vector}))
      parts.push_back(w.emit(plane, accumulator + (1 - digit) * tokens + burst.first));
    return sumOf(w, parts, parts.size());
  };
  Value upper = total(1), lower = total(0);
  for (std::int64_t i = 0; i < later; ++i)
    upper = w.alu("move", {upper});
  return chunkValue(w, *pending[linear].sums, upper, lower, vector);
}

/// y of N3 for all tokens; a vector's factors are read once.
Value ProgramLowering::chunkValue(FlowWriter &w, const Sums &sums, Value upper, Value lower, std::int64_t vector) {
  Value high = w.alu("mulf", {w.alu("cvt.i32.f32", {upper}), Operand::f32(256.0f)});
  // The move makes both digits' sums leave their planes in the same cycle, so that both are free for the next tile.
  Value low = w.alu("cvt.i32.f32", {paired ? w.alu("move", {lower}) : lower});
  Value sum = w.alu("addf", {high, low});
  Value scaled = w.aluHolding("mulf", w.read(sums.scales, vector, 0, true), sum);
  return sums.biases.empty() ? scaled : w.aluHolding("addf", w.read(sums.biases, vector, 0, true), scaled);
}

//===-- what takes sums -------------------------------------------------------------===//

void ProgramLowering::chunkSiluMul(llm::SiluMulOp op) {
  Layout layout = plainRows(op.getGate().getDefiningOp<llm::LinearOp>());
  noteDigits(op.getResult(), layout, 0, "h");
  // Of all that waits in memory these digits are most: on half as many rows they leave the rest of a group of slices to
  // tiles.
  Digits hidden{layout, 0, {}, "h"};
  if (auto noted = digits.find(op.getResult()); noted != digits.end()) {
    noted->second.turns = hidden.turns = kHiddenTurns;
    for (std::int64_t turn = 0; turn < kHiddenTurns; ++turn)
      for (std::int64_t side = 0; side < 2; ++side)
        pool.scratch(chunkDigits(hidden, side, turn).first, 2,
                     tokens * ((layout.vectors() + kHiddenTurns - 1) / kHiddenTurns), side);
  }
  struct Waiting {
    /// The flow that takes a gate reads it twice, for GELU three times; if the burst lasts longer than the time
    /// between, from as many places.
    std::string gates, ups, again, third;
  };
  SmallVector<Waiting> waiting;
  std::int64_t groups = paired ? 1 : kGateGroups,
               slots = paired ? 2 * kChunkVectors : kGatesTogether; // of four planes' outputs half are gates
  std::int64_t simple = machine.latency.VxmSimple, special = machine.latency.VxmSpecial;
  bool gelu = op.getGelu(), twice = tokens > (gelu ? std::min(4 * simple, simple + special) : 2 * (simple + special));
  for (std::int64_t i = 0; i < groups; ++i) {
    std::string suffix = i ? "." + std::to_string(i) : "";
    std::string gates = pool.scratch("ffn.gate" + suffix, 4, slots * tokens, 2 + 2 * i),
                ups = pool.scratch("ffn.up" + suffix, 4, slots * tokens, 3 + 2 * i);
    waiting.push_back({gates, ups, twice ? pool.scratch("ffn.gate.again" + suffix, 4, slots * tokens, 4) : gates,
                       twice && gelu ? pool.scratch("ffn.gate.third" + suffix, 4, slots * tokens, 0) : gates});
  }
  // Places by turn: neighbours are dealt to different planes, so vectors that are worked on together have no numbers in
  // a row.
  llvm::DenseMap<std::int64_t, std::int64_t> places;
  auto write = [&](FlowWriter &w, Value y, const Unit &unit, Burst burst) {
    std::int64_t place = places.try_emplace(unit.vector, places.size()).first->second,
                 row = place / groups % slots * tokens + burst.first;
    const auto &[gates, ups, again, third] = waiting[place % groups];
    bool isGate = pending[unit.linear].op == op.getGate().getDefiningOp();
    w.write(y, isGate ? gates : ups, row, 1);
    if (isGate && twice)
      w.write(y, again, row, 1);
    if (isGate && twice && gelu)
      w.write(y, third, row, 1);
    if (!isGate) {
      FlowWriter next = flow(burst.count);
      auto [east, first] = chunkDigits(hidden, 0, unit.vector);
      std::string west = chunkDigits(hidden, 1, unit.vector).first;
      if (gelu) {
        Value opened = geluOf(next, next.read(gates, row, 1), next.read(again, row, 1), next.read(third, row, 1));
        next.storeDigits16(next.alu("mulf", {opened, next.read(ups, row, 1)}), east, west, first + burst.first, 1);
        return;
      }
      Value e = next.alu("exp", {next.alu("mulf", {next.read(gates, row, 1), Operand::f32(-1.0f)})});
      Value sigmoid = next.alu("recip", {next.alu("addf", {e, Operand::f32(1.0f)})});
      Value silu = next.alu("mulf", {next.read(again, row, 1), sigmoid});
      next.storeDigits16(next.alu("mulf", {silu, next.read(ups, row, 1)}), east, west, first + burst.first, 1);
    }
  };
  passChunk(write, [](std::int64_t) {});
}

void ProgramLowering::chunkAdd(llm::AddOp op) {
  // Bursts read and write at once, so the sums go into a second residual.
  std::string next = residual == "x" ? "x.next" : "x";
  std::int64_t all = residualLayout.gather().vectors();
  pool.scratch(next, 4, tokens * all, next == "x" ? 0 : 1);
  passChunk(
      [&](FlowWriter &w, Value y, const Unit &unit, Burst burst) {
        std::int64_t row = residualRow(burst.first, unit.vector);
        w.write(w.alu("addf", {y, w.read(residual, row, tokenStep(all))}), next, row, tokenStep(all));
      },
      {});
  residual = next;
}

//===-- norms -------------------------------------------------------------------------===//

void ProgramLowering::loadSquares(FlowWriter &w, Value x, std::int64_t row, std::int64_t count) {
  using C = RmsNormConstants;
  Value square = w.alu("mulf", {x, x});
  Value coarse = w.alu("cvt.f32.d32", {w.alu("mulf", {square, Operand::f32(C::kCoarse)})});
  Value back = w.alu("mulf", {w.alu("cvt.i32.f32", {coarse}), Operand::f32(C::kMinusInverseCoarse)});
  for (int i = 0; i < 4; ++i) // until what the coarse number left of it can be told
    square = w.alu("move", {square});
  Value fine = w.alu("cvt.f32.d32", {w.alu("mulf", {w.alu("addf", {square, back}), Operand::f32(C::kFine)})});
  w.loadDigits32(coarse, 0, row, count, 1);
  w.loadDigits32(fine, 1, row, count, 1);
}

void ProgramLowering::sumSquares(std::int64_t row, const std::array<std::int64_t, 4> &sum, std::int64_t count, bool add,
                                 std::optional<std::int64_t> mask) {
  for (std::int64_t side = 0; side < 2; ++side) {
    FlowWriter w = flow(2 * count);
    for (std::int64_t plane : {2 * side, 2 * side + 1})
      w.pass(plane, row, sum[plane], add, mask);
  }
}

void ProgramLowering::chunkInverse(llm::RmsNormOp op, const std::string &source, const std::array<std::int64_t, 4> &sum,
                                   std::int64_t first, std::int64_t count) {
  RmsNormConstants constants =
      rmsNormConstants(static_cast<std::uint32_t>(cast<RankedTensorType>(op.getInput().getType()).getDimSize(1)));
  std::int64_t vectors = residualLayout.gather().vectors(), together = machine.latency.VxmSimple,
               slots = machine.mxmActivationRows / (2 * together);
  for (std::int64_t v = 0; v < vectors; ++v) {
    std::int64_t row = (first / together * vectors + v) % slots * 2 * together;
    FlowWriter w = flow(count);
    loadSquares(w, w.read(source, residualRow(first, v), tokenStep(vectors)), row, count);
    sumSquares(row, sum, count, v > 0);
  }
  FlowWriter w = flow(count);
  w.write(
      inverseNorm(w, constants, op.getEps().convertToFloat(),
                  [&](std::int64_t plane, std::int64_t digit) { return w.emit(plane, sum[plane] + digit * count); }),
      "norm.inverse", first, 1);
}

/// As lowerNorm, in bursts over as many tokens as a value takes cycles through an ALU: then the second digit of a load
/// follows the first without a gap.
void ProgramLowering::chunkNorm(llm::RmsNormOp op, const std::string &source) {
  Layout layout = residualLayout.gather();
  std::int64_t vectors = layout.vectors(), together = machine.latency.VxmSimple;
  std::string inverse = pool.scratch("norm.inverse", 4, tokens, 3);
  std::array<std::int64_t, 4> sum;
  for (std::int64_t plane = 0; plane < 4; ++plane)
    sum[plane] = nextAccumulator(plane, 2 * together);
  if (llm::normsBranch(op)) { // whose gains come in when it is added
    for (std::int64_t t0 = 0; t0 < tokens; t0 += together)
      chunkInverse(op, source, sum, t0, std::min(together, tokens - t0));
    return;
  }
  std::string gain = pool.normGain(tensorOf(op.getWeight()), layout, scaleOf(op.getResult()));
  digits[op.getResult()] = {layout, 0, scaleOf(op.getResult()), "n"};
  written[op.getResult()] = {"n", layout, 0};
  for (std::int64_t side = 0; side < 2; ++side)
    pool.scratch("n" + sideName(side).str(), 2, tokens * vectors, 4 + side);
  for (std::int64_t t0 = 0; t0 < tokens; t0 += together) {
    std::int64_t count = std::min(together, tokens - t0);
    chunkInverse(op, source, sum, t0, count);
    for (std::int64_t v = 0; v < vectors; ++v) {
      FlowWriter w = flow(count);
      Value normed = w.alu("mulf", {w.read(residual, residualRow(t0, v), tokenStep(vectors)), w.read(inverse, t0, 1)});
      // Gains may share slices with the residual; they are there before its burst begins.
      w.storeDigits16(w.aluHolding("mulf", w.read(gain, v, 0, true), normed, machine.latency.VxmSimple), "n.east",
                      "n.west", chunkRow(t0, v), 1);
    }
  }
}

} // namespace lpu::compiler
