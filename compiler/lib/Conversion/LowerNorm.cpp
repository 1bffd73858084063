// RMS norm (numerics.md N5): squares become two 32-bit fixed-point numbers of
// different weight, so that neither outliers nor small values are lost; their
// digits are summed over all lanes by tiles of ones, which also spreads the
// sum to every lane.

#include "ProgramLowering.h"

#include "lpu/compiler/Support/ModelConstants.h"

#include <array>

using namespace mlir;

namespace lpu::compiler {

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

void ProgramLowering::lowerNorm(llm::RmsNormOp op) {
  std::string tensor = tensorOf(op.getWeight());
  bool attention = tensor.find("attn_norm") != std::string::npos, ffn = tensor.find("ffn_norm") != std::string::npos;
  Block &phases = program.getBody().front();
  bool received = !phases.empty() && cast<stream::PhaseOp>(phases.back()).getLabel() == kReceivePhase;
  beginPhase(layerLabel(tensor, attention ? "attention norm" : ffn ? "ffn norm" : "final norm"), ffn || received);
  if (chunked) {
    for (std::int64_t plane = 0; plane < 4; ++plane)
      emitTile(pool.onesTile(plane), plane);
    return chunkNorm(op);
  }
  using C = RmsNormConstants;
  std::int64_t width = cast<RankedTensorType>(op.getInput().getType()).getDimSize(1);
  Layout layout = residualLayout.gather();
  std::int64_t vectors = layout.vectors(), out = nextHalf(), squares = otherHalf();
  for (std::int64_t plane = 0; plane < 4; ++plane)
    emitTile(pool.onesTile(plane), plane);

  for (std::int64_t t = 0; t < tokens; ++t)
    for (std::int64_t v = 0; v < vectors; ++v) {
      FlowWriter w = flow();
      Value x = w.read(residual, t * vectors + v);
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
