// Linears and what takes their sums. The outputs of small groups keep to planes;
// groups whose weights take long to stream are dealt tile by tile over the planes.
// If gate, up and down are large (swept), gate and up (output by output) flow into down (input by input) in one phase,
// so that the weight stream does not stop between them. What passes from the one to the other waits in memory and is
// fetched into activation rows when its tiles come.

#include "LowerTileAttention.h"
#include "ProgramLowering.h"

#include "lpu/compiler/Conversion/Mapping.h"
#include "lpu/compiler/Conversion/Passes.h"
#include "lpu/compiler/Dialect/LLM/Chips.h"

#include <algorithm>
#include <map>
#include <numeric>
#include <set>

using namespace mlir;

namespace lpu::compiler {

namespace {

/// A group of linears is swept if its weights take at least this many cycles to stream: then the drain
/// between two phases is short beside it, and digits may take the way through memory.
constexpr std::int64_t kSweptCycles = 256;

/// Output vectors whose tiles alternate on a plane, column by column. The more, the less often chunks of tokens fetch
/// digits; but their sums are complete together, and what takes them then comes late.
constexpr std::int64_t kSweptTogether = kChunkVectors, kDealtTogether = 2;

/// Columns whose digits are fetched in one burst. Each burst interrupts the weight stream once.
constexpr std::int64_t kFetchedTogether = 4;

/// Output vectors of gate and up before the end of their tiles at which their consumers get at their memory
/// undisturbed.
constexpr std::int64_t kFinishedAhead = 4;

std::int64_t widthOf(Value value) { return cast<RankedTensorType>(value.getType()).getDimSize(1); }

/// On one of `shards` chips.
std::int64_t weightsOf(llm::LinearOp linear, std::int64_t shards = 1) {
  return widthOf(linear.getInput()) * ((widthOf(linear.getResult()) + shards - 1) / shards);
}

llm::LinearOp linearOf(Value value) { return value.getDefiningOp<llm::LinearOp>(); }

} // namespace

bool isGrouped(llm::LinearOp op) {
  return llm::lookupWeight(op, op.getWeightAttr()).quantization().value_or(WeightType::Int8) != WeightType::Int8;
}

Operation *producerOf(Value input) {
  auto gather = input.getDefiningOp<llm::AllGatherOp>();
  return (gather ? gather.getPiece() : input).getDefiningOp();
}

bool isHalf(llm::LinearOp op) { return llm::activationBits(op.getInput()) == kHalfBits; }

bool isSwept(const isa::Machine &machine, llm::SiluMulOp op, std::int64_t shards) {
  std::int64_t weights = weightsOf(linearOf(op.getGate()), shards) + weightsOf(linearOf(op.getUp()), shards);
  Operation *user = *op->getUsers().begin();
  if (mlir::isa<llm::AllGatherOp>(user))
    user = *user->getUsers().begin();
  auto grouped = [](Operation *linear) {
    return mlir::isa<llm::LinearOp>(linear) &&
           (isGrouped(cast<llm::LinearOp>(linear)) || isHalf(cast<llm::LinearOp>(linear)));
  };
  if (grouped(linearOf(op.getGate())) || grouped(linearOf(op.getUp())) || grouped(user))
    return false;
  if (auto linear = dyn_cast<llm::LinearOp>(user))
    weights += weightsOf(linear, shards);
  return weights >= kSweptCycles * 2 * machine.streamsPerDirection * machine.rowBytes();
}

LogicalResult ProgramLowering::lowerLinear(llm::LinearOp op) {
  if (pendingInput && pendingInput != op.getInput())
    flushLinears();
  bool grouped = isGrouped(op);
  if (grouped && failed(checkGroups(op)))
    return failure();
  if (!grouped && !isHalf(op))
    pendingInput = op.getInput();
  LogicalResult done = success();
  auto want = [&](const Layout &rows) {
    if (isHalf(op))
      done = failed(done) ? done : lowerHalfLinear(op, rows);
    else if (grouped)
      lowerGroupedLinear(op, rows);
    else
      pending.push_back({op, rows, &sums[{op, rows.swap}]});
  };
  Value headed = op.getResult();
  bool turned = false;
  while (mlir::isa<llm::RopeOp, llm::HeadNormOp>(*headed.getUsers().begin())) {
    auto rope = dyn_cast<llm::RopeOp>(*headed.getUsers().begin());
    turned |= rope && !rope.getStill();
    headed = headed.getUsers().begin()->getResult(0);
  }
  auto attention = dyn_cast<llm::AttentionOp>(*headed.getUsers().begin());
  if (!attention)
    return want(plainRows(op)), done;
  auto cache = cast<llm::KVCacheOp>(SymbolTable::lookupSymbolIn(module, attention.getCache()));
  std::int64_t heads = cache.getHeads(), headDim = cache.getHeadDim();
  if (headDim > machine.lanes())
    return op->emitOpError("heads of ") << headDim << " elements do not fit a vector of " << machine.lanes()
                                        << " lanes";
  if (attention.getTiles()) {
    TileLayouts layouts(machine.lanes(), cache);
    return want(headed == attention.getQuery() ? layouts.query
                : headed == attention.getKey() ? layouts.key
                                               : layouts.value),
           done;
  }
  // Keys and values are laid out per query head, so that no lane ever moves; grouped heads are repeated.
  std::int64_t queryGroup =
      cache.getQueryGroup() ? *cache.getQueryGroup() : heads / static_cast<std::int64_t>(cache.getKvHeads());
  for (bool swap : {false, true})
    if (turned || !swap)
      want(headsOf(cache, headed == attention.getQuery() ? 1 : queryGroup, swap));
  return done;
}

//===-- tiles -------------------------------------------------------------------===//

std::string linearPhaseName(llm::LinearOp op) {
  switch (roleOf(op)) {
  case LinearRole::Projections:
    return "qkv";
  case LinearRole::AttentionOutput:
    return "attention output";
  case LinearRole::GateUp:
    return "ffn gate, up";
  case LinearRole::Down:
    return "ffn down";
  case LinearRole::Head:
    return "lm_head";
  case LinearRole::Other:
    break;
  }
  return "linear";
}

void ProgramLowering::beginLinearPhase() {
  llm::LinearOp first = pending.front().op;
  auto feeds = dyn_cast<llm::SiluMulOp>(*first->getUsers().begin());
  std::string tensor = tensorOf(first.getWeight());
  beginPhase(layerLabel(tensor, feeds && isSwept(machine, feeds) && !chunked ? "ffn" : linearPhaseName(first)),
             !isHead());
}

/// Names the constants of the pending linears and counts their weights, in bytes.
void ProgramLowering::prepareSums(const Digits &input, bool swept) {
  std::set<Operation *> counted;
  std::int64_t hint = 0;
  for (PendingLinear &linear : pending) {
    if (counted.insert(linear.op).second)
      weightBytes += weightsOf(linear.op);
    linear.sums->rows = linear.rows;
    linear.sums->single = llm::activationBits(linear.op.getInput()) == 8;
    linear.sums->scales =
        pool.channelScales(tensorOf(linear.op.getWeight()), linear.rows, input.scale, factorOf(linear.op),
                           swept ? hint++ % 2 + (chunked && !paired ? 2 : 0) : -1);
    if (auto bias = linear.op.getBias())
      linear.sums->biases = pool.channelBiases(tensorOf(*bias), linear.rows, factorOf(linear.op));
    linear.sums->parts.assign(linear.rows.vectors(),
                              std::vector<std::vector<std::pair<std::int64_t, std::int64_t>>>(tokens));
  }
}

void ProgramLowering::flushLinears(llvm::function_ref<void(std::int64_t)> finished) {
  if (pending.empty())
    return;
  if (chunked)
    return flushChunk();
  Digits &input = digits[pendingInput];
  std::int64_t vectors = 0, planes = 2 * machine.mxmPlanesPerSide;
  bool swept = input.streamed || finished, dealt = swept;
  prepareSums(input, swept);
  for (PendingLinear &linear : pending)
    vectors += linear.rows.vectors();
  if (input.streamed) {
    passByInputs(input);
  } else {
    beginLinearPhase();
    if (!input.object.empty())
      fetchAll(input);
    dealt |= formOf(pending.front().op) == LinearForm::Dealt;
    if (dealt)
      passByOutputs(input, finished);
    else
      passPinned(input);
  }
  sumsLost |= !finished && !sumsFit(dealt ? vectors : (vectors + planes - 1) / planes);
  pending.clear();
  pendingInput = {};
  tileHint = -1;
}

void ProgramLowering::fetchAll(Digits &input) {
  std::int64_t columns = input.layout.vectors();
  input.row = 0, input.stride = 1, input.high = tokens * columns;
  for (std::int64_t t = 0; t < tokens; ++t)
    for (std::int64_t k = 0; k < columns; k += kFetchedTogether)
      fetchDigits(input, t, k, std::min(kFetchedTogether, columns - k), input.lowRow(t, k), input.high);
}

void ProgramLowering::fetchDigits(const Digits &input, std::int64_t token, std::int64_t vector, std::int64_t count,
                                  std::int64_t row, std::int64_t high) {
  for (std::int64_t side = 0; side < 2; ++side)
    for (std::int64_t digit = 0; digit < 2; ++digit)
      flow(count).fetch(input.object + (side ? ".west" : ".east"), token * input.layout.vectors() + vector, digit,
                        {2 * side, 2 * side + 1}, row + digit * high);
}

void ProgramLowering::passTile(PendingLinear &linear, const Layout &cols, std::int64_t n, std::int64_t k,
                               std::int64_t plane, std::int64_t high,
                               llvm::function_ref<std::int64_t(std::int64_t)> lowRow) {
  Sums &out = *linear.sums;
  // Another program may have dealt the tile already, in another order.
  std::string tile = pool.weightTile(tensorOf(linear.op.getWeight()), linear.rows, n, cols, k, plane, tileHint);
  plane = pool.planeOf(tile);
  planeLoad[plane] +=
      (linear.rows.lanesUsed(n) + 15) / 16 + 1; // a cycle per 16 rows, and one that is lost now and then
  emitTile(tile, plane);
  auto known = llvm::find_if(out.parts[n][0], [&](auto part) { return part.first == plane; });
  bool first = known == out.parts[n][0].end();
  std::int64_t accumulator = first ? nextAccumulator(plane, 2 * tokens) : known->second;
  for (std::int64_t t = 0; t < tokens; ++t) {
    if (!out.single)
      flow().pass(plane, lowRow(t) + high, accumulator + 2 * t, !first);
    flow().pass(plane, lowRow(t), accumulator + 2 * t + 1, !first);
    if (first)
      out.parts[n][t].push_back({plane, accumulator + 2 * t});
  }
}

void ProgramLowering::passPinned(const Digits &input) {
  std::int64_t columns = input.layout.vectors(), rowTiles = 0, planes = 2 * machine.mxmPlanesPerSide, next = 0;
  for (PendingLinear &linear : pending)
    rowTiles += linear.rows.vectors();
  // Few output tiles: deal the input tiles of each over the planes and add the partial sums in VXM.
  bool spread = rowTiles < planes && columns > 1;
  for (PendingLinear &linear : pending)
    for (std::int64_t n = 0; n < linear.rows.vectors(); ++n) {
      // A tile and its swapped twin are emitted together, so they stand on different planes.
      std::int64_t pinned =
          linear.rows.swap ? (sums[{linear.op, false}].parts[n][0][0].first + 1) % planes : next % planes;
      for (std::int64_t k = 0; k < columns; ++k)
        passTile(linear, input.layout, n, k, spread ? (next + k) % planes : pinned, input.high,
                 [&](std::int64_t t) { return input.lowRow(t, k); });
      next += spread ? columns : 1;
    }
}

bool ProgramLowering::rolls() const {
  return llm::shardsOf(module) == 1 && takesChunks && mlir::isa_and_nonnull<llm::RmsNormOp>(producerOf(pendingInput)) &&
         !isHead();
}

bool ProgramLowering::isHead() const { return mlir::isa<func::ReturnOp>(*pending.front().op->getUsers().begin()); }

std::int64_t ProgramLowering::leastLoadedPlane() const {
  return std::min_element(planeLoad.begin(), planeLoad.end()) - planeLoad.begin();
}

/// Sides first, so that gate and up of a vector stand on different ones.
std::int64_t ProgramLowering::planeInTurn(std::int64_t number) const {
  return number % 2 * machine.mxmPlanesPerSide + number / 2 % machine.mxmPlanesPerSide;
}

std::vector<ProgramLowering::Unit> ProgramLowering::dealtUnits(std::int64_t columns, bool swept, bool rolling) {
  std::int64_t vectors = 0, count = 0, planes = 2 * machine.mxmPlanesPerSide,
               together = planes * (swept ? kSweptTogether : kDealtTogether);
  for (PendingLinear &linear : pending)
    vectors = std::max(vectors, linear.rows.vectors()), count += linear.rows.vectors();
  // Chips of a group wait for each other's results, which come the sooner the fewer are worked on at once.
  bool gathers = llm::shardsOf(module) > 1;
  if (gathers)
    together = 1, count = 0;
  std::vector<Unit> units;
  std::int64_t group = 0, size = 0;
  for (std::int64_t n = 0; n < vectors; ++n) {
    if (!rolling && size >= together && (gathers || count - static_cast<std::int64_t>(units.size()) >= planes))
      ++group, size = 0;
    for (std::size_t linear = 0; linear < pending.size(); ++linear)
      if (n < pending[linear].rows.vectors()) {
        auto number = static_cast<std::int64_t>(units.size());
        std::int64_t begin = rolling ? number * columns / together : group * columns;
        units.push_back({linear, n, number < count / planes * planes ? planeInTurn(number) : -1, begin}), ++size;
      }
  }
  return units;
}

void ProgramLowering::visit(ArrayRef<Unit> units, std::int64_t columns,
                            llvm::function_ref<void(std::int64_t, ArrayRef<std::size_t>)> f,
                            llvm::function_ref<void(std::int64_t)> done) const {
  std::int64_t planesPerSide = machine.mxmPlanesPerSide, complete = 0;
  auto turn = [&](std::size_t u) { return units[u].plane < 0 ? planesPerSide : units[u].plane % planesPerSide; };
  auto age = [&](std::size_t u) { return turn(u) == 0 ? -units[u].begin : units[u].begin; }; // oldest in the middle
  std::size_t first = 0, end = 0;
  for (std::int64_t number = 0; first < units.size(); ++number) {
    while (end < units.size() && units[end].begin <= number)
      ++end;
    SmallVector<std::size_t> active(end - first);
    std::iota(active.begin(), active.end(), first);
    llvm::stable_sort(
        active, [&](std::size_t a, std::size_t b) { return std::pair(turn(a), age(a)) < std::pair(turn(b), age(b)); });
    f(number % columns, active);
    while (first < end && units[first].begin + columns == number + 1)
      ++first;
    std::int64_t next = first < units.size() ? units[first].vector : units.back().vector + 1;
    for (; done && complete < next; ++complete)
      done(complete);
  }
}

void ProgramLowering::passByOutputs(const Digits &input, llvm::function_ref<void(std::int64_t)> finished) {
  std::int64_t columns = input.layout.vectors(), vectors = 0;
  for (PendingLinear &linear : pending)
    vectors = std::max(vectors, linear.rows.vectors());
  std::vector<Unit> units = dealtUnits(columns, finished || isHead(), rolls());
  visit(
      units, columns,
      [&](std::int64_t k, ArrayRef<std::size_t> active) {
        for (std::size_t u : active) {
          const Unit &unit = units[u];
          if (isHead()) // may fill a chip
            tileHint = stream::kTileAnywhere;
          else if (finished)
            tileHint = unit.vector < vectors - kFinishedAhead ? stream::kTileAnywhere : stream::kTileKeepsClear;
          passTile(pending[unit.linear], input.layout, unit.vector, k, unit.plane < 0 ? leastLoadedPlane() : unit.plane,
                   input.high, [&](std::int64_t t) { return input.lowRow(t, k); });
        }
      },
      finished);
}

void ProgramLowering::passByInputs(const Digits &input) {
  // The input of gate and up keeps its rows until the last of its tiles; these columns alternate in the rows it left.
  tileHint = stream::kTileKeepsClear;
  std::int64_t columns = input.layout.vectors(),
               room = (input.row == 0 ? machine.mxmActivationRows / 2 : machine.mxmActivationRows - input.row);
  std::int64_t together = std::clamp<std::int64_t>(room / (4 * tokens), 1, kFetchedTogether),
               each = 2 * tokens * together, turns = room / each;
  std::vector<Unit> units = dealtUnits(columns, true, false);
  for (std::int64_t k0 = 0; k0 < columns; k0 += together) {
    std::int64_t row = input.row + k0 / together % turns * each, count = std::min(together, columns - k0);
    for (std::int64_t t = 0; t < tokens; ++t)
      fetchDigits(input, t, k0, count, row + t * together, tokens * together);
    for (std::int64_t k = k0; k < k0 + count; ++k)
      for (const Unit &unit : units)
        passTile(pending[unit.linear], input.layout, unit.vector, k, unit.plane < 0 ? leastLoadedPlane() : unit.plane,
                 tokens * together, [&](std::int64_t t) { return row + t * together + k - k0; });
  }
}

//===-- consumers of sums ---------------------------------------------------------===//

Value ProgramLowering::sumOf(FlowWriter &w, SmallVector<Value> parts, std::size_t width) {
  for (; width > 1; width = (width + 1) / 2) { // a tree, kept level by moving the odd one along
    SmallVector<Value> next;
    for (std::size_t i = 0; i + 1 < parts.size(); i += 2)
      next.push_back(w.alu("addi", {parts[i], parts[i + 1]}));
    if (parts.size() % 2)
      next.push_back(w.alu("move", {parts.back()}));
    parts = next;
  }
  return parts.front();
}

Value ProgramLowering::linearValue(FlowWriter &w, const Sums &sums, std::int64_t token, std::int64_t vector) {
  if (sums.stored)
    return w.read(sums.object, chunkRow(token, vector));
  if (sums.half)
    return halfValue(w, sums, token, vector);
  if (!sums.object.empty())
    return groupedValue(w, sums, token, vector);
  std::size_t most = 1; // all vectors of a linear take as long, so that flows can tell when they want which of two
  for (const auto &tokensOf : sums.parts)
    most = std::max(most, tokensOf[token].size());
  auto total = [&](std::int64_t digit) {
    SmallVector<Value> parts;
    for (auto [plane, acc] : sums.parts[vector][token])
      parts.push_back(w.emit(plane, acc + digit));
    return sumOf(w, parts, most);
  };
  if (sums.single)
    return withBias(w, sums, vector, w.alu("mulf", {w.alu("cvt.i32.f32", {total(1)}), w.read(sums.scales, vector)}));
  Value high = w.alu("mulf", {w.alu("cvt.i32.f32", {total(0)}), Operand::f32(256.0f)});
  Value sum = w.alu("addf", {high, w.alu("cvt.i32.f32", {total(1)})});
  return withBias(w, sums, vector, w.alu("mulf", {sum, w.read(sums.scales, vector)}));
}

Value ProgramLowering::withBias(FlowWriter &w, const Sums &sums, std::int64_t vector, Value scaled) {
  return sums.biases.empty() ? scaled : w.alu("addf", {scaled, w.read(sums.biases, vector)});
}

Value ProgramLowering::siluValue(FlowWriter &w, const Sums &gate, const Sums &up, std::int64_t token,
                                 std::int64_t vector) {
  Value g = linearValue(w, gate, token, vector);
  Value e = w.alu("exp", {w.alu("mulf", {g, Operand::f32(-1.0f)})});
  Value sigmoid = w.alu("recip", {w.alu("addf", {e, Operand::f32(1.0f)})});
  Value silu = w.aluHolding("mulf", g, sigmoid);
  return w.alu("mulf", {silu, linearValue(w, up, token, vector)});
}

void ProgramLowering::lowerSiluMul(llm::SiluMulOp op) {
  if (chunked)
    return chunkSiluMul(op);
  const Sums &gate = sums[{linearOf(op.getGate()), false}], &up = sums[{linearOf(op.getUp()), false}];
  Layout layout = plainRows(linearOf(op.getGate()));
  std::int64_t all = layout.gather().vectors();
  if (isSwept(machine, op)) {
    std::string east = pool.scratch("h.east", 2, tokens * all, 0), west = pool.scratch("h.west", 2, tokens * all, 1);
    Digits &input = digits[pendingInput];
    flushLinears([&](std::int64_t v) {
      for (std::int64_t t = 0; t < tokens; ++t) {
        FlowWriter w = flow();
        w.storeDigits16(siluValue(w, gate, up, t, v), east, west, t * all + v, 0, llm::activationBits(op.getResult()));
      }
    });
    std::int64_t free = input.object.empty() ? otherHalf() : 2 * tokens * input.layout.vectors();
    if (all > layout.vectors())
      written[op.getResult()] = {"h", layout, free};
    else
      digits[op.getResult()] = {layout, free, scaleOf(op.getResult()), "h", true};
    return;
  }
  flushLinears();
  std::int64_t row = nextHalf();
  noteDigits(op.getResult(), layout, row, "h");
  for (std::int64_t t = 0; t < tokens; ++t)
    for (std::int64_t v = 0; v < layout.vectors(); ++v) {
      FlowWriter w = flow();
      passOnDigits(w, op.getResult(), siluValue(w, gate, up, t, v), t, v, row + 2 * (t * layout.vectors() + v));
    }
}

void ProgramLowering::lowerAdd(llm::AddOp op) {
  if (chunked)
    return chunkAdd(op);
  flushLinears();
  const Sums &branch = sums[{op.getBranch().getDefiningOp(), false}];
  std::int64_t vectors = branch.rows.vectors();
  for (std::int64_t t = 0; t < tokens; ++t)
    for (std::int64_t v = 0; v < vectors; ++v) {
      FlowWriter w = flow();
      Value y = linearValue(w, branch, t, v);
      w.write(w.alu("addf", {y, w.read(residual, residualRow(t, v))}), residual, residualRow(t, v));
    }
}

} // namespace lpu::compiler
