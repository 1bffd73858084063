// llm-quantize for encoders: an llm.quantize before every linear and attention that
// has none of its file's. Scales come from bounds (docs/spec/numerics.md N10): a
// layer norm bounds what follows it, GELU never grows, tanh stays within 1, and
// attention mixes values.

#include "QuantizeEncoder.h"

#include "lpu/compiler/Support/OneLineErrors.h"
#include "lpu/isa/Numerics.h"

#include "mlir/IR/Builders.h"
#include "llvm/ADT/TypeSwitch.h"

#include <cmath>

namespace lpu::compiler::llm {
namespace {

using mlir::failure;
using mlir::LogicalResult;
using mlir::success;
using Bounds = std::vector<double>; ///< largest magnitude of every element

class EncoderQuantizer {
public:
  EncoderQuantizer(mlir::ModuleOp target, WeightStore &weights)
      : module(target), store(weights), builder(target.getContext()) {}

  LogicalResult run() {
    mlir::func::FuncOp forward = forwardFunction(module);
    if (!forward || forward.isExternal())
      return module.emitError("there is no function @") << kForward << " to quantize";
    for (mlir::Operation &op : llvm::make_early_inc_range(forward.front())) {
      auto result = llvm::TypeSwitch<mlir::Operation *, LogicalResult>(&op)
                        .Case<EmbeddingSumOp, LinearOp, SelfAttentionOp>([&](auto o) { return visit(o); })
                        .Case<LayerNormOp, QuantizeOp, GeluOp, ReluOp, SigmoidOp, SiluOp, TanhOp, FirstOp, MeanOp,
                              NormalizeOp, AddOp, mlir::func::ReturnOp>([](auto) { return success(); })
                        .Default([](mlir::Operation *o) {
                          return o->emitOpError("is not an operation llm-quantize knows in an encoder");
                        });
      if (mlir::failed(result))
        return failure();
    }
    return success();
  }

private:
  LogicalResult fail(const Error &error) { return report(module.getContext(), error); }

  LogicalResult visit(EmbeddingSumOp op) {
    for (mlir::FlatSymbolRefAttr symbol : {op.getWordsAttr(), op.getPositionsAttr(), op.getTypesAttr()})
      if (symbol && mlir::failed(toHalf(lookupWeight(op, symbol))))
        return failure();
    return success();
  }

  LogicalResult toHalf(WeightOp table) {
    std::vector<float> row(static_cast<std::size_t>(table.getCols()));
    for (uint32_t n = 0; store.hasWeights() && n < table.getRows(); ++n) {
      if (Status ok = store.loadRow(table.getSource(), n, row); !ok)
        return fail(ok.error());
      for (float v : row)
        if (!std::isfinite(isa::halfToFloat(isa::floatToHalf(v))))
          return fail({store.path(), "tensor " + quote(table.getSource()) + ": row " + std::to_string(n) + " holds " +
                                         std::to_string(v) +
                                         ", beyond fp16 (65504); use a model with a smaller embedding"});
    }
    table.setType(table.getTensorType().clone(mlir::Float16Type::get(module.getContext())));
    return success();
  }

  LogicalResult visit(LinearOp op) {
    if (mlir::failed(quantizeOperand(op, 0)))
      return failure();
    WeightOp weight = lookupWeight(op, op.getWeightAttr());
    if (store.hasWeights())
      if (auto matrix = store.quantized(weight.getSource()); !matrix)
        return fail(matrix.error());
    weight.setType(weight.getTensorType().clone(weightType(module.getContext())));
    return success();
  }

  LogicalResult visit(SelfAttentionOp op) {
    for (unsigned i = 0; i < 3; ++i)
      if (mlir::failed(quantizeOperand(op, i)))
        return failure();
    op.getResult().setType(op.getValue().getType());
    return success();
  }

  /// Puts an llm.quantize before an f32 operand; one serves all that take the value.
  LogicalResult quantizeOperand(mlir::Operation *op, unsigned operand) {
    mlir::Value value = op->getOperand(operand);
    if (activationScale(value))
      return success();
    mlir::Value &known = quantized[value];
    if (!known) {
      auto bounds = boundsOf(op, value);
      if (mlir::failed(bounds))
        return failure();
      double bound = *std::max_element(bounds->begin(), bounds->end());
      double scale = bound == 0 ? 1.0 : 1.01 * bound / isa::kDigit16Max;
      if (!(bound < 1e18) || !std::isnormal(static_cast<float>(scale)) ||
          !std::isnormal(static_cast<float>(1.0 / scale)))
        return op->emitOpError("what it is fed may reach ")
               << bound
               << ", beyond what fp32 arithmetic can hold; the weights are damaged, fetch or export the file again";
      builder.setInsertionPointAfterValue(value);
      auto type = llvm::cast<mlir::RankedTensorType>(value.getType());
      known = QuantizeOp::create(builder, op->getLoc(), type.clone(activationType(module.getContext(), scale)), value,
                                 mlir::IntegerAttr(), mlir::IntegerAttr());
    }
    op->setOperand(operand, known);
    return success();
  }

  mlir::FailureOr<Bounds> boundsOf(mlir::Operation *user, mlir::Value value) {
    auto known = bounds.find(value);
    if (known != bounds.end())
      return known->second;
    auto computed =
        llvm::TypeSwitch<mlir::Operation *, mlir::FailureOr<Bounds>>(value.getDefiningOp())
            .Case<EmbeddingSumOp, LayerNormOp, LinearOp, QuantizeOp, AddOp>([&](auto op) { return boundsOf(op); })
            .Case<GeluOp, ReluOp, SiluOp, FirstOp, MeanOp>([&](auto op) { return boundsOf(op, op.getInput()); })
            .Case<TanhOp, SigmoidOp, NormalizeOp>(
                [&](auto op) { return Bounds(static_cast<std::size_t>(width(op.getResult())), 1.0); })
            .Case<SelfAttentionOp>([&](auto op) { return boundsOf(op, op.getValue()); })
            .Default([&](mlir::Operation *) -> mlir::FailureOr<Bounds> {
              return user->emitOpError("is fed by what nothing bounds (N10), and cannot be quantized");
            });
    if (mlir::succeeded(computed))
      bounds[value] = *computed;
    return computed;
  }

  mlir::FailureOr<std::vector<float>> load(mlir::Operation *user, mlir::FlatSymbolRefAttr symbol, float otherwise) {
    WeightOp weight = lookupWeight(user, symbol);
    if (!store.hasWeights())
      return std::vector<float>(static_cast<std::size_t>(weight.getCols()), otherwise);
    auto values = store.load(weight.getSource());
    if (!values)
      return fail(values.error());
    return std::move(*values);
  }

  mlir::FailureOr<Bounds> boundsOf(AddOp op) {
    auto branch = boundsOf(op, op.getBranch()), residual = boundsOf(op, op.getResidual());
    if (mlir::failed(branch) || mlir::failed(residual))
      return failure();
    for (std::size_t i = 0; i < branch->size(); ++i)
      (*branch)[i] += (*residual)[i];
    return branch;
  }

  /// The largest magnitudes in the tables' columns add up.
  mlir::FailureOr<Bounds> boundsOf(EmbeddingSumOp op) {
    Bounds out(static_cast<std::size_t>(width(op.getResult())), store.hasWeights() ? 0.0 : 1.0);
    for (mlir::FlatSymbolRefAttr symbol : {op.getWordsAttr(), op.getPositionsAttr(), op.getTypesAttr()}) {
      if (!symbol || !store.hasWeights())
        continue;
      WeightOp table = lookupWeight(op, symbol);
      std::vector<float> row(out.size());
      Bounds largest(out.size(), 0.0);
      for (uint32_t n = 0; n < table.getRows(); ++n) {
        if (Status ok = store.loadRow(table.getSource(), n, row); !ok)
          return fail(ok.error());
        for (std::size_t i = 0; i < row.size(); ++i)
          largest[i] = std::max(largest[i], std::fabs(static_cast<double>(row[i])));
      }
      for (std::size_t i = 0; i < out.size(); ++i)
        out[i] += largest[i];
    }
    return out;
  }

  /// A normed vector has length √H at most.
  mlir::FailureOr<Bounds> boundsOf(LayerNormOp op) {
    auto gains = load(op, op.getWeightAttr(), 1), offsets = load(op, op.getBiasAttr(), 0);
    if (mlir::failed(gains) || mlir::failed(offsets))
      return failure();
    Bounds out;
    double root = std::sqrt(static_cast<double>(gains->size()));
    for (std::size_t i = 0; i < gains->size(); ++i)
      out.push_back(root * std::fabs(static_cast<double>((*gains)[i])) + std::fabs(static_cast<double>((*offsets)[i])));
    return out;
  }

  mlir::FailureOr<Bounds> boundsOf(QuantizeOp op) {
    auto out = boundsOf(op, op.getInput());
    if (mlir::succeeded(out) && op.getLow())
      for (double &bound : *out)
        bound = std::min(bound, *activationScale(op.getResult()) * std::max(-static_cast<std::int32_t>(*op.getLow()),
                                                                            static_cast<std::int32_t>(*op.getHigh())));
    return out;
  }

  mlir::FailureOr<Bounds> boundsOf(LinearOp op) {
    WeightOp weight = lookupWeight(op, op.getWeightAttr());
    if (!store.hasWeights()) // rows of norm 1 and gains of 1
      return Bounds(static_cast<std::size_t>(weight.getRows()), std::sqrt(static_cast<double>(weight.getCols())));
    auto matrix = store.quantized(weight.getSource());
    if (!matrix)
      return fail(matrix.error());
    std::vector<float> bias((*matrix)->rows, 0.0f);
    if (op.getBiasAttr()) {
      auto loaded = load(op, op.getBiasAttr(), 0);
      if (mlir::failed(loaded))
        return failure();
      bias = std::move(*loaded);
    }
    auto inputs = boundsOf(op, op.getInput());
    if (mlir::failed(inputs))
      return failure();
    // Coarse codes of the file's own may be off by half a step each.
    double step = 0;
    mlir::Value source = op.getInput();
    for (; mlir::isa_and_nonnull<QuantizeOp, FirstOp>(source.getDefiningOp());
         source = source.getDefiningOp()->getOperand(0))
      if (auto codes = source.getDefiningOp<QuantizeOp>(); codes && codes.getLow())
        step = *activationScale(codes.getResult()) / 2;
    auto norm = source.getDefiningOp<LayerNormOp>();
    Bounds out;
    std::vector<float> gains, offsets;
    if (norm) {
      auto loadedGains = load(norm, norm.getWeightAttr(), 1), loadedOffsets = load(norm, norm.getBiasAttr(), 0);
      if (mlir::failed(loadedGains) || mlir::failed(loadedOffsets))
        return failure();
      gains = std::move(*loadedGains), offsets = std::move(*loadedOffsets);
    }
    for (uint32_t n = 0; n < (*matrix)->rows; ++n) {
      double sum = 0, squares = 0, shift = 0, rounding = 0;
      auto row = (*matrix)->row(n);
      for (std::size_t k = 0; k < row.size(); ++k) {
        sum += std::abs(row[k]) * (*inputs)[k], rounding += std::abs(row[k]) * step;
        if (norm)
          squares += std::pow(static_cast<double>(row[k]) * gains[k], 2),
              shift += static_cast<double>(row[k]) * offsets[k];
      }
      double scale = (*matrix)->scales[n], offset = static_cast<double>(bias[n]),
             bound = sum * scale + std::fabs(offset);
      if (norm)
        bound = std::min(bound, std::sqrt(static_cast<double>(row.size()) * squares) * scale +
                                    std::fabs(shift * scale + offset) + rounding * scale);
      out.push_back(bound * op.getFactor().convertToDouble());
    }
    return out;
  }

  mlir::ModuleOp module;
  WeightStore &store;
  mlir::OpBuilder builder;
  llvm::DenseMap<mlir::Value, mlir::Value> quantized;
  llvm::DenseMap<mlir::Value, Bounds> bounds;
};

} // namespace

LogicalResult quantizeEncoder(mlir::ModuleOp module, WeightStore &store) {
  return EncoderQuantizer(module, store).run();
}

} // namespace lpu::compiler::llm
