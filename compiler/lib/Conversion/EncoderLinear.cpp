// Linears of an encoder: a tile stands in both planes of a side, one of which passes
// the high digits of all tokens through it and the other the low ones; so both sums of
// an output leave in one cycle. Output vectors are dealt over the two sides, or, when
// there are few, the inputs of each. Digits come from memory in bursts, through three
// groups of activation rows in turn.

#include "EncoderLowering.h"

#include "lpu/compiler/Support/ModelConstants.h"

#include <fmt/format.h>

using namespace mlir;

namespace lpu::compiler {

namespace {

/// Digits fetched in one burst, and how many such groups of activation rows there are. The rows behind them are for
/// sweeps.
constexpr std::int64_t kFetched = 40, kGroups = 3;
/// Fewer output vectors than this leave one side idle for long.
constexpr std::int64_t kFewVectors = 4;
constexpr std::int64_t kScales = 4, kBiases = 5; ///< hints

} // namespace

LogicalResult EncoderLowering::lowerLinear(llm::LinearOp op) {
  const Codes input = codes.find(op.getInput())->second;
  Layout outputs = rowsOf(op.getResult());
  if (outputs.headDim && !op.getResult().hasOneUse())
    return op.emitOpError("feeds attention and something else, which is not lowered");
  if (outputs.headDim > machine.lanes())
    return op.emitOpError("heads of ") << outputs.headDim << " elements: attention of encoders takes up to "
                                       << machine.lanes();
  Operation *user = *op->getUsers().begin();
  const char *what = outputs.headDim                ? "qkv"
                     : input.layout.headDim         ? "attention output"
                     : mlir::isa<llm::GeluOp>(user) ? "ffn up"
                     : mlir::isa<llm::AddOp>(user)  ? "ffn down"
                                                    : "linear";
  if (!phaseInput || phaseInput != op.getInput())
    beginPhase(fmt::format("layer {}: {}", layer, what));
  phaseInput = op.getInput();
  // A matrix has one vector of factors, which its input's scale is part of.
  if (auto known = inputScales.try_emplace(tensorOf(op.getWeight()), input.scale); known.first->second != input.scale)
    return op.emitOpError("uses a matrix for the second time on values of another scale, which is not lowered (layers "
                          "that share weights)");
  if (op.getBias()) {
    std::int64_t heads = outputs.slotLanes || machine.lanes() % std::max<std::int64_t>(1, outputs.headDim)
                             ? outputs.headDim
                             : 0; // others lie as plain ones do
    if (auto known = biasHeads.try_emplace(tensorOf(*op.getBias()), heads); known.first->second != heads)
      return op.emitOpError("shares its bias with a linear whose outputs are laid out otherwise, which is not lowered");
  }
  weightBytes += outputs.elements * input.layout.elements;
  std::int64_t vectors = outputs.vectors(), columns = input.layout.vectors();
  for (std::int64_t n = 0; n < vectors; ++n) {
    bool isSplit = columns > 1 && (vectors < kFewVectors || (vectors % 2 && n + 1 == vectors));
    std::int64_t side = accumulated[0] <= accumulated[1] ? 0 : 1;
    sumTiles(op, outputs, n, side, isSplit, input.count);
    FlowWriter w = flow(input.count);
    finish(w, linearValue(w, op, outputs, n, side, isSplit), op.getResult(), n, input.count);
  }
  return success();
}

void EncoderLowering::sumTiles(llm::LinearOp op, const Layout &outputs, std::int64_t n, std::int64_t side, bool isSplit,
                               std::int64_t count) {
  const Codes input = codes.find(op.getInput())->second;
  bool begun[2] = {false, false};
  for (std::int64_t k = 0; k < input.layout.vectors(); ++k) {
    std::int64_t at = isSplit ? (side + k) % 2 : side;
    std::string tile = pool.weightTile(tensorOf(op.getWeight()), outputs, n, input.layout, k, 2 * at, -1);
    at = pool.planeOf(tile) / 2; // another bucket's program may have dealt it already
    if (!std::exchange(begun[at], true)) {
      std::int64_t slots = std::max<std::int64_t>(1, machine.mxmAccumulatorRows / tokens);
      sumsAt[at] = accumulated[at]++ % slots * tokens;
      passTile(tile, input, k, at, count, false);
    } else {
      passTile(tile, input, k, at, count, true);
    }
  }
}

void EncoderLowering::passTile(const std::string &tile, const Codes &input, std::int64_t k, std::int64_t side,
                               std::int64_t count, bool add) {
  loadTile(tile, 0, pool.at(tile).getRows(), 0, side);
  for (std::int64_t t = 0; t < count; t += kFetched) {
    std::int64_t burst = std::min(kFetched, count - t), row = fetched[side]++ % kGroups * kFetched;
    for (std::int64_t digit : {1, 0}) { // the even plane takes the high ones
      std::int64_t plane = 2 * side + 1 - digit;
      flow(burst).fetch(input.object + (side ? ".west" : ".east"), k * tokens + t, digit, {plane}, row);
      flow(burst).pass(plane, row, sumsAt[side] + t, add);
    }
  }
}

Value EncoderLowering::linearValue(FlowWriter &w, llm::LinearOp op, const Layout &outputs, std::int64_t n,
                                   std::int64_t side, bool isSplit) {
  auto total = [&](std::int64_t digit) {
    if (!isSplit)
      return w.emit(2 * side + 1 - digit, sumsAt[side]);
    return w.alu("addi", {w.emit(1 - digit, sumsAt[0]), w.emit(3 - digit, sumsAt[1])});
  };
  const Codes &input = codes.find(op.getInput())->second;
  Factor factor{op.getFactor().convertToDouble(), ""};
  std::string scales = pool.channelScales(tensorOf(op.getWeight()), outputs, {input.scale, ""}, factor, kScales);
  Value high = w.alu("mulf", {w.alu("cvt.i32.f32", {total(1)}), Operand::f32(256.0f)});
  Value sum = w.alu("addf", {high, w.alu("cvt.i32.f32", {total(0)})});
  Value scaled = w.aluHolding("mulf", w.read(scales, n, 0, true), sum);
  if (!op.getBias())
    return scaled;
  return w.aluHolding("addf", w.read(pool.channelBiases(tensorOf(*op.getBias()), outputs, factor, kBiases), n, 0, true),
                      scaled);
}

} // namespace lpu::compiler
