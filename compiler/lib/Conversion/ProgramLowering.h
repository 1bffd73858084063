// Lowers @forward of the llm dialect to one stream.program. One phase per norm,
// linear group and attention; activations travel through MXM activation rows,
// which two halves of the buffer take in rotation.
#pragma once

#include "FlowWriter.h"
#include "ObjectPool.h"
#include "lpu/compiler/Dialect/LLM/Precisions.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/ADT/DenseMap.h"

#include <array>

namespace lpu::compiler {

class TileAttention;
struct RmsNormConstants;

class ProgramLowering {
  friend class TileAttention;

public:
  ProgramLowering(mlir::ModuleOp module, const isa::Machine &machine, ObjectPool &pool, llm::StepOp step);
  mlir::LogicalResult run(mlir::func::FuncOp forward);

private:
  /// int16 digits waiting in the activation rows of all planes, or in memory on both sides.
  struct Digits {
    Layout layout;
    std::int64_t row =
        0; ///< low digit of (token t, vector v) is row + stride·(t·vectors + v), the high one `high` rows on
    Scale scale;
    std::string object;    ///< in memory: objects `object`.east and .west of 2 planes, row t·vectors + v
    bool streamed = false; ///< made in the phase that takes them, one vector after another; rows from `row` on are free
    std::int64_t stride = 2, high = 1;
    std::int64_t turns = 1; ///< of chunks: a vector's digits are in `object` number v mod `turns`
    std::int64_t lowRow(std::int64_t token, std::int64_t vector) const {
      return row + stride * (token * layout.vectors() + vector);
    }
  };
  /// A piece of digits that waits in memory to be gathered: objects `object`.east and .west, row
  /// t·layout.gather().vectors() + v; the other pieces follow. Activation rows from `row` on are free for them.
  struct WrittenDigits {
    std::string object;
    Layout layout;
    std::int64_t row = 0;
  };
  /// A factor of N7: a number of the program, or a row of attentionFactors where a class has several stages.
  struct AttentionFactor {
    float value = 1;
    std::string object;
    std::int64_t row = 0;
  };
  /// A linear whose sums wait in accumulators; its consumer emits them.
  struct Sums {
    Layout rows;
    std::string scales, biases; ///< objects; no biases: empty
    /// [vector][token]: (plane, accumulator row of the high digit; low follows) of each partial sum.
    std::vector<std::vector<std::vector<std::pair<std::int64_t, std::int64_t>>>> parts;
    /// With scales per group the sums are in objects `object`.high and .low, row token·vectors + vector, and `factor`
    /// is the object of what they are multiplied by. If `stored`, as in a chunk, y itself is in `object`, row
    /// chunkRow(token, vector). Else empty.
    std::string object, factor;
    bool stored = false;
    bool single = false; ///< the input is int8, so that there are no sums of high digits
    bool half = false;   ///< fp16: parts are one fp32 sum each, which is multiplied by `factor`'s row or by `number`
    float number = 1;
  };
  /// A linear asked for before its phase is laid out.
  struct PendingLinear {
    llm::LinearOp op;
    Layout rows;
    Sums *sums;
  };

  /// An output vector of a group of linears that is dealt: its tiles lie on one plane, or, of the few that are left
  /// over when planes have equally many, on all (−1).
  struct Unit {
    std::size_t linear; ///< of `pending`
    std::int64_t vector, plane;
    std::int64_t begin = 0; ///< visit of a column at which its first tile has its turn
  };

  mlir::LogicalResult lower(mlir::Operation *op);
  void lowerEmbedding(llm::EmbeddingOp op);
  void lowerNorm(llm::RmsNormOp op);
  mlir::LogicalResult lowerLinear(llm::LinearOp op);
  void lowerHeadNorm(llm::HeadNormOp op);
  void storeProjections(llm::AttentionOp attention);
  std::string inverseHeadNorms(llm::HeadNormOp op, const Sums &heads);
  void scaleHeads(const Sums &heads, const Sums &normed, const std::string &inverse, const std::string &gain);
  void lowerRope(llm::RopeOp op);
  /// Of the ropes of `op`'s function, all of which turn alike; null if none does.
  static llm::RopeOp firstTurning(llm::RopeOp op);
  mlir::LogicalResult lowerAttention(llm::AttentionOp op);
  void lowerSiluMul(llm::SiluMulOp op);
  void lowerAdd(llm::AddOp op);
  void lowerReturn(mlir::func::ReturnOp op);
  /// Logits of all tokens into the output; their layout.
  Layout writeLogits(llm::LinearOp op);
  void lowerAllGather(llm::AllGatherOp op);
  void lowerSend(llm::SendOp op);
  void lowerReceive(llm::ReceiveOp op);

  /// `follows`: a chunk's phase goes on with results of the one before as they come, without a barrier.
  void beginPhase(const std::string &label, bool follows = false);
  void beginLinearPhase();
  /// Gives every pending linear its tiles, planes and passes; called by their first consumer. With `finished` the
  /// linears are swept output by output, and finished(n) is called where all sums of their vector n are complete.
  void flushLinears(llvm::function_ref<void(std::int64_t)> finished = {});
  /// Output vectors of the pending linears. Columns are visited in rotation, and the tiles of a visit are stored in the
  /// order of the units: each has a tile in as many visits as there are columns, from its `begin` on. `rolling` units
  /// begin one after the other, others in groups.
  std::vector<Unit> dealtUnits(std::int64_t columns, bool swept, bool rolling);
  /// Calls f with each visit's column and the units that have a tile in it, in order, and then done(n) for each vector
  /// that is complete in all linears. Tiles of even and odd planes lie in different slices: a visit first takes the
  /// ones, then the others, at last those that lie on all planes. So no slice is read for tiles all the time, and flows
  /// that want the slices near VXM find them free: results of either half come while the other one's, or the next
  /// visit's odd ones', are read.
  void visit(llvm::ArrayRef<Unit> units, std::int64_t columns,
             llvm::function_ref<void(std::int64_t, llvm::ArrayRef<std::size_t>)> f,
             llvm::function_ref<void(std::int64_t)> done) const;
  /// Whether the pending linears' outputs begin one after the other, so that they are complete one after the other and
  /// VXM and memory have time for them; in models whose prompts come in chunks. Not where inputs come one after the
  /// other (down, and the attention's output).
  bool rolls() const;
  /// Are the pending linears the output projection?
  bool isHead() const;
  std::int64_t planeInTurn(std::int64_t number) const;
  void prepareSums(const Digits &input, bool swept);
  void passPinned(const Digits &input);
  void passByOutputs(const Digits &input, llvm::function_ref<void(std::int64_t)> finished);
  void passByInputs(const Digits &input);
  /// A tile and the passes of all tokens through it; `lowRow` is where a token's low digit is, `high` rows before its
  /// high one.
  void passTile(PendingLinear &linear, const Layout &cols, std::int64_t n, std::int64_t k, std::int64_t plane,
                std::int64_t high, llvm::function_ref<std::int64_t(std::int64_t)> lowRow);
  /// The plane with the least to load so far, for the next tile of a large group.
  std::int64_t leastLoadedPlane() const;
  struct ChunkSums;
  /// Takes y of one output vector in the flow that emits it: a burst over `count` tokens from `first` on.
  struct Burst {
    std::int64_t first, count;
  };
  using ChunkSink = llvm::function_ref<void(FlowWriter &, mlir::Value, const Unit &, Burst)>;
  /// Lowers the pending linears for a chunk; without a sink into memory. `finished` as in flushLinears.
  void flushChunk();
  void passChunk(ChunkSink sink, llvm::function_ref<void(std::int64_t)> finished);
  void passPaired(const Digits &input, llvm::ArrayRef<Unit> units, ChunkSink sink,
                  llvm::function_ref<void(std::int64_t)> finished);
  /// Leaves an output's sums in accumulators, from which the sink takes them.
  void passSingly(const Digits &input, llvm::ArrayRef<Unit> units, ChunkSink sink);
  /// Calls f with a flow for each burst over tokens whose sums wait in accumulators.
  void forBursts(llvm::function_ref<void(FlowWriter &, Burst)> f);
  /// y of a burst's tokens from those sums.
  mlir::Value heldValue(FlowWriter &w, std::size_t linear, std::int64_t vector, Burst burst);
  mlir::Value chunkValue(FlowWriter &w, const Sums &sums, mlir::Value upper, mlir::Value lower, std::int64_t vector);
  void chunkSiluMul(llm::SiluMulOp op);
  void chunkAdd(llm::AddOp op);
  void chunkNorm(llm::RmsNormOp op);
  /// Row of digits that wait in memory, among those of all pieces.
  std::int64_t writtenRow(const Layout &piece, std::int64_t token, std::int64_t vector) const {
    return chunked ? chunkRow(token, vector) : token * piece.gather().vectors() + vector;
  }
  /// Digits of a chunk, and values, in memory: tokens follow one another.
  std::int64_t chunkRow(std::int64_t token, std::int64_t vector) const { return vector * tokens + token; }
  /// Where a chunk's digits of a vector lie on a side: object, and row of the first token.
  std::pair<std::string, std::int64_t> chunkDigits(const Digits &input, std::int64_t side, std::int64_t vector) const;
  /// The squares of a burst of `count` values as the digits of N5: the upper ones in activation rows from `row` on, the
  /// lower ones behind them.
  void loadSquares(FlowWriter &w, mlir::Value x, std::int64_t row, std::int64_t count);
  /// Passes them, on each plane into accumulators from `sum` on.
  void sumSquares(std::int64_t row, const std::array<std::int64_t, 4> &sum, std::int64_t count, bool add);
  mlir::Value inverseNorm(FlowWriter &w, const RmsNormConstants &constants, float eps,
                          llvm::function_ref<mlir::Value(std::int64_t, std::int64_t)> sum);
  void fetchAll(Digits &input);
  /// Digits of `count` vectors from memory: the low ones into rows from `row` on, the high ones `high` rows further.
  void fetchDigits(const Digits &input, std::int64_t token, std::int64_t vector, std::int64_t count, std::int64_t row,
                   std::int64_t high);
  /// `twin`: into both planes of the side.
  void emitTile(const std::string &object, std::int64_t plane, bool twin = false, bool packed = false);
  FlowWriter flow(std::int64_t repeat = 1) { return FlowWriter(pool, builder, loc, repeat); }
  /// The sum of int32 parts, as deep in operations as that of `width` of them.
  static mlir::Value sumOf(FlowWriter &w, llvm::SmallVector<mlir::Value> parts, std::size_t width);
  /// y[n] of N3 for one token and vector.
  mlir::Value linearValue(FlowWriter &w, const Sums &sums, std::int64_t token, std::int64_t vector);
  static mlir::Value withBias(FlowWriter &w, const Sums &sums, std::int64_t vector, mlir::Value scaled);
  /// silu(gate)·up of N8.
  mlir::Value siluValue(FlowWriter &w, const Sums &gate, const Sums &up, std::int64_t token, std::int64_t vector);
  mlir::LogicalResult checkGroups(llm::LinearOp op);
  /// A linear of N15 into accumulators.
  mlir::LogicalResult lowerHalfLinear(llm::LinearOp op, const Layout &rows);
  void passHalves(Sums &out, const Digits &input, llvm::StringRef tensor, std::int64_t n, std::int64_t pair);
  mlir::Value halfValue(FlowWriter &w, const Sums &sums, std::int64_t token, std::int64_t vector);
  /// Begins the phase of linears that are not collected, unless the last one shared the input.
  Digits &beginUncollected(llm::LinearOp op);
  /// A linear of N12 into its objects.
  void lowerGroupedLinear(llm::LinearOp op, const Layout &rows);
  void passGroups(const Sums &out, const Digits &input, std::int64_t n, std::int64_t k, std::int64_t plane,
                  const std::string &scales);
  /// The groups' sums times their scales, as integers, added to `object`'s row `item` or, `first`, written there.
  void drainGroups(const std::string &object, std::int64_t item, std::int64_t plane, std::int64_t accumulator,
                   const std::string &scales, std::int64_t groups, bool first);
  /// y[n] of N12 for one token and vector.
  mlir::Value groupedValue(FlowWriter &w, const Sums &sums, std::int64_t token, std::int64_t vector);
  /// y·cos + y'·sin of N6.
  mlir::Value ropeValue(FlowWriter &w, mlir::Value source, std::int64_t token, std::int64_t vector);
  void storeKeysAndValues(llm::AttentionOp op, const Layout &heads);
  void scoreFlow(std::int64_t token, std::int64_t vector, std::int64_t vectors, std::int64_t slot,
                 const AttentionFactor &high, const AttentionFactor &low);
  void valueFlow(llm::AttentionOp op, llvm::ArrayRef<std::int64_t> tokens, std::int64_t vector, std::int64_t vectors,
                 const AttentionFactor &inverse, std::int64_t row, std::int64_t firstSlot);
  /// The factors of the two halves of a score, 1/scale of the result, and 256 times the lower half's factor.
  std::array<AttentionFactor, 4> attentionFactors(llm::AttentionOp op, std::int64_t headDim);
  mlir::Value times(FlowWriter &w, mlir::Value value, const AttentionFactor &factor);
  /// Where a quantized result goes: into activation rows from `row` on, or into memory if it is gathered first; `step`
  /// vectors (or rows of memory) further in each copy of a burst.
  void noteDigits(mlir::Value result, const Layout &layout, std::int64_t row, const std::string &object);
  void passOnDigits(FlowWriter &w, mlir::Value result, mlir::Value scaled, std::int64_t token, std::int64_t vector,
                    std::int64_t row, std::int64_t step = 0);
  /// The same for an int16 value of a vector; copies are tokens, `step` activation rows apart.
  void passOnQuantized(FlowWriter &w, mlir::Value result, mlir::Value quantized, std::int64_t token,
                       std::int64_t vector, std::int64_t row, std::int64_t step);
  /// Sends the own piece's rows to the group and receives those of the others; one object, or a copy on each side.
  void exchange(llvm::ArrayRef<std::string> objects, std::int64_t planes, const Layout &piece);
  void sendRow(llvm::ArrayRef<std::string> objects, std::int64_t row, std::int64_t byte,
               llvm::ArrayRef<std::int64_t> links);
  /// Where vector v of token t of the residual's piece stands; the other pieces follow the own one.
  std::int64_t residualRow(std::int64_t token, std::int64_t vector) const {
    return rowOf(token, vector, residualLayout.gather().vectors());
  }
  /// Of what has `vectors` vectors a token: where bursts pass all tokens of a vector these follow one another, so that
  /// who takes some vectors waits for no others.
  std::int64_t rowOf(std::int64_t token, std::int64_t vector, std::int64_t vectors) const {
    return inBursts() ? chunkRow(token, vector) : token * vectors + vector;
  }
  /// From a token's row to the next one's, and from a vector's.
  std::int64_t tokenStep(std::int64_t vectors) const { return inBursts() ? 1 : vectors; }
  std::int64_t vectorStep() const { return inBursts() ? tokens : 1; }
  /// Part of one prompt, so long that MXM is what is scarce.
  bool inBursts() const { return chunked && paired && users == 1; }
  void setResidual(const Layout &piece);
  Layout headsOf(llm::KVCacheOp cache, std::int64_t group, bool swap) const;
  Layout cut(Layout layout, std::optional<llm::CutAttr> cut) const;
  /// Of the rows of a linear that no attention takes.
  Layout plainRows(llm::LinearOp op) const;
  std::int64_t nextAccumulator(std::int64_t plane, std::int64_t count);
  /// The accumulators of a plane hold two digits of `vectors` sums for every token.
  bool sumsFit(std::int64_t vectors) const { return 2 * tokens * vectors <= machine.mxmAccumulatorRows; }
  /// First activation row of the half that the next producer fills.
  std::int64_t nextHalf();
  std::int64_t otherHalf() const { return half ? 0 : machine.mxmActivationRows / 2; }
  std::string layerLabel(llvm::StringRef tensor, llvm::StringRef what);
  std::int64_t userOf(std::int64_t token) const { return token * users / tokens; }
  /// The name of part of a cache, made that of the user whose token it is.
  std::string cacheName(std::string name, std::int64_t token) const;
  std::string cacheObject(char which, std::int64_t vector, std::int64_t token);
  Scale scaleOf(mlir::Value value);
  Factor factorOf(llm::LinearOp op);
  std::string tensorOf(llvm::StringRef symbol);

  mlir::ModuleOp module;
  const isa::Machine &machine;
  ObjectPool &pool;
  llm::StepOp step;
  mlir::OpBuilder builder;
  mlir::Location loc;
  stream::ProgramOp program;

  std::int64_t users;           ///< each with caches of their own
  std::int64_t tokens, context; ///< tokens of all users, one user's after the other's
  bool takesChunks;             ///< programs of the model may be chunks (chunkTokens)
  bool chunked;                 ///< the tokens' digits do not fit the activation rows
  bool paired; ///< in a chunk: planes of a side share tiles and take a digit each; else a tile takes both digits in the
               ///< time of its load
  std::int64_t chunkSlot = 0; ///< activation rows take columns in rotation
  /// By linear, among the pending ones, and vector: on each plane the first accumulator row of the high digits' sums,
  /// which those of the low digits follow.
  std::map<std::pair<std::size_t, std::int64_t>, std::map<std::int64_t, std::int64_t>> heldSums;
  std::int64_t sweepLength; ///< positions swept: the context rounded up to the sweep's window
  std::int64_t weightBytes = 0;
  bool half = true;
  llvm::DenseMap<mlir::Value, Digits> digits;
  std::map<std::pair<mlir::Operation *, bool>, Sums> sums; ///< (linear, swapped)
  std::vector<PendingLinear> pending;
  mlir::Value pendingInput;
  mlir::Value groupedInput; ///< of the last grouped linear; those it feeds share a phase
  std::int64_t groupedCount = 0, groupedPlane = 0, halfPair = 0;
  std::vector<std::int64_t> accumulatorCursor;
  std::int64_t tileHint = -1;          ///< of the tiles that come next
  std::vector<std::int64_t> planeLoad; ///< cycles of tiles dealt to each plane
  bool sumsLost = false;               ///< some linear's sums were more than the accumulators hold until they are read
  bool hasStepTables = false;          ///< this step's rope rows and mask counters are written
  std::string residual;                ///< object of the fp32 residual vectors
  Layout residualLayout;               ///< of a chip's piece
  llvm::DenseMap<mlir::Value, WrittenDigits> written;
  std::int64_t cacheLayer = 0, cacheCapacity = 0;
  llm::KVType cacheType = llm::KVType::Int16;
};

/// Output vectors whose tiles alternate on a plane in a sweep.
inline constexpr std::int64_t kChunkVectors = 6;

/// Label of the phase that takes the residual from the stage before.
inline constexpr char kReceivePhase[] = "receive residual";

/// What makes a linear's input, before it was gathered.
mlir::Operation *producerOf(mlir::Value input);

/// Whether gate, up and down are large enough for their weights to be swept in one phase, when `shards` chips share
/// them.
bool isSwept(const isa::Machine &machine, llm::SiluMulOp op, std::int64_t shards = 1);
/// Whether the weights have a scale per group of columns.
bool isGrouped(llm::LinearOp op);
/// Whether the weights are fp16.
bool isHalf(llm::LinearOp op);
/// What the phase of a linear is called, by its role.
std::string linearPhaseName(llm::LinearOp op);

} // namespace lpu::compiler
