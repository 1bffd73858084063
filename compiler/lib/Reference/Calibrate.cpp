// Calibration: a histogram of magnitudes per operation, filled by the float
// reference, and a range out of each.

#include "lpu/compiler/Reference/Calibrate.h"

#include "ErrorCompensation.h"
#include "MagnitudeHistogram.h"
#include "lpu/compiler/Dialect/LLM/Precisions.h"
#include "lpu/compiler/Dialect/LLM/Source.h"
#include "lpu/compiler/Reference/FloatInterpreter.h"
#include "lpu/compiler/Support/OneLineErrors.h"

#include "mlir/IR/Builders.h"
#include "llvm/ADT/MapVector.h"

namespace lpu::compiler {

namespace {

constexpr double kHeadroom = 2, kShareBeyond = 0.001;

bool isQuantized(mlir::Operation *op) {
  if (auto norm = llvm::dyn_cast<llm::RmsNormOp>(op))
    return !llm::normsBranch(norm);
  return llvm::isa<llm::QuantizeOp, llm::RopeOp, llm::AttentionOp, llm::SiluMulOp>(op);
}

double rangeOf(const MagnitudeHistogram &seen, mlir::Operation *op, const std::string &method,
               const PrecisionPlan &plan) {
  if (!llm::wantsOneDigit(op, plan))
    return kHeadroom * seen.largest();
  return method == "minmax"       ? seen.largest()
         : method == "percentile" ? seen.percentile(kShareBeyond)
                                  : seen.leastSquares();
}

/// Rounds the linears of @forward by what they were fed.
class Rounder {
public:
  Rounder(mlir::ModuleOp module, const PrecisionPlan &plan) : module(module), plan(plan) {}
  void see(mlir::Operation *op, std::span<const float> result) {
    if (llvm::any_of(op->getUsers(), llvm::IsaPred<llm::LinearOp>))
      inputs[op].add(result);
  }
  mlir::LogicalResult run(CalibrationSummary &summary) {
    store = llm::openSource(module);
    if (!store)
      return mlir::failure();
    double own = 0, plain = 0;
    for (auto &[op, moments] : inputs) {
      Eigen::MatrixXf all = moments.matrix();
      for (mlir::Operation *user : op->getUsers())
        if (auto linear = mlir::dyn_cast<llm::LinearOp>(user); linear && mlir::failed(round(linear, all, own, plain)))
          return mlir::failure();
    }
    summary.outputErrorRatio = plain > 0 ? own / plain : 1;
    llm::attachRounded(module, summary.rounding, store);
    return mlir::success();
  }

private:
  mlir::LogicalResult round(llm::LinearOp linear, const Eigen::MatrixXf &moments, double &own, double &plain) {
    llm::WeightOp weight = llm::lookupWeight(linear, linear.getWeightAttr());
    std::string name = weight.getSource().str();
    WeightType type = llm::weightTypeFor(plan, *store, weight);
    if (store->keepsBlocks(name, type))
      return mlir::success();
    auto values = store->load(name);
    auto nearest = store->quantized(name, type);
    if (!values || !nearest)
      return report(module.getContext(), values ? nearest.error() : values.error());
    QuantizedMatrix rounded = roundCompensating(*values, (*nearest)->rows, (*nearest)->cols, type, moments);
    own += outputError(*values, rounded, moments);
    plain += outputError(*values, **nearest, moments);
    store->setQuantized(name, type, std::move(rounded));
    return mlir::success();
  }

  mlir::ModuleOp module;
  const PrecisionPlan &plan;
  std::shared_ptr<WeightStore> store;
  llvm::MapVector<mlir::Operation *, InputMoments> inputs;
};

} // namespace

mlir::FailureOr<CalibrationSummary> calibrate(mlir::ModuleOp module, const CalibrationOptions &options,
                                              const PrecisionOptions &precision) {
  for (const Status &known : {checkName("--calibration-method", options.method, kCalibrationMethods),
                              checkName("--rounding", options.rounding, kRoundings)})
    if (!known)
      return report(module.getContext(), known.error());
  auto plan = PrecisionPlan::create(precision);
  if (!plan)
    return report(module.getContext(), plan.error());
  llvm::MapVector<mlir::Operation *, MagnitudeHistogram> seen;
  Rounder rounder(module, *plan);
  bool isCompensating = options.rounding == "gptq";
  auto interpreter = FloatInterpreter::create(module, [&](mlir::Operation *op, std::span<const float> result) {
    if (isQuantized(op))
      seen[op].add(result);
    if (isCompensating)
      rounder.see(op, result);
  });
  if (mlir::failed(interpreter))
    return mlir::failure();
  CalibrationSummary summary{.method = options.method, .rounding = options.rounding};
  for (const auto &sequence : options.sequences) {
    (*interpreter)->reset();
    for (std::size_t position = 0; position < sequence.size(); ++position, ++summary.tokens)
      if (auto row = (*interpreter)->step(sequence[position], static_cast<std::int64_t>(position)); !row)
        return report(module.getContext(), row.error());
  }
  if (isCompensating && mlir::failed(rounder.run(summary)))
    return mlir::failure();
  mlir::Builder builder(module.getContext());
  for (auto &[op, histogram] : seen) {
    double range = rangeOf(histogram, op, options.method, *plan);
    op->setAttr(llm::kRangeAttr, builder.getF64FloatAttr(range));
    summary.values += histogram.values();
    summary.saturated += histogram.beyond(range);
  }
  return summary;
}

} // namespace lpu::compiler
