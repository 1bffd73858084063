// RMS norm (numerics.md N5): squares become two 32-bit fixed-point numbers of
// different weight, so that neither outliers nor small values are lost; their
// digits are summed over all lanes by tiles of ones, which also spreads the
// sum to every lane. Norms of branches are added to the residual; what they are taken of waits in memory, where the
// pieces of several chips come together.

#include "ProgramLowering.h"

#include "lpu/compiler/Support/ModelConstants.h"

#include <array>

using namespace mlir;

namespace lpu::compiler {

namespace {

/// The scale that a branch's norm divides by.
Scale branchScale(llm::RmsNormOp op) { return {1 / op.getFactor().convertToDouble(), ""}; }

} // namespace

/// rsqrt(m + eps) of N5 from the sums of the digits; `sum` takes a plane and which of its two.
Value ProgramLowering::inverseNorm(FlowWriter &w, const RmsNormConstants &constants, float eps,
                                   llvm::function_ref<Value(std::int64_t, std::int64_t)> sum) {
  auto part = [&](std::int64_t side, float highWeight, float lowWeight) {
    auto joined = [&](std::int64_t plane) { return w.alu("cvt.i32.f32", {w.joinHigh(sum(plane, 0), sum(plane, 1))}); };
    Value high = w.alu("mulf", {joined(2 * side), Operand::f32(highWeight)});
    Value low = w.alu("mulf", {joined(2 * side + 1), Operand::f32(lowWeight)});
    return w.alu("addf", {high, low});
  };
  Value mean =
      w.alu("addf", {part(0, constants.coarseHi, constants.coarseLo), part(1, constants.fineHi, constants.fineLo)});
  return w.alu("rsqrt", {w.alu("addf", {mean, Operand::f32(eps)})});
}

void ProgramLowering::storeBranch(llm::LinearOp op) {
  std::int64_t all = residualLayout.gather().vectors();
  pool.scratch(kBranch, 4, tokens * all, 2);
  if (chunked)
    return passChunk([&](FlowWriter &w, Value y, const Unit &unit,
                         Burst burst) { w.write(y, kBranch, residualRow(burst.first, unit.vector), tokenStep(all)); },
                     {});
  flushLinears();
  const Sums &branch = sums[{op, false}];
  for (std::int64_t t = 0; t < tokens; ++t)
    for (std::int64_t v = 0; v < branch.rows.vectors(); ++v) {
      FlowWriter w = flow();
      w.write(linearValue(w, branch, t, v), kBranch, residualRow(t, v));
    }
}

/// Adds what lowerNorm made the lengths of.
void ProgramLowering::addNormed(llm::RmsNormOp norm) {
  Layout layout = residualLayout.gather();
  std::int64_t vectors = layout.vectors(), together = chunked ? machine.latency.VxmSimple : 1;
  std::string gain = pool.normGain(tensorOf(norm.getWeight()), layout, branchScale(norm));
  std::string sum = residual; // bursts read and write at once, so their sums go into a second residual
  if (chunked) {
    sum = residual == "x" ? "x.next" : "x";
    pool.scratch(sum, 4, tokens * vectors, sum == "x" ? 0 : 1);
  }
  for (std::int64_t t0 = 0; t0 < tokens; t0 += together)
    for (std::int64_t v = 0; v < vectors; ++v) {
      FlowWriter w = flow(std::min(together, tokens - t0));
      std::int64_t row = residualRow(t0, v), step = chunked ? tokenStep(vectors) : 0;
      Value normed = w.alu("mulf", {w.read(kBranch, row, step), w.read("norm.inverse", t0, chunked)});
      Value y = chunked ? w.aluHolding("mulf", w.read(gain, v, 0, true), normed, machine.latency.VxmSimple)
                        : w.alu("mulf", {normed, w.read(gain, v)});
      w.write(w.alu("addf", {y, w.read(residual, row, step)}), sum, row, step);
    }
  residual = sum;
}

/// The residual as it is, for linears that no norm comes before.
void ProgramLowering::lowerQuantize(llm::QuantizeOp op) {
  flushLinears();
  Layout layout = residualLayout.gather();
  std::int64_t vectors = layout.vectors(), out = chunked ? 0 : nextHalf(), bits = llm::activationBits(op.getResult());
  Scale scale = scaleOf(op.getResult());
  AttentionFactor inverse{inverseScale(scale.value), "", 0};
  if (!scale.name.empty())
    inverse.object = pool.linearFactor(scale.name, layout, {1, scale.name});
  digits[op.getResult()] = {layout, out, scale, chunked ? "n" : "", false};
  if (chunked) {
    written[op.getResult()] = {"n", layout, 0};
    pool.scratch("n.east", 2, tokens * vectors, 4), pool.scratch("n.west", 2, tokens * vectors, 5);
  }
  std::int64_t together = chunked ? machine.latency.VxmSimple : 1;
  for (std::int64_t t0 = 0; t0 < tokens; t0 += together)
    for (std::int64_t v = 0; v < vectors; ++v) {
      FlowWriter w = flow(std::min(together, tokens - t0));
      Value scaled = times(w, w.read(residual, residualRow(t0, v), chunked ? tokenStep(vectors) : 0), inverse);
      if (chunked)
        w.storeDigits16(scaled, "n.east", "n.west", chunkRow(t0, v), 1, static_cast<int>(bits));
      else
        w.loadDigits16(scaled, out + 2 * (t0 * vectors + v), 0, static_cast<int>(bits));
    }
}

void ProgramLowering::lowerNorm(llm::RmsNormOp op) {
  std::string tensor = tensorOf(op.getWeight()), source = residual;
  bool isBranch = llm::normsBranch(op);
  if (isBranch) {
    if (auto linear = op.getInput().getDefiningOp<llm::LinearOp>()) // else it was stored to be gathered
      storeBranch(linear);
    source = kBranch;
  }
  bool attention = tensor.find("attn_norm") != std::string::npos, ffn = tensor.find("ffn_norm") != std::string::npos;
  Block &phases = program.getBody().front();
  bool received = !phases.empty() && cast<stream::PhaseOp>(phases.back()).getLabel() == kReceivePhase;
  if (!isBranch)
    beginPhase(layerLabel(tensor, attention ? "attention norm" : ffn ? "ffn norm" : "final norm"), ffn || received);
  if (chunked) {
    for (std::int64_t plane = 0; plane < 4; ++plane)
      emitTile(pool.onesTile(plane), plane);
    return chunkNorm(op, source);
  }
  using C = RmsNormConstants;
  std::int64_t width = cast<RankedTensorType>(op.getInput().getType()).getDimSize(1);
  Layout layout = residualLayout.gather();
  std::int64_t vectors = layout.vectors(), out = isBranch ? 0 : nextHalf(), squares = otherHalf();
  for (std::int64_t plane = 0; plane < 4; ++plane)
    emitTile(pool.onesTile(plane), plane);

  for (std::int64_t t = 0; t < tokens; ++t)
    for (std::int64_t v = 0; v < vectors; ++v) {
      FlowWriter w = flow();
      Value x = w.read(source, t * vectors + v);
      Value square = w.alu("mulf", {x, x});
      Value coarse = w.alu("cvt.f32.d32", {w.alu("mulf", {square, Operand::f32(C::kCoarse)})});
      Value back = w.alu("mulf", {w.alu("cvt.i32.f32", {coarse}), Operand::f32(C::kMinusInverseCoarse)});
      Value rest = w.aluHolding("addf", square, back);
      Value fine = w.alu("cvt.f32.d32", {w.alu("mulf", {rest, Operand::f32(C::kFine)})});
      std::int64_t row = squares + 2 * (t * vectors + v);
      w.loadDigits32(coarse, 0, row);
      w.loadDigits32(fine, 1, row);
    }

  std::string inverse = pool.scratch("norm.inverse", 4, tokens, 3);
  C constants = rmsNormConstants(static_cast<std::uint32_t>(width));
  std::vector<std::array<std::int64_t, 4>> rows(tokens);
  for (std::int64_t t = 0; t < tokens; ++t)
    for (std::int64_t plane = 0; plane < 4; ++plane)
      rows[t][plane] = nextAccumulator(plane, 2);
  for (std::int64_t t = 0; t < tokens; ++t)
    for (std::int64_t v = 0; v < vectors; ++v)
      for (std::int64_t plane = 0; plane < 4; ++plane)
        for (std::int64_t digit = 0; digit < 2; ++digit)
          flow().pass(plane, squares + 2 * (t * vectors + v) + digit, rows[t][plane] + digit, v > 0);

  for (std::int64_t t = 0; t < tokens; ++t) {
    FlowWriter w = flow();
    auto sum = [&](std::int64_t plane, std::int64_t digit) { return w.emit(plane, rows[t][plane] + digit); };
    w.write(inverseNorm(w, constants, op.getEps().convertToFloat(), sum), inverse, t);
  }

  if (isBranch)
    return;
  Scale scale = scaleOf(op.getResult());
  std::string gain = pool.normGain(tensor, layout, scale);
  for (std::int64_t t = 0; t < tokens; ++t)
    for (std::int64_t v = 0; v < vectors; ++v) {
      FlowWriter w = flow();
      Value normed = w.alu("mulf", {w.read(residual, t * vectors + v), w.read(inverse, t)});
      w.loadDigits16(w.alu("mulf", {normed, w.read(gain, v)}), out + 2 * (t * vectors + v), 0,
                     llm::activationBits(op.getResult()));
    }
  digits[op.getResult()] = {layout, out, scale, "", false};
}

} // namespace lpu::compiler
