// The reference interpreter: walks the operations of @forward in order and calls
// the kernel of each. What an operation needs besides its inputs (int8 weights,
// scale vectors) is prepared once.

#include "lpu/compiler/Reference/Interpreter.h"

#include "lpu/compiler/Dialect/LLM/LLM.h"
#include "lpu/compiler/Dialect/LLM/Precisions.h"
#include "lpu/compiler/Dialect/LLM/Source.h"
#include "lpu/compiler/Reference/Kernels.h"
#include "lpu/compiler/Support/ModelConstants.h"
#include "lpu/compiler/Support/OneLineErrors.h"

#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/TypeSwitch.h"

#include <algorithm>
#include <cmath>

namespace lpu::compiler {

using namespace reference;
using mlir::LogicalResult;
using mlir::success;

struct Interpreter::State {
  explicit State(mlir::ModuleOp model) : module(model) {}
  LogicalResult prepare();
  Result<std::vector<float>> step(std::int32_t tokenId, std::int64_t tokenPosition);

  LogicalResult prepareOp(llm::RmsNormOp op);
  LogicalResult prepareOp(llm::LinearOp op);
  LogicalResult prepareBias(llm::LinearOp op);
  LogicalResult prepareOp(llm::HeadNormOp op);
  LogicalResult prepareOp(llm::RopeOp op);
  Status run(llm::EmbeddingOp op);
  Status run(llm::RmsNormOp op);
  Status run(llm::QuantizeOp op);
  Status run(llm::LinearOp op);
  Status run(llm::HeadNormOp op);
  Status run(llm::RopeOp op);
  Status run(llm::AttentionOp op);
  Status run(llm::SiluMulOp op);
  Status run(llm::AddOp op);
  Status run(mlir::func::ReturnOp op);
  void capResult(llm::LinearOp op) {
    if (op.getCap())
      for (float &y : floats[op.getResult()])
        y = softCap(y, op.getCap()->convertToDouble());
  }

  mlir::ModuleOp module;
  mlir::func::FuncOp forward;
  std::shared_ptr<WeightStore> store;
  std::int64_t capacity = 0;
  llvm::DenseMap<mlir::Operation *, Cache> caches;
  /// Gains of a norm, scales of a linear, frequency divisors of a rope.
  llvm::DenseMap<mlir::Operation *, Floats> constants;
  llvm::DenseMap<mlir::Operation *, Floats> biases; ///< of the linears that have one
  llvm::DenseMap<mlir::Operation *, std::shared_ptr<const QuantizedMatrix>> matrices;
  llvm::DenseMap<mlir::Operation *, std::shared_ptr<const HalfMatrix>> halfMatrices; ///< of the linears in fp16

  // Of the step under way.
  std::int32_t token = 0;
  std::int64_t position = 0;
  llvm::DenseMap<mlir::Value, Floats> floats;
  llvm::DenseMap<mlir::Value, Digits> digits;
  Floats logits;
};

LogicalResult Interpreter::State::prepareOp(llm::RmsNormOp op) {
  auto gamma = store->load(llm::lookupWeight(op, op.getWeightAttr()).getSource());
  if (!gamma)
    return report(module.getContext(), gamma.error());
  constants[op] = rmsNormGains(*gamma, llm::normsBranch(op) ? 1 / op.getFactor().convertToDouble()
                                                            : *llm::activationScale(op.getResult()));
  return success();
}

LogicalResult Interpreter::State::prepareOp(llm::HeadNormOp op) {
  auto gamma = store->load(llm::lookupWeight(op, op.getWeightAttr()).getSource());
  if (!gamma)
    return report(module.getContext(), gamma.error());
  constants[op] = rmsNormGains(*gamma, op.getScale().convertToDouble());
  return success();
}

LogicalResult Interpreter::State::prepareOp(llm::LinearOp op) {
  llm::WeightOp weight = llm::lookupWeight(op, op.getWeightAttr());
  if (!weight.isQuantized() && !llm::isHalf(weight))
    return op.emitOpError("is not quantized, run llm-quantize first");
  if (llm::isHalf(weight)) {
    auto halves = loadHalves(*store, weight.getSource());
    if (!halves)
      return report(module.getContext(), halves.error());
    halfMatrices[op] = *halves;
    constants[op] = {static_cast<float>(op.getFactor().convertToDouble())};
    return prepareBias(op);
  }
  auto matrix = store->quantized(weight.getSource(), *weight.quantization());
  if (!matrix)
    return report(module.getContext(), matrix.error());
  matrices[op] = *matrix;
  Floats &scales = constants[op];
  // With scales per group those of the weights join the sums one by one, and a single factor is left.
  for (float weightScale : (*matrix)->group ? Floats{std::ldexp(1.0f, -(*matrix)->exponent)} : (*matrix)->scales)
    scales.push_back(linearScale(*llm::activationScale(op.getInput()), weightScale, op.getFactor().convertToDouble()));
  return prepareBias(op);
}

LogicalResult Interpreter::State::prepareBias(llm::LinearOp op) {
  if (!op.getBiasAttr())
    return success();
  auto bias = store->load(llm::lookupWeight(op, op.getBiasAttr()).getSource());
  if (!bias)
    return report(module.getContext(), bias.error());
  biases[op] = linearBias(*bias, op.getFactor().convertToDouble());
  return success();
}

LogicalResult Interpreter::State::prepareOp(llm::RopeOp op) {
  Floats &freqs = constants[op];
  auto symbol = llm::freqsOf(op);
  if (!symbol)
    return success();
  auto values = store->load(llm::lookupWeight(op, symbol).getSource());
  if (!values)
    return report(module.getContext(), values.error());
  freqs = std::move(*values);
  return success();
}

LogicalResult Interpreter::State::prepare() {
  forward = llm::forwardFunction(module);
  store = llm::openSource(module);
  if (!store || !forward || forward.isExternal())
    return store ? module.emitError("there is no function @") << llm::kForward << " to run" : mlir::failure();
  for (llm::KVCacheOp cache : module.getOps<llm::KVCacheOp>()) {
    caches[cache] = {static_cast<std::uint32_t>(cache.getHeads()),
                     static_cast<std::uint32_t>(cache.getKvHeads()),
                     static_cast<std::uint32_t>(cache.getHeadDim()),
                     {},
                     {},
                     {}};
    capacity = static_cast<std::int64_t>(cache.getCapacity());
  }
  for (mlir::Operation &op : forward.front()) {
    auto norm = llvm::dyn_cast<llm::RmsNormOp>(op);
    bool quantized = !llvm::isa<llm::RmsNormOp, llm::QuantizeOp, llm::RopeOp, llm::AttentionOp, llm::SiluMulOp>(op) ||
                     (norm && llm::normsBranch(norm)) || llm::activationScale(op.getResult(0));
    bool fed = !llvm::isa<llm::LinearOp>(op) || llm::activationScale(op.getOperand(0));
    if (!quantized || !fed)
      return op.emitOpError("is not quantized, run llm-quantize first");
    auto prepared =
        llvm::TypeSwitch<mlir::Operation *, LogicalResult>(&op)
            .Case<llm::RmsNormOp, llm::LinearOp, llm::HeadNormOp, llm::RopeOp>([&](auto o) { return prepareOp(o); })
            .Case<llm::EmbeddingOp, llm::QuantizeOp, llm::AttentionOp, llm::SiluMulOp, llm::AddOp,
                  mlir::func::ReturnOp>([](auto) { return success(); })
            .Default([](mlir::Operation *o) { return o->emitOpError("is not an operation of a quantized model"); });
    if (mlir::failed(prepared))
      return mlir::failure();
  }
  return success();
}

Status Interpreter::State::run(llm::EmbeddingOp op) {
  llm::WeightOp table = llm::lookupWeight(op, op.getWeightAttr());
  if (token < 0 || token >= table.getRows())
    return Error{"", "token " + std::to_string(token) + " is not in the vocabulary of " +
                         std::to_string(table.getRows()) + "; give ids from 0 to " +
                         std::to_string(table.getRows() - 1)};
  Floats row(static_cast<std::size_t>(table.getCols()));
  if (Status ok = store->loadRow(table.getSource(), static_cast<std::uint32_t>(token), row); !ok)
    return ok;
  roundToHalf(row);
  floats[op.getResult()] = std::move(row);
  return Ok{};
}

Status Interpreter::State::run(llm::RmsNormOp op) {
  if (llm::normsBranch(op)) {
    floats[op.getResult()] = headNorm(floats[op.getInput()], constants[op], op.getEps().convertToFloat());
    return Ok{};
  }
  digits[op.getResult()] =
      rmsNorm(floats[op.getInput()], constants[op], op.getEps().convertToFloat(), llm::activationBits(op.getResult()));
  return Ok{};
}

Status Interpreter::State::run(llm::QuantizeOp op) {
  float inverse = inverseScale(*llm::activationScale(op.getResult()));
  Digits &out = digits[op.getResult()];
  for (float x : floats[op.getInput()])
    out.push_back(toDigits(x * inverse, llm::activationBits(op.getResult())));
  return Ok{};
}

Status Interpreter::State::run(llm::LinearOp op) {
  const Digits &input = digits[op.getInput()];
  if (auto halves = halfMatrices.find(op); halves != halfMatrices.end()) {
    // Heads do not straddle vectors (N15).
    std::size_t columns = 2 * kHalfBlock;
    if (auto attention = op.getInput().getDefiningOp<llm::AttentionOp>()) {
      std::size_t dim = llm::lookupCache(attention, attention.getCacheAttr()).getHeadDim();
      columns = columns / dim * dim;
    }
    floats[op.getResult()] = halfLinear(*halves->second, input, columns, constants[op][0], biases[op]);
    capResult(op);
    return Ok{};
  }
  const QuantizedMatrix &matrix = *matrices[op];
  floats[op.getResult()] = matrix.group ? groupedLinear(matrix, input, constants[op][0], biases[op])
                                        : linear(matrix, input, constants[op], biases[op]);
  capResult(op);
  return Ok{};
}

Status Interpreter::State::run(llm::HeadNormOp op) {
  floats[op.getResult()] = headNorm(floats[op.getInput()], constants[op], op.getEps().convertToFloat());
  return Ok{};
}

Status Interpreter::State::run(llm::RopeOp op) {
  auto attention = llvm::dyn_cast<llm::AttentionOp>(*op->getUsers().begin());
  bool half = attention && llm::kvType(attention) == llm::KVType::Half && attention.getKey() == op.getResult();
  int bits = half ? kHalfBits : llm::activationBits(op.getResult());
  if (op.getStill()) {
    Digits &out = digits[op.getResult()];
    for (float y : floats[op.getInput()])
      out.push_back(toDigits(y, bits));
    return Ok{};
  }
  RopeRow row = ropeRow(static_cast<std::uint64_t>(position), static_cast<std::uint32_t>(op.getHeadDim()),
                        op.getBase().convertToDouble(), constants[op], op.getMagnitude().convertToDouble());
  digits[op.getResult()] = rope(floats[op.getInput()], row.cos, row.sin, bits);
  return Ok{};
}

Status Interpreter::State::run(llm::AttentionOp op) {
  llm::KVCacheOp declaration = llm::lookupCache(op, op.getCacheAttr());
  Cache &cache = caches[declaration];
  ScoreConstants c = llm::scoreConstantsOf(op);
  ScoreRules rules{0, op.getCap() ? op.getCap()->convertToDouble() : 0};
  if (auto window = static_cast<std::int64_t>(declaration.getWindow().value_or(0)); window && position >= window)
    rules.first = static_cast<std::size_t>(position - window + 1);
  cache.keys.push_back(digits[op.getKey()]);
  if (op.getTiles()) {
    bool narrow = llm::kvType(op) == llm::KVType::Int8;
    ValueConstants v = narrow ? valueConstants(llm::valueStep(op)) : ValueConstants{1, 1};
    Digits &value = cache.valueDigits.emplace_back();
    for (float y : floats[op.getValue()])
      value.push_back(narrow ? toDigits(y * v.stored, 8) : toDigits(y));
    digits[op.getResult()] = attentionInTiles(cache, digits[op.getQuery()], c.scoreLo, v.result, rules);
    return Ok{};
  }
  cache.values.push_back(floats[op.getValue()]);
  llm::KVType kv = llm::kvType(op);
  AttentionScales scales{c.scoreHi, c.scoreLo, inverseScale(*llm::activationScale(op.getResult())),
                         llm::activationBits(op.getResult()), kv == llm::KVType::Half};
  if (kv == llm::KVType::Half)
    scales.scoreHi *= 1 / kHalfStep, scales.scoreLo *= 1 / kHalfStep;
  if (kv == llm::KVType::Int8) {
    ValueConstants v = valueConstants(llm::valueStep(op));
    scales.inverseOutput = v.result;
    for (float &value : cache.values.back())
      value = toDigits(value * v.stored, 8);
  } else {
    roundToHalf(cache.values.back());
  }
  digits[op.getResult()] = attention(cache, digits[op.getQuery()], scales, rules);
  return Ok{};
}

Status Interpreter::State::run(llm::SiluMulOp op) {
  auto kernel = op.getGelu() ? geluMul : siluMul;
  digits[op.getResult()] = kernel(floats[op.getGate()], floats[op.getUp()], llm::activationBits(op.getResult()));
  return Ok{};
}

Status Interpreter::State::run(llm::AddOp op) {
  floats[op.getResult()] = add(floats[op.getBranch()], floats[op.getResidual()]);
  return Ok{};
}

Status Interpreter::State::run(mlir::func::ReturnOp op) {
  logits = floats[op.getOperand(0)];
  return Ok{};
}

Result<std::vector<float>> Interpreter::State::step(std::int32_t tokenId, std::int64_t tokenPosition) {
  std::int64_t filled = caches.empty() ? tokenPosition : static_cast<std::int64_t>(caches.begin()->second.keys.size());
  if (tokenPosition < 0 || tokenPosition > filled || tokenPosition >= capacity)
    return Error{"", "position " + std::to_string(tokenPosition) + " cannot be fed: " + std::to_string(filled) +
                         " positions are filled and the context holds " + std::to_string(capacity) +
                         "; feed fewer tokens or raise --max-context"};
  for (auto &[op, cache] : caches) {
    for (auto *rows : {&cache.keys, &cache.valueDigits})
      rows->resize(std::min(rows->size(), static_cast<std::size_t>(tokenPosition)));
    cache.values.resize(std::min(cache.values.size(), static_cast<std::size_t>(tokenPosition)));
  }
  token = tokenId;
  position = tokenPosition;
  floats.clear();
  digits.clear();
  for (mlir::Operation &op : forward.front()) {
    Status ok =
        llvm::TypeSwitch<mlir::Operation *, Status>(&op)
            .Case<llm::EmbeddingOp, llm::RmsNormOp, llm::QuantizeOp, llm::LinearOp, llm::HeadNormOp, llm::RopeOp,
                  llm::AttentionOp, llm::SiluMulOp, llm::AddOp, mlir::func::ReturnOp>([&](auto o) { return run(o); });
    if (!ok)
      return ok.error();
  }
  return logits;
}

Interpreter::Interpreter(std::unique_ptr<State> prepared) : state(std::move(prepared)) {}
Interpreter::~Interpreter() = default;

mlir::FailureOr<std::unique_ptr<Interpreter>> Interpreter::create(mlir::ModuleOp module) {
  auto state = std::make_unique<State>(module);
  if (mlir::failed(state->prepare()))
    return mlir::failure();
  return std::unique_ptr<Interpreter>(new Interpreter(std::move(state)));
}

Result<std::vector<float>> Interpreter::step(std::int32_t token, std::int64_t position) {
  return state->step(token, position);
}

void Interpreter::reset() {
  for (auto &[op, cache] : state->caches) {
    cache.keys.clear();
    cache.values.clear();
    cache.valueDigits.clear();
  }
}

std::int64_t Interpreter::capacity() const { return state->capacity; }

std::int64_t Interpreter::vocabulary() const {
  return llvm::cast<mlir::RankedTensorType>(state->forward.getFunctionType().getResult(0)).getDimSize(1);
}

} // namespace lpu::compiler
