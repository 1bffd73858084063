// EncoderLowering: gates, and what makes one vector of a sequence (numerics.md N24).

#include "EncoderLowering.h"

#include "lpu/compiler/Support/ModelConstants.h"

#include <fmt/format.h>

#include <bit>

using namespace mlir;

namespace lpu::compiler {

namespace {

/// Hints of objects, as those of norms in EncoderLowering.cpp.
enum Place : std::int64_t { kInverse = 6, kMean = 7, kCentered = 8, kSum = 10 };

} // namespace

/// 1 / (1 + e^(x·minusSlope)).
Value EncoderLowering::sigmoid(FlowWriter &w, Value x, float minusSlope) {
  Value exponent = w.alu("exp", {w.alu("mulf", {x, Operand::f32(minusSlope)})});
  return w.alu("recip", {w.alu("addf", {exponent, Operand::f32(1.0f)})});
}

void EncoderLowering::lowerSilu(llm::SiluOp op) {
  Layout layout = rowsOf(op.getInput());
  std::int64_t count = cast<RankedTensorType>(op.getInput().getType()).getDimSize(0) == 1 ? 1 : tokens;
  for (std::int64_t v = 0; v < layout.vectors(); ++v) {
    FlowWriter w = flow(count);
    Value gate = sigmoid(w, w.read("gelu.x.0", v * tokens, 1), static_cast<float>(-op.getSlope().convertToDouble()));
    finish(w, w.alu("mulf", {gate, w.read("gelu.x.1", v * tokens, 1)}), op.getResult(), v, count);
  }
}

/// Tokens add up one after the other in an accumulator of each lane; those behind the sequence's end as zeros.
void EncoderLowering::lowerMean(llm::MeanOp op) {
  const Rows held = rows.find(op.getInput())->second;
  std::string sums = pool.scratch("mean.sum", 4, held.layout.vectors(), kSum);
  beginPhase("mean over tokens");
  for (std::int64_t v = 0; v < held.layout.vectors(); ++v) {
    FlowWriter w = flow(held.count);
    Value ahead = w.accumulate("addi", Operand::i32(1), w.read("mask.counter", 0, 0, true)); // negative for tokens
    Value x = w.alu("select", {ahead, w.read(held.object, v * tokens, 1), Operand::f32(0.0f)});
    w.write(w.last("move", w.accumulate("addf", x, std::bit_cast<std::uint32_t>(0.0f))), sums, v);
  }
  for (std::int64_t v = 0; v < held.layout.vectors(); ++v) {
    FlowWriter w = flow(1);
    Value inverse = w.alu("recip", {w.alu("cvt.i32.f32", {w.read(pool.input("length", 1), 0)})});
    finish(w, w.alu("mulf", {w.read(sums, v), inverse}), op.getResult(), v, 1);
  }
}

/// First by the sum of magnitudes, which needs no more range than the values have; what is left has a length between
/// 1/√H and 1, whatever the vector's, and its squares fill their fixed point.
void EncoderLowering::lowerNormalize(llm::NormalizeOp op) {
  using C = NormalizeConstants;
  const Rows held = rows.find(op.getInput())->second;
  beginPhase("normalize");
  onesTiles();
  std::int64_t vectors = held.layout.vectors(), n = held.count;
  std::string coarse = pool.scratch("norm.mean", 4, tokens, kMean),
              inverse = pool.scratch("norm.inverse", 4, tokens, kInverse),
              left = pool.scratch("norm.centered", 4, tokens * vectors, kCentered);
  for (std::int64_t v = 0; v < vectors; ++v) {
    FlowWriter w = flow(n);
    Value magnitude = w.alu("and", {w.read(held.object, v * tokens, 1), Operand::i32(0x7fffffff)});
    sumLanes(w, w.alu("mulf", {magnitude, Operand::f32(C::kValue)}), v, vectors);
  }
  {
    FlowWriter w = flow(n);
    Value sum = meanOf(w, vectors, C::kValueHi, C::kValueLo);
    w.write(w.alu("recip", {w.alu("addf", {sum, Operand::f32(C::kLeast)})}), coarse, 0, 1);
  }
  for (std::int64_t v = 0; v < vectors; ++v) {
    FlowWriter w = flow(n);
    Value x = w.alu("mulf", {w.read(held.object, v * tokens, 1), w.read(coarse, 0, 1)});
    w.write(x, left, v * tokens, 1);
    sumLanes(w, w.alu("mulf", {w.alu("mulf", {x, x}), Operand::f32(C::kSquare)}), v, vectors);
  }
  {
    FlowWriter w = flow(n);
    Value sum = meanOf(w, vectors, C::kSquareHi, C::kSquareLo);
    w.write(w.alu("rsqrt", {w.alu("addf", {sum, Operand::f32(C::kLeastSquare)})}), inverse, 0, 1);
  }
  for (std::int64_t v = 0; v < vectors; ++v) {
    FlowWriter w = flow(n);
    finish(w, w.alu("mulf", {w.read(left, v * tokens, 1), w.read(inverse, 0, 1)}), op.getResult(), v, n);
  }
}

} // namespace lpu::compiler
