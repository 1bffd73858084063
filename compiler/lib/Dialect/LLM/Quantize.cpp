// llm-quantize: from the float graph to int8 weights and int16 activations.
//
// All scales are static and come from bounds, never from data: the norm bounds the
// 2-norm of what a linear is fed, Cauchy–Schwarz bounds each of its outputs, and
// rope, softmax and silu only shrink those (docs/spec/numerics.md N5, N10). Bounds
// use the int8 weights the machine will multiply by, not the file's values. A model
// without weights gets the bounds of rows of norm 1 and gains of 1: programs do not
// depend on scales, only the constants they read do.

#include "QuantizeEncoder.h"
#include "lpu/compiler/Dialect/LLM/LLM.h"
#include "lpu/compiler/Dialect/LLM/Passes.h"
#include "lpu/compiler/Dialect/LLM/Precisions.h"
#include "lpu/compiler/Dialect/LLM/Source.h"
#include "lpu/compiler/Import/HalfMatrix.h"
#include "lpu/compiler/Support/OneLineErrors.h"
#include "lpu/isa/Numerics.h"

#include "mlir/IR/Threading.h"
#include "llvm/ADT/TypeSwitch.h"

#include <cmath>

namespace lpu::compiler::llm {
#define GEN_PASS_DEF_QUANTIZE
#include "lpu/compiler/Dialect/LLM/Passes.h.inc"

namespace {

using mlir::failure;
using mlir::LogicalResult;
using mlir::success;

/// Of the normed vector that a rope's input depends on: that of its head, or what the linear is fed.
int64_t normedWidth(RopeOp op) {
  if (auto norm = op.getInput().getDefiningOp<HeadNormOp>())
    return lookupWeight(norm, norm.getWeightAttr()).getCols();
  return width(op.getInput().getDefiningOp<LinearOp>().getInput());
}

class Quantizer {
public:
  Quantizer(mlir::ModuleOp target, WeightStore &weights, PrecisionPlan precisions)
      : module(target), store(weights), plan(std::move(precisions)), context(target.getContext()) {}
  LogicalResult run();

private:
  /// The store keeps quantized weights: all cores make them, and who asks for one later gets it, or its error.
  void quantizeWeights(mlir::func::FuncOp forward);
  LogicalResult visit(EmbeddingOp op);
  LogicalResult visit(RmsNormOp op);
  LogicalResult visit(LinearOp op);
  LogicalResult visit(HeadNormOp op);
  LogicalResult visit(RopeOp op);
  LogicalResult visit(AttentionOp op);
  LogicalResult visit(SiluMulOp op);
  LogicalResult visit(AddOp op);
  LogicalResult visit(QuantizeOp op);

  bool cachedAsInt8(RopeOp op) const {
    auto attention = mlir::dyn_cast<AttentionOp>(*op->getUsers().begin());
    return plan.kv() == "int8" && attention && attention.getKey() == op.getResult();
  }
  WeightType typeFor(WeightOp weight) const { return weightTypeFor(plan, store, weight); }
  /// N10: the largest magnitude of a pair that a rope turns, before it is multiplied by the rope's own.
  mlir::FailureOr<double> pairBound(RopeOp op);
  /// What a linear is fed: gains of its elements, and the square of the length that the rest has at most.
  struct Fed {
    double square = 0;
    std::vector<float> gains;
  };
  mlir::FailureOr<Fed> fedTo(mlir::Operation *user, LinearOp linear);
  mlir::FailureOr<double> largestGain(mlir::Operation *user, mlir::FlatSymbolRefAttr symbol);
  /// N10: bounds of |y[n]| of a linear fed by a norm, or by a residual to which only normed branches were added.
  mlir::FailureOr<std::vector<double>> outputBounds(mlir::Operation *user, mlir::Value output);
  /// The linear whose only consumer needs its factor.
  mlir::FailureOr<LinearOp> exclusiveLinear(mlir::Operation *user, mlir::Value value);
  mlir::FailureOr<std::vector<float>> load(mlir::Operation *user, mlir::FlatSymbolRefAttr symbol);
  /// Gives `result` the int16 type of scale margin·bound/32639 and returns the scale.
  mlir::FailureOr<double> quantizeResult(mlir::Value result, double bound, double margin);
  LogicalResult fail(const Error &error) { return report(context, error); }

  /// Of a residual that has a bound: the greatest length, and the largest magnitude of an element.
  struct Bound {
    double length = 0, largest = 0;
  };

  mlir::ModuleOp module;
  WeightStore &store;
  PrecisionPlan plan;
  mlir::MLIRContext *context;
  llvm::DenseMap<mlir::Value, Bound> residuals;
};

mlir::FailureOr<double> Quantizer::quantizeResult(mlir::Value result, double bound, double margin) {
  auto tensor = llvm::cast<mlir::RankedTensorType>(result.getType());
  if (wantsHalf(result.getDefiningOp(), plan))
    return result.setType(tensor.clone(mlir::Float16Type::get(context))), 1.0;
  // In tiles the cached values have the result's scale (N11): it stays one of int16 that no value exceeds.
  auto attention = result.getDefiningOp<AttentionOp>();
  bool tiles = attention && wantsTiles(attention, plan);
  auto rope = result.getDefiningOp<RopeOp>();
  bool key = rope && cachedAsInt8(rope),
       kept = tiles || (attention && plan.kv() == "int8"); // N16: values have its scale too
  int bits = key || wantsOneDigit(result.getDefiningOp(), plan) ? 8 : 16;
  if (auto range = result.getDefiningOp()->getAttrOfType<mlir::FloatAttr>(kRangeAttr); range && !kept)
    bound = range.getValueAsDouble() / (key ? 2 : 1), margin = 1; // an int16 range is twice what was seen
  else if (key)
    bound *= keyRange(static_cast<uint32_t>(normedWidth(rope)));
  double scale =
      bound == 0 ? 1.0 : margin * bound / (bits == 8 ? 127 : isa::kDigit16Max); // an all-zero tensor fits any scale
  // Reciprocals of scales are fp32 factors, so both must be normal numbers; and products of two bounded values
  // must stay finite. Trained models stay below 10^6.
  if (!(bound < 1e18) || !std::isnormal(static_cast<float>(scale)) || !std::isnormal(static_cast<float>(1.0 / scale)))
    return result.getDefiningOp()->emitOpError("its values may reach ")
           << bound
           << ", beyond what fp32 arithmetic on them can hold; the weights are damaged, fetch or export the file again";
  result.setType(tensor.clone(activationType(context, scale, bits)));
  return scale;
}

mlir::FailureOr<std::vector<float>> Quantizer::load(mlir::Operation *user, mlir::FlatSymbolRefAttr symbol) {
  WeightOp weight = lookupWeight(user, symbol);
  if (!store.hasWeights())
    return std::vector<float>(static_cast<std::size_t>(weight.getCols()), 1.0f);
  auto values = store.load(weight.getSource());
  if (!values)
    return fail(values.error());
  return std::move(*values);
}

LogicalResult Quantizer::visit(EmbeddingOp op) {
  WeightOp table = lookupWeight(op, op.getWeightAttr());
  std::vector<float> row(static_cast<std::size_t>(table.getCols()));
  Bound &bound = residuals[op.getResult()];
  for (uint32_t n = 0; store.hasWeights() && n < table.getRows(); ++n) {
    if (Status ok = store.loadRow(table.getSource(), n, row); !ok)
      return fail(ok.error());
    double squares = 0;
    for (float v : row)
      squares += static_cast<double>(v) * v, bound.largest = std::max<double>(bound.largest, std::fabs(v));
    bound.length = std::max(bound.length, std::sqrt(squares));
    for (float v : row)
      if (!std::isfinite(isa::halfToFloat(isa::floatToHalf(v))))
        return fail({store.path(), "tensor " + quote(table.getSource()) + ": row " + std::to_string(n) + " holds " +
                                       std::to_string(v) +
                                       ", beyond fp16 (65504); use a model with a smaller embedding"});
  }
  table.setType(table.getTensorType().clone(mlir::Float16Type::get(context)));
  return success();
}

mlir::FailureOr<double> Quantizer::largestGain(mlir::Operation *user, mlir::FlatSymbolRefAttr symbol) {
  auto gamma = load(user, symbol);
  if (mlir::failed(gamma))
    return failure();
  double largest = 0;
  for (float g : *gamma)
    largest = std::max(largest, std::fabs(static_cast<double>(g)));
  return largest;
}

LogicalResult Quantizer::visit(RmsNormOp op) {
  if (normsBranch(op))
    return success();
  auto largest = largestGain(op, op.getWeightAttr());
  if (mlir::failed(largest))
    return failure();
  return quantizeResult(op.getResult(), std::sqrt(static_cast<double>(width(op.getInput()))) * *largest, 1.001);
}

LogicalResult Quantizer::visit(AddOp op) {
  auto norm = op.getBranch().getDefiningOp<RmsNormOp>();
  auto before = residuals.find(op.getResidual());
  if (!norm || before == residuals.end())
    return success(); // nothing bounds the sum
  auto gain = largestGain(norm, norm.getWeightAttr());
  if (mlir::failed(gain))
    return failure();
  Bound sum = before->second;
  double most = std::sqrt(static_cast<double>(width(norm.getInput()))) * *gain * norm.getFactor().convertToDouble();
  sum.length += most, sum.largest += most;
  residuals[op.getResult()] = sum;
  return success();
}

LogicalResult Quantizer::visit(QuantizeOp op) {
  auto bound = residuals.find(op.getInput());
  if (bound == residuals.end())
    return op.emitOpError("needs an embedding to which only normed branches were added, nothing else is bounded (N10)");
  return quantizeResult(op.getResult(), store.hasWeights() ? bound->second.largest : 1, 1.01);
}

LogicalResult Quantizer::visit(LinearOp op) {
  WeightOp weight = lookupWeight(op, op.getWeightAttr());
  bool half = wantsHalf(plan, weight);
  if (half != (activationBits(op.getInput()) == kHalfBits))
    return fail({"--weight-type", "the weights of " + quote(weight.getSource()) + " are to be " +
                                      (half ? "fp16" : "integers") +
                                      ", what they are multiplied with is not; weights and activations of all linears "
                                      "that share an input are fp16 together"});
  if (half) {
    if (store.hasWeights())
      if (auto matrix = loadHalves(store, weight.getSource()); !matrix)
        return fail(matrix.error());
    weight.setType(weight.getTensorType().clone(mlir::Float16Type::get(context)));
    return success();
  }
  if (store.hasWeights())
    if (auto matrix = store.quantized(weight.getSource(), typeFor(weight)); !matrix)
      return fail(matrix.error());
  if (!activationScale(op.getInput()))
    return op.emitOpError("its input stays f32: only results of norms, attention and silu_mul can be quantized");
  weight.setType(weight.getTensorType().clone(weightType(context, typeFor(weight))));
  return success();
}

mlir::FailureOr<Quantizer::Fed> Quantizer::fedTo(mlir::Operation *user, LinearOp linear) {
  mlir::Operation *source = linear ? linear.getInput().getDefiningOp() : nullptr;
  auto columns = static_cast<std::size_t>(linear ? width(linear.getInput()) : 0);
  if (auto norm = llvm::dyn_cast_or_null<RmsNormOp>(source)) {
    auto gamma = load(norm, norm.getWeightAttr());
    return mlir::failed(gamma) ? mlir::FailureOr<Fed>(failure()) : Fed{static_cast<double>(columns), *gamma};
  }
  if (auto residual = llvm::dyn_cast_or_null<QuantizeOp>(source); residual && residuals.count(residual.getInput()))
    return Fed{std::pow(residuals[residual.getInput()].length, 2), std::vector<float>(columns, 1.0f)};
  return user->emitOpError("needs operands made by a linear of a norm, nothing else is bounded (N10)");
}

mlir::FailureOr<std::vector<double>> Quantizer::outputBounds(mlir::Operation *user, mlir::Value output) {
  auto linear = output.getDefiningOp<LinearOp>();
  auto fed = fedTo(user, linear);
  if (mlir::failed(fed))
    return failure();
  WeightOp weight = lookupWeight(linear, linear.getWeightAttr());
  std::vector<float> bias(static_cast<std::size_t>(weight.getRows()), 0.0f);
  if (linear.getBiasAttr()) {
    auto loaded = load(linear, linear.getBiasAttr());
    if (mlir::failed(loaded))
      return failure();
    bias = std::move(*loaded);
  }
  if (!store.hasWeights())
    return std::vector<double>(static_cast<std::size_t>(weight.getRows()),
                               std::sqrt(static_cast<double>(weight.getCols())));
  std::vector<double> bounds;
  if (wantsHalf(plan, weight)) {
    auto halves = loadHalves(store, weight.getSource());
    if (!halves)
      return fail(halves.error());
    for (uint32_t n = 0; n < (*halves)->rows; ++n) {
      double squares = 0;
      for (uint32_t k = 0; k < (*halves)->cols; ++k)
        squares += std::pow(static_cast<double>(isa::halfToFloat((*halves)->row(n)[k])) * fed->gains[k], 2);
      bounds.push_back(std::sqrt(fed->square * squares) + std::fabs(static_cast<double>(bias[n])));
    }
    return bounds;
  }
  auto matrix = store.quantized(weight.getSource(), typeFor(weight));
  if (!matrix)
    return fail(matrix.error());
  for (uint32_t n = 0; n < (*matrix)->rows; ++n) {
    double squares = 0;
    auto row = (*matrix)->row(n);
    for (uint32_t k = 0; k < row.size(); ++k)
      squares += std::pow(static_cast<double>(row[k]) * (*matrix)->scale(n, k) * fed->gains[k], 2);
    bounds.push_back(std::sqrt(fed->square * squares) + std::fabs(static_cast<double>(bias[n])));
  }
  return bounds;
}

mlir::FailureOr<LinearOp> Quantizer::exclusiveLinear(mlir::Operation *user, mlir::Value value) {
  auto linear = value.getDefiningOp<LinearOp>();
  if (!linear || !value.hasOneUse())
    return user->emitOpError(
        "needs an operand made by a linear for it alone, which takes the factor 1/scale (N6, N8, N11)");
  return linear;
}

mlir::FailureOr<double> Quantizer::pairBound(RopeOp op) {
  double largest = 0;
  if (auto norm = op.getInput().getDefiningOp<HeadNormOp>()) {
    auto gain = largestGain(norm, norm.getWeightAttr());
    if (mlir::failed(gain))
      return failure();
    return std::sqrt(static_cast<double>(lookupWeight(norm, norm.getWeightAttr()).getCols())) * *gain;
  }
  auto bounds = outputBounds(op, op.getInput());
  if (mlir::failed(bounds))
    return failure();
  for (std::size_t i = 0; i + 1 < bounds->size(); i += 2)
    largest = std::max(largest, std::hypot((*bounds)[i], (*bounds)[i + 1]));
  return largest;
}

LogicalResult Quantizer::visit(RopeOp op) {
  auto norm = op.getInput().getDefiningOp<HeadNormOp>();
  auto linear = norm ? LinearOp() : exclusiveLinear(op, op.getInput());
  if (mlir::failed(linear))
    return failure();
  auto bound = pairBound(op);
  if (mlir::failed(bound))
    return failure();
  auto scale = quantizeResult(op.getResult(), *bound * std::max(1.0, op.getMagnitude().convertToDouble()), 1.01);
  if (mlir::failed(scale))
    return failure();
  if (norm)
    norm.setScale(llvm::APFloat(*scale));
  else
    linear->setFactor(llvm::APFloat(1.0 / *scale));
  return success();
}

LogicalResult Quantizer::visit(HeadNormOp op) {
  if (op.getResult().hasOneUse() && mlir::isa<RopeOp>(*op->getUsers().begin()))
    return success(); // which sets its scale
  return op.emitOpError("needs a rope alone to take its result, nothing else gives it a scale");
}

LogicalResult Quantizer::visit(AttentionOp op) {
  auto bounds = outputBounds(op, op.getValue());
  if (mlir::failed(bounds))
    return failure();
  auto scale = quantizeResult(op.getResult(), *std::max_element(bounds->begin(), bounds->end()), 1.01);
  if (plan.kv() != "int16") {
    if (plan.kv() == "int8" && activationBits(op.getResult()) == kHalfBits)
      return fail(
          {"--kv-type",
           "int8 values have the scale of attention's result, and fp16 results have none; choose --kv-type=fp16"});
    op->setAttr(kKVAttr, mlir::StringAttr::get(context, plan.kv()));
  }
  if (mlir::failed(scale) || !(wantsTiles(op, plan) || plan.kv() == "int8"))
    return scale;
  auto linear = exclusiveLinear(op, op.getValue());
  if (mlir::failed(linear))
    return failure();
  op.setTiles(wantsTiles(op, plan));
  linear->setFactor(llvm::APFloat(1.0 / *scale));
  return success();
}

LogicalResult Quantizer::visit(SiluMulOp op) {
  auto linear = exclusiveLinear(op, op.getUp());
  if (mlir::failed(linear))
    return failure();
  auto gate = outputBounds(op, op.getGate()), up = outputBounds(op, op.getUp());
  if (mlir::failed(gate) || mlir::failed(up))
    return failure();
  double largest = 0;
  for (std::size_t j = 0; j < gate->size(); ++j)
    largest = std::max(largest, (*gate)[j] * (*up)[j]);
  auto scale = quantizeResult(op.getResult(), largest, 1.01);
  if (mlir::succeeded(scale))
    linear->setFactor(llvm::APFloat(1.0 / *scale));
  return scale;
}

void Quantizer::quantizeWeights(mlir::func::FuncOp forward) {
  std::vector<std::pair<std::string, WeightType>> wanted;
  for (auto linear : forward.getOps<LinearOp>())
    if (WeightOp weight = lookupWeight(linear, linear.getWeightAttr()); store.hasWeights() && !wantsHalf(plan, weight))
      wanted.emplace_back(weight.getSource(), typeFor(weight));
  mlir::parallelFor(context, 0, wanted.size(),
                    [&](std::size_t i) { (void)store.quantized(wanted[i].first, wanted[i].second); });
}

LogicalResult Quantizer::run() {
  mlir::func::FuncOp forward = forwardFunction(module);
  if (!forward || forward.isExternal())
    return module.emitError("there is no function @") << kForward << " to quantize";
  quantizeWeights(forward);
  for (mlir::Operation &op : forward.front()) {
    auto result =
        llvm::TypeSwitch<mlir::Operation *, LogicalResult>(&op)
            .Case<EmbeddingOp, RmsNormOp, QuantizeOp, LinearOp, HeadNormOp, RopeOp, AttentionOp, SiluMulOp, AddOp>(
                [&](auto o) { return visit(o); })
            .Case<mlir::func::ReturnOp>([](auto) { return success(); })
            .Default([](mlir::Operation *o) { return o->emitOpError("is not an operation llm-quantize knows"); });
    if (mlir::failed(result))
      return failure();
  }
  // Rope divisors are read here so that damaged ones are found with all other weights.
  for (WeightOp weight : module.getOps<WeightOp>())
    if (weight.getTensorType().getRank() == 1 && store.hasWeights())
      if (auto values = store.load(weight.getSource()); !values)
        return fail(values.error());
  return success();
}

struct QuantizePass : impl::QuantizeBase<QuantizePass> {
  using QuantizeBase::QuantizeBase;

  void runOnOperation() override {
    auto plan = PrecisionPlan::create({weightType, activationType, kvType, quantConfig});
    if (Status known = plan ? checkRules(getOperation(), *plan) : Status(plan.error()); !known) {
      (void)report(&getContext(), known.error());
      return signalPassFailure();
    }
    if (isEncoder(getOperation()) && (weightType != "int8" || activationType != "a16" || !quantConfig.empty())) {
      getOperation().emitError(
          "an encoder is compiled with int8 weights and a16 activations; leave the options of other precisions out");
      return signalPassFailure();
    }
    std::shared_ptr<WeightStore> store = openSource(getOperation());
    if (!store || mlir::failed(isEncoder(getOperation()) ? quantizeEncoder(getOperation(), *store)
                                                         : Quantizer(getOperation(), *store, *plan).run()))
      signalPassFailure();
  }
};

} // namespace
} // namespace lpu::compiler::llm
