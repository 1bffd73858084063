// Linears of fp16 weights and activations on MXM's fp16 mode (numerics.md N15,
// timing.md T5.6). The order of additions is part of the result, so the blocks of an
// output vector pass through one pair of planes one after the other and are added
// in its accumulators; the output vectors alternate between the two sides.

#include "ProgramLowering.h"

using namespace mlir;

namespace lpu::compiler {

LogicalResult ProgramLowering::lowerHalfLinear(llm::LinearOp op, const Layout &rows) {
  if (machine.lanes() != 2 * static_cast<std::int64_t>(kHalfBlock) || machine.mxmPlanesPerSide != 2)
    return op.emitOpError("fp16 sums are over blocks of ")
           << kHalfBlock << " columns in pairs of planes; machine '" << machine.name << "' has " << machine.lanes()
           << " lanes and " << machine.mxmPlanesPerSide
           << " planes a side; choose another --weight-type and --activation-type";
  if (rows.shards > 1 || digits[op.getInput()].layout.shards > 1)
    return op.emitOpError("fp16 sums depend on the order of columns, which chips that share a layer change; give "
                          "--tp=1, with --pp for several chips");
  std::string tensor = tensorOf(op.getWeight());
  if (groupedInput != op.getInput())
    halfPair = 0;
  Digits &input = beginUncollected(op);
  Sums &out = sums[{op, rows.swap}];
  out.rows = rows, out.half = true;
  if (Factor factor = factorOf(op); factor.scaleName.empty())
    out.number = static_cast<float>(factor.value);
  else
    out.factor = pool.linearFactor(tensor, rows, factor);
  if (auto bias = op.getBias())
    out.biases = pool.channelBiases(tensorOf(*bias), rows, factorOf(op));
  out.parts.assign(rows.vectors(), std::vector<std::vector<std::pair<std::int64_t, std::int64_t>>>(tokens));
  if (!rows.swap)
    weightBytes +=
        2 * cast<llm::WeightOp>(SymbolTable::lookupSymbolIn(module, op.getWeight())).getTensorType().getNumElements();
  // A tile and its swapped twin are emitted together, so they stand on different sides.
  for (std::int64_t n = 0; n < rows.vectors(); ++n)
    passHalves(out, input, tensor, n, rows.swap ? 1 - sums[{op, false}].parts[n][0][0].first / 2 : halfPair++ % 2);
  return success();
}

void ProgramLowering::passHalves(Sums &out, const Digits &input, StringRef tensor, std::int64_t n, std::int64_t pair) {
  std::int64_t accumulator = -1;
  for (std::int64_t k = 0; k < input.layout.vectors(); ++k) {
    std::int64_t lower = 2 * pair;
    for (std::int64_t byte = 0; byte < 2; ++byte) {
      std::string tile = pool.halfTile(tensor.str(), out.rows, n, input.layout, k, 2 * pair + byte, byte);
      lower = pool.planeOf(tile) / 2 * 2; // another program may have put the vector on the other side
      emitTile(tile, lower + byte);
    }
    if (k == 0) {
      sumsLost |= accumulatorCursor[lower] + tokens > machine.mxmAccumulatorRows;
      accumulator = nextAccumulator(lower, tokens);
    }
    std::int64_t superlanes = machine.superlanes / 2,
                 blocks = input.layout.lanesUsed(k) > static_cast<std::int64_t>(kHalfBlock) ? 2 : 1;
    for (std::int64_t t = 0; t < tokens; ++t) {
      for (std::int64_t block = 0; block < blocks; ++block)
        flow().pass(lower, input.lowRow(t, k), accumulator + t, k + block > 0,
                    ((std::int64_t{1} << superlanes) - 1) << block * superlanes, true);
      if (k == 0)
        out.parts[n][t].push_back({lower, accumulator + t});
    }
  }
}

Value ProgramLowering::halfValue(FlowWriter &w, const Sums &sums, std::int64_t token, std::int64_t vector) {
  auto [plane, accumulator] = sums.parts[vector][token].front();
  Value sum = w.emit(plane, accumulator);
  if (!sums.factor.empty())
    sum = w.alu("mulf", {sum, w.read(sums.factor, 0)});
  else
    sum = w.alu("mulf", {sum, Operand::f32(sums.number)});
  return withBias(w, sums, vector, sum);
}

} // namespace lpu::compiler
