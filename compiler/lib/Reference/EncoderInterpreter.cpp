// The reference interpreter of encoders: every operation for all tokens before the next one.

#include "lpu/compiler/Reference/EncoderInterpreter.h"

#include "lpu/compiler/Dialect/LLM/LLM.h"
#include "lpu/compiler/Dialect/LLM/Source.h"
#include "lpu/compiler/Reference/Kernels.h"
#include "lpu/compiler/Support/ModelConstants.h"
#include "lpu/compiler/Support/OneLineErrors.h"
#include "lpu/isa/Numerics.h"

#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/TypeSwitch.h"

#include <algorithm>

namespace lpu::compiler {

using namespace reference;

namespace {

/// A vector per token, of one of the two kinds.
struct Vectors {
  std::vector<Floats> reals;
  std::vector<Digits> codes;
};

} // namespace

struct EncoderInterpreter::State {
  explicit State(mlir::ModuleOp model) : module(model) {}

  mlir::LogicalResult prepare() {
    forward = llm::forwardFunction(module);
    store = llm::openSource(module);
    if (!store || !forward || forward.isExternal() || !llm::isEncoder(module))
      return store ? module.emitError("there is no encoder @") << llm::kForward << " to run" : mlir::failure();
    for (llm::StepOp step : module.getOps<llm::StepOp>())
      longest = std::max(longest, static_cast<std::size_t>(step.getTokens()));
    return mlir::success();
  }

  Result<std::vector<EncoderOutput>> run();

  Status visit(llm::EmbeddingSumOp op);
  Status visit(llm::LinearOp op);
  Status visit(llm::LayerNormOp op);
  Status visit(llm::SelfAttentionOp op);
  Status visit(llm::QuantizeOp op);
  Status visit(llm::GeluOp op);
  Status visit(llm::TanhOp op);
  Status visit(llm::ReluOp op);
  Status visit(llm::SigmoidOp op);
  Status visit(llm::SiluOp op);
  Status visit(llm::NormalizeOp op);
  Status visit(llm::MeanOp op);
  Status visit(llm::AddOp op);
  Status visit(llm::FirstOp op);

  /// fp32 vectors to fp32 vectors, token by token.
  template <typename F> Status map(mlir::Value result, mlir::Value input, F compute) {
    std::vector<Floats> out;
    for (const Floats &row : values[input].reals)
      out.push_back(compute(row));
    values[result].reals = std::move(out);
    return Ok{};
  }
  Result<Floats> tableRow(mlir::Operation *op, mlir::FlatSymbolRefAttr symbol, std::int64_t row, const char *what);

  mlir::ModuleOp module;
  mlir::func::FuncOp forward;
  std::shared_ptr<WeightStore> store;
  std::size_t longest = 0;
  std::span<const std::int32_t> tokens, types;
  llvm::DenseMap<mlir::Value, Vectors> values;
};

Result<Floats> EncoderInterpreter::State::tableRow(mlir::Operation *op, mlir::FlatSymbolRefAttr symbol,
                                                   std::int64_t row, const char *what) {
  llm::WeightOp table = llm::lookupWeight(op, symbol);
  if (row < 0 || row >= table.getRows())
    return Error{"", std::string(what) + " " + std::to_string(row) + " is not in its table of " +
                         std::to_string(table.getRows()) + "; give numbers from 0 to " +
                         std::to_string(table.getRows() - 1)};
  Floats values(static_cast<std::size_t>(table.getCols()));
  if (Status ok = store->loadRow(table.getSource(), static_cast<std::uint32_t>(row), values); !ok)
    return ok.error();
  roundToHalf(values);
  return values;
}

Status EncoderInterpreter::State::visit(llm::EmbeddingSumOp op) {
  std::vector<Floats> out;
  for (std::size_t t = 0; t < tokens.size(); ++t) {
    auto sum = tableRow(op, op.getWordsAttr(), tokens[t], "token");
    if (!sum)
      return sum.error();
    if (op.getTypes()) {
      auto row = tableRow(op, op.getTypesAttr(), types.empty() ? 0 : types[t], "token type");
      if (!row)
        return row.error();
      *sum = add(*sum, *row);
    }
    auto row = tableRow(op, op.getPositionsAttr(), static_cast<std::int64_t>(t), "position");
    if (!row)
      return row.error();
    out.push_back(add(*sum, *row));
  }
  values[op.getResult()].reals = std::move(out);
  return Ok{};
}

Status EncoderInterpreter::State::visit(llm::LinearOp op) {
  auto matrix = store->quantized(llm::lookupWeight(op, op.getWeightAttr()).getSource());
  if (!matrix)
    return matrix.error();
  Floats scales, biases;
  for (float weightScale : (*matrix)->scales)
    scales.push_back(linearScale(*llm::activationScale(op.getInput()), weightScale, op.getFactor().convertToDouble()));
  if (op.getBiasAttr()) {
    auto bias = store->load(llm::lookupWeight(op, op.getBiasAttr()).getSource());
    if (!bias)
      return bias.error();
    biases = linearBias(*bias, op.getFactor().convertToDouble());
  }
  std::vector<Floats> out;
  for (const Digits &row : values[op.getInput()].codes)
    out.push_back(linear(**matrix, row, scales, biases));
  values[op.getResult()].reals = std::move(out);
  return Ok{};
}

Status EncoderInterpreter::State::visit(llm::LayerNormOp op) {
  auto gains = store->load(llm::lookupWeight(op, op.getWeightAttr()).getSource()),
       offsets = store->load(llm::lookupWeight(op, op.getBiasAttr()).getSource());
  if (!gains || !offsets)
    return gains ? offsets.error() : gains.error();
  float eps = op.getEps().convertToFloat();
  return map(op.getResult(), op.getInput(), [&](const Floats &x) { return layerNorm(x, *gains, *offsets, eps); });
}

Status EncoderInterpreter::State::visit(llm::SelfAttentionOp op) {
  ScoreConstants c = scaledScores(*llm::activationScale(op.getQuery()), *llm::activationScale(op.getKey()),
                                  op.getScale().convertToDouble());
  auto heads = static_cast<std::uint32_t>(op.getHeads()),
       headDim = static_cast<std::uint32_t>(llm::width(op.getResult())) / heads;
  Cache cache{heads, heads, headDim, values[op.getKey()].codes, {}, values[op.getValue()].codes};
  std::vector<Digits> out;
  for (const Digits &query : values[op.getQuery()].codes)
    out.push_back(attentionInTiles(cache, query, c.scoreLo));
  values[op.getResult()].codes = std::move(out);
  return Ok{};
}

Status EncoderInterpreter::State::visit(llm::QuantizeOp op) {
  float inverse = inverseScale(*llm::activationScale(op.getResult()));
  auto low = static_cast<std::int32_t>(op.getLow().value_or(static_cast<std::uint32_t>(-isa::kDigit16Max)));
  auto high = static_cast<std::int32_t>(op.getHigh().value_or(isa::kDigit16Max));
  std::vector<Floats> rows = values[op.getInput()].reals;
  if (auto scale = llm::activationScale(op.getInput())) {
    inverse = static_cast<float>(*scale / *llm::activationScale(op.getResult()));
    for (const Digits &row : values[op.getInput()].codes)
      rows.emplace_back(row.begin(), row.end());
  }
  std::vector<Digits> out;
  for (const Floats &row : rows)
    out.push_back(quantize(row, inverse, low, high));
  values[op.getResult()].codes = std::move(out);
  return Ok{};
}

Status EncoderInterpreter::State::visit(llm::GeluOp op) {
  return map(op.getResult(), op.getInput(), [&](const Floats &x) { return gelu(x, op.getApproximate()); });
}

Status EncoderInterpreter::State::visit(llm::TanhOp op) {
  return map(op.getResult(), op.getInput(), [](Floats x) {
    for (float &v : x)
      v = isa::tanhF32(v);
    return x;
  });
}

Status EncoderInterpreter::State::visit(llm::ReluOp op) {
  return map(op.getResult(), op.getInput(), [](const Floats &x) { return relu(x); });
}

Status EncoderInterpreter::State::visit(llm::SigmoidOp op) {
  return map(op.getResult(), op.getInput(), [](const Floats &x) { return sigmoid(x); });
}

Status EncoderInterpreter::State::visit(llm::SiluOp op) {
  double slope = op.getSlope().convertToDouble();
  return map(op.getResult(), op.getInput(), [&](const Floats &x) { return silu(x, slope); });
}

Status EncoderInterpreter::State::visit(llm::NormalizeOp op) {
  return map(op.getResult(), op.getInput(), [](const Floats &x) { return normalize(x); });
}

Status EncoderInterpreter::State::visit(llm::MeanOp op) {
  Floats out = mean(values[op.getInput()].reals);
  values[op.getResult()].reals = {std::move(out)};
  return Ok{};
}

Status EncoderInterpreter::State::visit(llm::AddOp op) {
  std::vector<Floats> out;
  const auto &branch = values[op.getBranch()].reals, &residual = values[op.getResidual()].reals;
  for (std::size_t t = 0; t < branch.size(); ++t)
    out.push_back(add(branch[t], residual[t]));
  values[op.getResult()].reals = std::move(out);
  return Ok{};
}

Status EncoderInterpreter::State::visit(llm::FirstOp op) {
  Vectors first = values[op.getInput()];
  first.reals.resize(std::min<std::size_t>(first.reals.size(), 1));
  first.codes.resize(std::min<std::size_t>(first.codes.size(), 1));
  values[op.getResult()] = std::move(first);
  return Ok{};
}

Result<std::vector<EncoderOutput>> EncoderInterpreter::State::run() {
  if (tokens.empty() || tokens.size() > longest)
    return Error{"", std::to_string(tokens.size()) + " tokens cannot be encoded, sequences have 1 to " +
                         std::to_string(longest) + "; give fewer or raise --max-context"};
  if (!types.empty() && types.size() != tokens.size())
    return Error{"", std::to_string(types.size()) + " token types do not go with " + std::to_string(tokens.size()) +
                         " tokens; give as many"};
  values.clear();
  for (mlir::Operation &op : forward.front().without_terminator()) {
    Status ok =
        llvm::TypeSwitch<mlir::Operation *, Status>(&op)
            .Case<llm::EmbeddingSumOp, llm::LinearOp, llm::LayerNormOp, llm::SelfAttentionOp, llm::QuantizeOp,
                  llm::GeluOp, llm::TanhOp, llm::ReluOp, llm::SigmoidOp, llm::SiluOp, llm::NormalizeOp, llm::MeanOp,
                  llm::AddOp, llm::FirstOp>([&](auto o) { return visit(o); })
            .Default([](mlir::Operation *o) {
              return Error{"", o->getName().getStringRef().str() + " is not an operation of a quantized encoder"};
            });
    if (!ok)
      return ok.error();
  }
  std::vector<EncoderOutput> outputs;
  auto names = module->getAttrOfType<mlir::ArrayAttr>(llm::kOutputsAttr);
  for (auto [i, result] : llvm::enumerate(forward.front().getTerminator()->getOperands())) {
    EncoderOutput &output = outputs.emplace_back();
    output.name = llvm::cast<mlir::StringAttr>(names[i]).str(),
    output.width = static_cast<std::size_t>(llm::width(result));
    for (const Floats &row : values[result].reals)
      output.values.insert(output.values.end(), row.begin(), row.end()), ++output.rows;
  }
  return outputs;
}

EncoderInterpreter::EncoderInterpreter(std::unique_ptr<State> prepared) : state(std::move(prepared)) {}
EncoderInterpreter::~EncoderInterpreter() = default;

mlir::FailureOr<std::unique_ptr<EncoderInterpreter>> EncoderInterpreter::create(mlir::ModuleOp module) {
  auto state = std::make_unique<State>(module);
  if (mlir::failed(state->prepare()))
    return mlir::failure();
  return std::unique_ptr<EncoderInterpreter>(new EncoderInterpreter(std::move(state)));
}

Result<std::vector<EncoderOutput>> EncoderInterpreter::run(std::span<const std::int32_t> tokens,
                                                           std::span<const std::int32_t> types) {
  state->tokens = tokens, state->types = types;
  return state->run();
}

} // namespace lpu::compiler
