// Attention that contracts over positions in MXM (numerics.md N11).
#pragma once

#include "ProgramLowering.h"

#include <array>
#include <vector>

namespace lpu::compiler {

/// How queries, keys, values and the result of attention in tiles are laid out. Keys and queries are split in halves,
/// so that the two elements of a rope pair share a lane; values and the result are not.
struct TileLayouts {
  /// On a chip that holds `heads` query heads of the cache (all that it declares).
  TileLayouts(std::int64_t lanes, llm::KVCacheOp cache, std::int64_t heads);
  TileLayouts(std::int64_t lanes, llm::KVCacheOp cache)
      : TileLayouts(lanes, cache, static_cast<std::int64_t>(cache.getHeads())) {}
  Layout query, key, value, result;
};

class TileAttention {
public:
  TileAttention(ProgramLowering &lowering, llm::AttentionOp op);

  /// Once per program, into the phase under way: factors of the ropes, masks, and where this step's positions lie in
  /// the caches.
  void writeStepTables(llvm::ArrayRef<llm::RopeOp> ropes);
  /// Stores queries, keys and values in the phase under way, then opens the phase of the attention.
  mlir::LogicalResult lower();

private:
  /// Lanes of a superlane, slices of a tile, rows of a row group.
  static constexpr std::int64_t kSquare = 16;
  /// Users of a batch whose scores are under way at once: what a user's softmax waits for takes as long as this many
  /// users' tiles.
  static constexpr std::int64_t kUsersAhead = 6;
  /// Parts of a chunk of one user whose scores are under way at once, where caches leave room for so many.
  static constexpr std::int64_t kPartsAhead = 2;
  /// Copies of a burst whose flow does nothing twice in one place for at least so many cycles.
  static constexpr std::int64_t kLongBurst = 16;
  static std::int64_t ceilDiv(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

  /// Blocks of positions of one vector of KV heads over sides: with several vectors each has its side, a single one
  /// takes the sides alternately.
  struct Blocks {
    std::int64_t vectors;
    std::int64_t parts() const { return vectors == 1 ? 2 : 1; }
    std::int64_t part(std::int64_t block) const { return block % parts(); }
    std::int64_t side(std::int64_t block, std::int64_t vector) const { return vectors == 1 ? block % 2 : vector % 2; }
    std::int64_t index(std::int64_t block) const { return block / parts(); }
  };
  /// Heads that share a vector of keys, or of queries, with both halves of each: slots `first` and up of a pair of
  /// vectors of halves.
  struct Merged {
    std::int64_t pair, first, slots;
  };
  /// Tokens [first, first + count) of the step, all of one user: as many as activation rows and accumulators hold at
  /// once. Rows of a chunk's items (a token's query heads of a KV head) are ordered by head, then token, or by token,
  /// then head; those in memory leave room for the largest chunk, so that an item of the next chunk only replaces that
  /// of the same head.
  struct Chunk {
    std::int64_t first = 0, count = 1, room = 1;
    bool tokensInside = false;
    std::int64_t place = 0; ///< of its first token in what has room for several chunks
  };
  /// Items in successive rows: `count` tokens from `token` on, or, when tokens are not inside, heads of one token from
  /// `member` on.
  struct Items {
    std::int64_t token, member, count;
  };
  /// Sums of one vector of results on one side: first accumulator row on both planes of, in this order, weights' high
  /// (odd plane: low) digits times values' high digits (which int8 has not), times their low digits, and alone.
  struct Mixed {
    std::int64_t side = 0, high[3] = {}, low[3] = {};
    bool started = false, summed = false;
  };

  /// Cached keys and values have one digit (N16) instead of two.
  bool narrow() const { return kind == llm::KVType::Int8; }
  llvm::ArrayRef<std::int64_t> cachedDigits() const {
    static constexpr std::int64_t both[] = {1, 0};
    return narrow() ? llvm::ArrayRef(both).drop_front() : llvm::ArrayRef(both);
  }
  std::string keyTiles(std::int64_t vector, std::int64_t digit, std::int64_t part);
  std::string valueTiles(std::int64_t vector, std::int64_t digit, std::int64_t part);
  std::string laneIndex() { return p.pool.laneIndex(headDim / 2); }
  /// Rows of a block and a token: negative in the lanes of positions that are seen.
  std::string mask() { return table(window ? "step.mask.window" : "step.mask", 4, p.tokens * blocks, ownGroup(4, 1)); }
  /// Where this step's positions are kept, and the block of that place.
  std::string place() { return isRing ? table("step.ring", 4, p.tokens, 0) : p.pool.input("position", p.tokens); }
  std::string placeBlock() { return table(isRing ? "step.ring.block" : "step.block", 4, p.tokens, 1); }
  std::string partTable(char which, std::int64_t part);

  /// Positions that share a row of the rope tables.
  std::int64_t ropePacking() const;
  void writeRope(llm::RopeOp rope, bool sine);
  void writeMasks(std::int64_t first, std::int64_t count);
  mlir::Value seen(FlowWriter &w, std::int64_t first, std::int64_t block);
  void writeRing(std::int64_t first, std::int64_t count);
  void writePlaces(std::int64_t first, std::int64_t count);
  /// One attention of each kind: over all positions, or over a window.
  std::vector<llm::AttentionOp> kinds() const;

  /// Calls f(first, count) for bursts of at most kLongBurst of `tokens` tokens from `from` on.
  void forTokens(std::int64_t from, std::int64_t tokens, llvm::function_ref<void(std::int64_t, std::int64_t)> f) const;
  std::int64_t pairs() const { return layouts.key.vectors() / 2; }
  /// Slots of a pair's first merged vector.
  std::int64_t slotsTogether() const { return ceilDiv(layouts.key.slotsPerVector(), 2); }
  /// What the rope that makes queries or keys takes.
  const ProgramLowering::Sums &headed(mlir::Value source);
  std::pair<mlir::Value, mlir::Value> ropeHalves(FlowWriter &w, mlir::Value source, std::int64_t token,
                                                 std::int64_t pair);
  /// y of one token and vector; in memory, of the tokens of a burst.
  mlir::Value linearValue(FlowWriter &w, const ProgramLowering::Sums &sums, std::int64_t token, std::int64_t vector);
  void storeHalves(std::int64_t token, std::int64_t count, mlir::Value source, const std::string &name,
                   const Layout &layout);
  void storeValues(std::int64_t token, std::int64_t count);
  std::vector<mlir::Value> mergeHalves(FlowWriter &w, const std::string &name, std::int64_t row, std::int64_t step,
                                       std::int64_t pair);
  void appendKeys(std::int64_t pair);
  void appendValues(std::int64_t vector);

  mlir::FailureOr<std::vector<Chunk>> chooseChunks();
  /// Scores and maxima of the chunk's next pairs of vectors whose heads come before `head`.
  void scoreUpTo(std::int64_t head);
  void score(std::int64_t pair);
  std::array<std::int64_t, 2> queryRows(std::size_t vector);
  void loadQueries(std::int64_t pair, llvm::ArrayRef<std::array<std::int64_t, 2>> rows);
  void multiplyKeys(std::size_t vector, std::int64_t block, std::int64_t row);
  void joinScores(const Items &items, std::int64_t side, std::int64_t row, std::int64_t mask, std::int64_t head,
                  std::int64_t block);
  std::int64_t superlanesOf(std::int64_t slot) const;
  void reduceMaxima(std::int64_t batch);
  void packMaxima(std::int64_t token, std::int64_t batch);
  void foldMaxima(std::int64_t batch);
  void writeLaneGroups();
  std::string laneGroups() { return table("step.lanes", 4, 2 + kSquare / 4, ownGroup(7, 1)); }
  std::string packed() { return table("score.packed", 4, chunk.room * batches, 0); }
  /// Row of a token's maxima of a batch, in packed() and largest().
  std::int64_t maximaRow(std::int64_t batch, std::int64_t token) const {
    return batch * chunk.room + chunk.place + token;
  }
  void mix(std::int64_t vector);
  void weigh(std::int64_t block, std::int64_t side, std::int64_t head, std::int64_t row);
  void mixSlot(std::int64_t vector, std::int64_t slot, std::int64_t first, std::int64_t end, std::vector<Mixed> &sums);
  /// Whether value tiles have rows of ones behind those of all slots, so that the passes of values sum the weights,
  /// too.
  bool sumsInTile() const {
    return chunk.tokensInside &&
           layouts.value.perVector() / kSquare + layouts.value.slotsPerVector() <= machine.superlanes;
  }
  void multiplyValues(std::int64_t vector, std::int64_t slot, std::int64_t block, std::int64_t row, const Mixed &mixed);
  void sumWeights(std::int64_t row, const Mixed &mixed);
  void divide(std::int64_t vector, const std::vector<Mixed> &sums);
  void divide(const Items &items, std::int64_t vector, const std::vector<Mixed> &sums);
  void divideSpread(const Items &items, std::int64_t vector);
  mlir::Value inUnitsOfResult(FlowWriter &w, mlir::Value quotient);
  void passOn(FlowWriter &w, mlir::Value result, const Items &items, std::int64_t vector);
  void packResult(std::int64_t token, std::int64_t count);
  /// Quantized vectors of the result before packing, from `first` on: those that stay or those that are taken apart.
  std::string unpacked(std::int64_t first);

  FlowWriter flow(std::int64_t repeat = 1) { return p.flow(repeat); }
  void loadRows(const std::string &object, std::int64_t row, std::int64_t rows, std::int64_t group, std::int64_t plane,
                bool transposed, bool twin);
  void install(std::int64_t plane, bool twin);
  /// `count` activation rows of a side, taken in rotation: of those that hold no digits of a linear, or, when the
  /// result's digits wait in memory, of half of all for queries and the other half for weights.
  std::int64_t activationRows(std::int64_t side, std::int64_t count, bool weights);
  std::int64_t heads() const { return kvHeads * group; }
  std::int64_t items() const { return chunk.count * group; }
  std::int64_t itemRow(const Items &items) const {
    return chunk.tokensInside ? items.member * chunk.count + items.token : items.token * group + items.member;
  }
  /// The chunk's items of a KV head in bursts of at most `most`; if over heads, the first of which stands in lane
  /// `lane`, each within 16 lanes.
  std::vector<Items> bursts(std::int64_t most, std::int64_t lane = 0) const;
  /// How much further the next item of a burst is where tokens and heads are so far apart.
  std::int64_t step(std::int64_t perToken, std::int64_t perHead) const {
    return chunk.tokensInside ? perToken : perHead;
  }
  /// Row of a head's score of a block, in scores(block).
  std::int64_t scoreRow(std::int64_t token, std::int64_t block, std::int64_t head) const {
    if (!chunk.tokensInside)
      return (block / 2 * chunk.room + chunk.place + token) * heads() + head;
    std::int64_t number = folds() ? head / kSquare * (kSquare / 2) + head % (kSquare / 2) : head;
    return (block / 2 * (folds() ? heads() / 2 : heads()) + number) * chunk.room + chunk.place + token;
  }
  /// Hint for a group of slices among those of weights, which rest during attention; which ones was found by trying
  /// (docs/decisions/0023). A batch's users leave no room there: their objects go to `inner` ones.
  std::int64_t ownGroup(std::int64_t number, std::int64_t inner) const { return p.users > 1 ? inner : 6 + number; }
  std::string table(const char *name, std::int64_t planes, std::int64_t rows, std::int64_t hint) {
    return p.pool.scratch(name, planes, rows, hint);
  }
  /// Whether the maxima of 16 heads are folded into one vector for all tokens of a chunk together.
  bool folds() const { return chunk.tokensInside && heads() % kSquare == 0; }
  /// Even and odd blocks of positions keep their scores apart, as do heads that are folded.
  std::string scores(std::int64_t block, std::int64_t head);
  /// Of the even or the odd blocks; with one of each these are the scores themselves.
  std::string maxima(std::int64_t parity, std::int64_t head);
  std::string largest() { return table("score.largest", 4, chunk.room * batches, ownGroup(3, 2)); }

  ProgramLowering &p;
  llm::AttentionOp op;
  const isa::Machine &machine;
  std::int64_t layer, kvHeads, group, headDim;
  std::int64_t capacity;  ///< positions that the cache keeps
  std::int64_t positions; ///< of a sequence
  std::optional<std::int64_t> window;
  bool isRing = false; ///< position p is kept in place p modulo capacity
  llm::KVType kind;
  TileLayouts layouts;
  std::vector<Merged> merged;
  Blocks keyBlocks, valueBlocks;
  std::int64_t blocks;    ///< of positions in this program's context
  std::int64_t batches;   ///< groups of heads, one a lane of a superlane, whose maxima are reduced together
  std::int64_t burst;     ///< copies of a burst whose sums leave a plane two VXM operations apart
  std::int64_t ahead = 1; ///< chunks whose scores are under way while an earlier one's values are multiplied
  std::int64_t out = 0;   ///< first activation row of the result's digits
  std::array<std::array<std::int64_t, 2>, 2> nextRow = {}; ///< [weights][side]
  std::int64_t nextQueue = 0;
  Chunk chunk;
  std::int64_t nextPair = 0, nextBatch = 0; ///< of scoreUpTo
};

} // namespace lpu::compiler
