// Lowers @forward of an encoder to one stream.program. All values of a sequence lie
// in memory, a row per token, and every flow is a burst over tokens; weights pass once.
// docs/decisions/0016 tells why it is a lowering of its own.
#pragma once

#include "FlowWriter.h"
#include "ObjectPool.h"
#include "lpu/compiler/Dialect/LLM/LLM.h"

#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/DenseSet.h"

namespace lpu::compiler {

struct ScoreConstants;

class EncoderLowering {
public:
  EncoderLowering(mlir::ModuleOp module, const isa::Machine &machine, ObjectPool &pool, llm::StepOp step);
  mlir::LogicalResult run(mlir::func::FuncOp forward);

private:
  /// fp32 vectors in memory: vector v of token t is row v·tokens + t.
  struct Rows {
    std::string object;
    Layout layout;
    std::int64_t count; ///< tokens
  };
  /// Digits in memory, alike on both sides: objects `object`.east and .west of 2 planes.
  struct Codes {
    std::string object;
    Layout layout;
    std::int64_t count;
    double scale;
  };
  /// A head's share of its vector.
  struct Head {
    std::int64_t vector, slot;
  };

  mlir::LogicalResult lower(mlir::Operation *op);
  void lowerEmbedding(llm::EmbeddingSumOp op);
  void lowerNorm(llm::LayerNormOp op);
  void lowerGelu(llm::GeluOp op);
  void lowerFirst(llm::FirstOp op);
  // EncoderPooling.cpp
  mlir::Value sigmoid(FlowWriter &w, mlir::Value x, float minusSlope);
  void lowerSilu(llm::SiluOp op);
  void lowerMean(llm::MeanOp op);
  void lowerNormalize(llm::NormalizeOp op);
  mlir::func::ReturnOp results();
  /// Of a result of the function, which several outputs may share.
  std::string outputObject(mlir::Value result);
  /// An operation that no producer took along: its operands are rows in memory.
  void lowerAlone(mlir::Operation *op);
  mlir::LogicalResult lowerLinear(llm::LinearOp op);
  mlir::LogicalResult lowerAttention(llm::SelfAttentionOp op);

  // EncoderLinear.cpp
  /// Sums of output vector n, from both sides when `isSplit`: accumulator row of token 0, on both planes of a side.
  void sumTiles(llm::LinearOp op, const Layout &rows, std::int64_t n, std::int64_t side, bool isSplit,
                std::int64_t count);
  void passTile(const std::string &tile, const Codes &input, std::int64_t k, std::int64_t side, std::int64_t count,
                bool add);
  mlir::Value linearValue(FlowWriter &w, llm::LinearOp op, const Layout &rows, std::int64_t n, std::int64_t side,
                          bool isSplit);
  Layout rowsOf(mlir::Value value);

  // EncoderAttention.cpp
  void prepareAttention();
  void makeTiles(const std::string &codes, const std::string &tiles, std::int64_t vector);
  void transposeValues(std::int64_t vector, std::int64_t lanes);
  void loadTile(const std::string &object, std::int64_t row, std::int64_t rows, std::int64_t first, std::int64_t side);
  mlir::Value scoreValue(FlowWriter &w, const std::string &codes, std::int64_t vector, std::int64_t slot,
                         const ScoreConstants &constants);
  void maxima(const Codes &keys, Head head, const ScoreConstants &constants);
  void scores(const Codes &queries, Head head, const ScoreConstants &constants);
  void exponents(Head head);
  void weigh(Head head);
  void divide(llm::SelfAttentionOp op, const Layout &layout, std::int64_t vector);
  std::string headObject(const char *what, Head head, std::int64_t planes, std::int64_t rows, std::int64_t hint);

  /// Gives what a flow made, vector v of `result`, to everything that takes it. `count` tokens, rows from token 0 on.
  void finish(FlowWriter &w, mlir::Value made, mlir::Value result, std::int64_t vector, std::int64_t count);
  void quantize(FlowWriter &w, mlir::Value made, llm::QuantizeOp op, std::int64_t vector, std::int64_t count);
  /// The digits of d16(scaled), clipped to the operation's limits.
  void storeCodes(FlowWriter &w, mlir::Value scaled, llm::QuantizeOp op, const std::string &object,
                  std::int64_t vector);
  void writeOutputs(FlowWriter &w, mlir::Value made, mlir::Value result, std::int64_t vector);
  bool wantsRows(mlir::Value result);
  /// The producer of one of an addition's operands that takes the addition along: the one that is lowered last.
  bool takesAlong(mlir::Value result, llm::AddOp add);
  /// The sum over lanes of a value of `fraction`-scaled fp32, to be had by meanOf; vectors add up.
  void sumLanes(FlowWriter &w, mlir::Value scaled, std::int64_t vector, std::int64_t vectors);
  mlir::Value meanOf(FlowWriter &w, std::int64_t vectors, float high, float low);

  std::string sumObject(bool high, std::int64_t vector);
  /// A buffer for rows or codes of `value` that holds nothing still wanted; the same one when asked again.
  std::int64_t bufferOf(mlir::Value value, std::vector<mlir::Value> &holders);
  std::string rowsObject(mlir::Value value);
  std::string codesObject(mlir::Value value);
  bool isLive(mlir::Value value) const;
  void beginPhase(const std::string &label);
  FlowWriter flow(std::int64_t repeat) { return FlowWriter(pool, builder, loc, repeat); }
  std::string tensorOf(llvm::StringRef symbol);
  void onesTiles();

  mlir::ModuleOp module;
  const isa::Machine &machine;
  ObjectPool &pool;
  llm::StepOp step;
  mlir::OpBuilder builder;
  mlir::Location loc;
  stream::ProgramOp program;
  std::int64_t tokens;
  std::int64_t weightBytes = 0, layer = 0;
  std::int64_t rowsOfHeads = 0; ///< elements of a head of the attention under way
  llvm::DenseMap<mlir::Value, Rows> rows;
  llvm::DenseMap<mlir::Value, Codes> codes;
  llvm::DenseSet<mlir::Operation *> done; ///< lowered, or taken along by a producer
  std::vector<mlir::Value> rowHolders, codeHolders;
  std::map<std::string, double> inputScales;     ///< of the matrices lowered so far
  std::map<std::string, std::int64_t> biasHeads; ///< head width of the layouts biases are in, 0: plain
  mlir::Value phaseInput;                        ///< of the linears in the present phase
  std::int64_t fetched[2] = {0, 0};              ///< bursts of digits fetched into activation rows, per side
  std::int64_t accumulated[2] = {0, 0};          ///< sums begun in this phase, per side
  std::int64_t sumsAt[2] = {0, 0};               ///< where those of the present output vector are
};

} // namespace lpu::compiler
