// The float reference: operations as their definitions read, values in fp32, sums
// in double so that their order does not matter to fp32 accuracy. Nothing is
// shared with the quantized interpreter but the IR and the weight file.

#include "lpu/compiler/Reference/FloatInterpreter.h"

#include "lpu/compiler/Dialect/LLM/LLM.h"
#include "lpu/compiler/Dialect/LLM/Source.h"
#include "lpu/compiler/Support/OneLineErrors.h"

#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/TypeSwitch.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>

namespace lpu::compiler {

namespace {

using mlir::LogicalResult;
using Floats = std::vector<float>;
using Row = std::span<const float>;

double dot(Row a, Row b) {
  std::array<double, 8> sums{}; // independent, for the vectoriser
  std::size_t k = 0;
  for (; k + 8 <= a.size(); k += 8)
    for (std::size_t i = 0; i < 8; ++i)
      sums[i] += static_cast<double>(a[k + i]) * b[k + i];
  double sum = 0;
  for (; k < a.size(); ++k)
    sum += static_cast<double>(a[k]) * b[k];
  for (double part : sums)
    sum += part;
  return sum;
}

void normalize(Floats &weights) {
  double total = 0;
  float largest = *std::max_element(weights.begin(), weights.end());
  for (float &w : weights)
    total += w = std::exp(w - largest);
  for (float &w : weights)
    w = static_cast<float>(w / total);
}

float softCap(float x, double cap) { return static_cast<float>(cap * std::tanh(x / cap)); }

/// x·Φ(x) in its form by tanh.
float gelu(float x) {
  constexpr double kRoot = 0.79788456080286535588; // √(2/π)
  return static_cast<float>(0.5 * x * (1 + std::tanh(kRoot * (x + 0.044715 * x * x * x))));
}

/// Keys and values of one layer, one row per position.
struct Cache {
  std::vector<Floats> keys, values;
};

} // namespace

struct FloatInterpreter::State {
  State(mlir::ModuleOp model, Observer seer) : module(model), observer(std::move(seer)) {}
  LogicalResult prepare();
  Result<Floats> step(std::int32_t tokenId, std::int64_t tokenPosition);
  std::optional<Error> outside() const;
  const Floats &tensor(mlir::Operation *user, mlir::FlatSymbolRefAttr symbol) const {
    return tensors.at(llm::lookupWeight(user, symbol));
  }

  Floats run(llm::EmbeddingOp op);
  Floats run(llm::RmsNormOp op);
  Floats run(llm::QuantizeOp op) { return values[op.getInput()]; }
  Floats run(llm::LinearOp op);
  Floats run(llm::HeadNormOp op);
  Floats run(llm::RopeOp op);
  Floats run(llm::AttentionOp op);
  Floats run(llm::SiluMulOp op);
  Floats run(llm::AddOp op);

  mlir::ModuleOp module;
  Observer observer;
  mlir::func::FuncOp forward;
  std::int64_t capacity = 0, filled = 0, words = 0;
  llvm::DenseMap<mlir::Operation *, Cache> caches;   ///< by llm.kv_cache
  llvm::DenseMap<mlir::Operation *, Floats> tensors; ///< by llm.weight

  // Of the step under way.
  std::int32_t token = 0;
  std::int64_t position = 0;
  llvm::DenseMap<mlir::Value, Floats> values;
};

LogicalResult FloatInterpreter::State::prepare() {
  forward = llm::forwardFunction(module);
  std::shared_ptr<WeightStore> store = llm::openSource(module);
  if (!store || !forward || forward.isExternal())
    return store ? module.emitError("there is no function @") << llm::kForward << " to run" : mlir::failure();
  for (llm::KVCacheOp cache : module.getOps<llm::KVCacheOp>())
    capacity = static_cast<std::int64_t>(cache.getCapacity());
  for (llm::WeightOp weight : module.getOps<llm::WeightOp>()) {
    if (!weight.getTensorType().getElementType().isF32())
      return weight.emitOpError("is quantized already, the float reference runs what import made");
    auto loaded = store->load(weight.getSource());
    if (!loaded)
      return report(module.getContext(), loaded.error());
    tensors[weight] = std::move(*loaded);
  }
  for (mlir::Operation &op : forward.front())
    if (!llvm::isa<llm::EmbeddingOp, llm::RmsNormOp, llm::QuantizeOp, llm::LinearOp, llm::HeadNormOp, llm::RopeOp,
                   llm::AttentionOp, llm::SiluMulOp, llm::AddOp, mlir::func::ReturnOp>(op))
      return op.emitOpError("is not an operation the float reference knows");
    else if (auto embedding = llvm::dyn_cast<llm::EmbeddingOp>(op))
      words = llm::lookupWeight(embedding, embedding.getWeightAttr()).getRows();
  return mlir::success();
}

Floats FloatInterpreter::State::run(llm::EmbeddingOp op) {
  Row row = Row(tensor(op, op.getWeightAttr())).subspan(static_cast<std::size_t>(token * llm::width(op.getResult())));
  return {row.begin(), row.begin() + llm::width(op.getResult())};
}

Floats FloatInterpreter::State::run(llm::RmsNormOp op) {
  Floats x = values[op.getInput()];
  const Floats &gamma = tensor(op, op.getWeightAttr());
  double inverse = 1 / std::sqrt(dot(x, x) / static_cast<double>(x.size()) + op.getEps().convertToFloat());
  inverse *= op.getFactor().convertToDouble();
  for (std::size_t i = 0; i < x.size(); ++i)
    x[i] = static_cast<float>(x[i] * inverse * gamma[i]);
  return x;
}

Floats FloatInterpreter::State::run(llm::LinearOp op) {
  const Floats &x = values[op.getInput()];
  Row weights = tensor(op, op.getWeightAttr());
  Floats y(static_cast<std::size_t>(llm::width(op.getResult())));
  Row bias = op.getBiasAttr() ? Row(tensor(op, op.getBiasAttr())) : Row();
  for (std::size_t n = 0; n < y.size(); ++n) {
    double sum = dot(weights.subspan(n * x.size(), x.size()), x) + (bias.empty() ? 0.0f : bias[n]);
    y[n] = static_cast<float>(sum * op.getFactor().convertToDouble());
    if (op.getCap())
      y[n] = softCap(y[n], op.getCap()->convertToDouble());
  }
  return y;
}

Floats FloatInterpreter::State::run(llm::HeadNormOp op) {
  Floats x = values[op.getInput()];
  const Floats &gamma = tensor(op, op.getWeightAttr());
  std::size_t dim = gamma.size();
  for (std::size_t first = 0; first < x.size(); first += dim) {
    Row head = Row(x).subspan(first, dim);
    double inverse = 1 / std::sqrt(dot(head, head) / static_cast<double>(dim) + op.getEps().convertToFloat());
    for (std::size_t d = 0; d < dim; ++d)
      x[first + d] = static_cast<float>(x[first + d] * inverse * gamma[d] / op.getScale().convertToDouble());
  }
  return x;
}

Floats FloatInterpreter::State::run(llm::RopeOp op) {
  Floats x = values[op.getInput()];
  if (op.getStill())
    return x;
  auto dim = static_cast<std::size_t>(op.getHeadDim());
  for (std::size_t i = 0; i < x.size(); i += 2) {
    std::size_t pair = i % dim / 2;
    double frequency =
        std::pow(op.getBase().convertToDouble(), -2.0 * static_cast<double>(pair) / static_cast<double>(dim));
    if (auto freqs = llm::freqsOf(op))
      frequency /= tensor(op, freqs)[pair];
    double angle = static_cast<double>(position) * frequency,
           length = frequency == 0 ? 1 : op.getMagnitude().convertToDouble(), a = length * x[i], b = length * x[i + 1];
    x[i] = static_cast<float>(a * std::cos(angle) - b * std::sin(angle));
    x[i + 1] = static_cast<float>(a * std::sin(angle) + b * std::cos(angle));
  }
  return x;
}

Floats FloatInterpreter::State::run(llm::AttentionOp op) {
  llm::KVCacheOp declared = llm::lookupCache(op, op.getCacheAttr());
  Cache &cache = caches[declared];
  cache.keys.push_back(values[op.getKey()]);
  cache.values.push_back(values[op.getValue()]);
  std::size_t dim = declared.getHeadDim(), group = declared.getHeads() / declared.getKvHeads();
  double scale = op.getScale() ? op.getScale()->convertToDouble() : 1 / std::sqrt(static_cast<double>(dim));
  std::int64_t window = static_cast<std::int64_t>(declared.getWindow().value_or(0));
  std::size_t first = window && position >= window ? static_cast<std::size_t>(position - window + 1) : 0;
  Floats out;
  for (std::size_t head = 0; head < declared.getHeads(); ++head) {
    Row query = Row(values[op.getQuery()]).subspan(head * dim, dim);
    auto part = [&](const Floats &row) { return Row(row).subspan(head / group * dim, dim); };
    Floats weights;
    for (std::size_t p = first; p < cache.keys.size(); ++p) {
      auto score = static_cast<float>(dot(query, part(cache.keys[p])) * scale);
      weights.push_back(op.getCap() ? softCap(score, op.getCap()->convertToDouble()) : score);
    }
    normalize(weights);
    std::vector<double> mixed(dim);
    for (std::size_t p = 0; p < weights.size(); ++p)
      for (std::size_t d = 0; d < dim; ++d)
        mixed[d] += static_cast<double>(weights[p]) * part(cache.values[first + p])[d];
    out.insert(out.end(), mixed.begin(), mixed.end());
  }
  return out;
}

Floats FloatInterpreter::State::run(llm::SiluMulOp op) {
  Floats out = values[op.getGate()];
  const Floats &up = values[op.getUp()];
  for (std::size_t i = 0; i < out.size(); ++i)
    out[i] = (op.getGelu() ? gelu(out[i]) : out[i] / (1 + std::exp(-out[i]))) * up[i];
  return out;
}

Floats FloatInterpreter::State::run(llm::AddOp op) {
  Floats out = values[op.getBranch()];
  const Floats &residual = values[op.getResidual()];
  for (std::size_t i = 0; i < out.size(); ++i)
    out[i] += residual[i];
  return out;
}

std::optional<Error> FloatInterpreter::State::outside() const {
  if (token < 0 || token >= words)
    return Error{"", "token " + std::to_string(token) + " is not in the vocabulary of " + std::to_string(words) +
                         "; give ids from 0 to " + std::to_string(words - 1)};
  if (position < 0 || position > filled || position >= capacity)
    return Error{"", "position " + std::to_string(position) + " cannot be fed: " + std::to_string(filled) +
                         " positions are filled and the context holds " + std::to_string(capacity) +
                         "; feed fewer tokens or raise --max-context"};
  return std::nullopt;
}

Result<Floats> FloatInterpreter::State::step(std::int32_t tokenId, std::int64_t tokenPosition) {
  token = tokenId, position = tokenPosition;
  if (auto error = outside())
    return *error;
  for (auto &[op, cache] : caches) {
    cache.keys.resize(static_cast<std::size_t>(position));
    cache.values.resize(static_cast<std::size_t>(position));
  }
  filled = position + 1;
  values.clear();
  for (mlir::Operation &op : forward.front().without_terminator()) {
    Floats result =
        llvm::TypeSwitch<mlir::Operation *, Floats>(&op)
            .Case<llm::EmbeddingOp, llm::RmsNormOp, llm::QuantizeOp, llm::LinearOp, llm::HeadNormOp, llm::RopeOp,
                  llm::AttentionOp, llm::SiluMulOp, llm::AddOp>([&](auto o) { return run(o); });
    if (observer)
      observer(&op, result);
    values[op.getResult(0)] = std::move(result);
  }
  return values[forward.front().getTerminator()->getOperand(0)];
}

FloatInterpreter::FloatInterpreter(std::unique_ptr<State> prepared) : state(std::move(prepared)) {}
FloatInterpreter::~FloatInterpreter() = default;

mlir::FailureOr<std::unique_ptr<FloatInterpreter>> FloatInterpreter::create(mlir::ModuleOp module, Observer observer) {
  auto state = std::make_unique<State>(module, std::move(observer));
  if (mlir::failed(state->prepare()))
    return mlir::failure();
  return std::unique_ptr<FloatInterpreter>(new FloatInterpreter(std::move(state)));
}

Result<std::vector<float>> FloatInterpreter::step(std::int32_t token, std::int64_t position) {
  return state->step(token, position);
}

void FloatInterpreter::reset() {
  state->caches.clear();
  state->filled = 0;
}

std::int64_t FloatInterpreter::capacity() const { return state->capacity; }

std::int64_t FloatInterpreter::vocabulary() const {
  return llvm::cast<mlir::RankedTensorType>(state->forward.getFunctionType().getResult(0)).getDimSize(1);
}

} // namespace lpu::compiler
