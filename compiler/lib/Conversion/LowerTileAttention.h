// Attention that contracts over positions in MXM (numerics.md N11).
#pragma once

#include "ProgramLowering.h"

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

  /// Once per program, into the phase under way: factors of rope, causal masks, and where this step's positions lie in
  /// the caches.
  void writeStepTables(llm::RopeOp rope);
  /// Appends to the cache in the phase under way, then opens the phase of the attention.
  mlir::LogicalResult lower();

private:
  /// Lanes of a superlane, slices of a tile, rows of a row group.
  static constexpr std::int64_t kSquare = 16;
  static std::int64_t ceilDiv(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

  /// Blocks of positions of one vector of KV heads (or pair of halves) over sides: with several vectors each has its
  /// side, a single one takes the sides in turns.
  struct Blocks {
    std::int64_t vectors;
    std::int64_t parts() const { return vectors == 1 ? 2 : 1; }
    std::int64_t part(std::int64_t block) const { return block % parts(); }
    std::int64_t side(std::int64_t block, std::int64_t vector) const { return vectors == 1 ? block % 2 : vector % 2; }
    std::int64_t index(std::int64_t block) const { return block / parts(); }
    /// MXM plane that multiplies a block.
    std::int64_t plane(std::int64_t block, std::int64_t vector) const {
      return 2 * side(block, vector) + (vectors == 1 ? block / 2 : vector / 2 + block) % 2;
    }
  };
  /// Tokens [first, first + count) of the step: as many as activation rows and accumulators hold at once.
  struct Chunk {
    std::int64_t first, count;
  };
  /// Sums of one vector of results on one side: first accumulator row on both planes of, in this order, weights' high
  /// (odd plane: low) digits times values' high digits, times their low digits, and alone.
  struct Mixed {
    std::int64_t side = 0, high[3] = {}, low[3] = {};
    bool started = false, summed = false;
  };

  std::string keyTiles(std::int64_t pair, std::int64_t half, std::int64_t digit, std::int64_t part);
  std::string valueTiles(std::int64_t vector, std::int64_t digit, std::int64_t part);
  std::string laneIndex() { return p.pool.laneIndex(headDim / 2); }
  std::string partTable(char which, std::int64_t part);

  /// Positions that share a row of the rope tables.
  std::int64_t ropePacking() const;
  void writeRope(llm::RopeOp rope, bool sine);
  void writePlaces(std::int64_t token);
  std::pair<mlir::Value, mlir::Value> ropeHalves(FlowWriter &w, mlir::Value source, std::int64_t token,
                                                 std::int64_t pair);
  void appendKeys(std::int64_t token);
  void storeQueriesAndValues(std::int64_t token);
  void appendValues(std::int64_t token);

  void score();
  void loadQueries(std::int64_t pair, std::int64_t row);
  void multiplyKeys(std::int64_t pair, std::int64_t block, std::int64_t row, std::int64_t acc);
  void joinScores(std::int64_t token, std::int64_t plane, std::int64_t acc, std::int64_t products, std::int64_t head,
                  std::int64_t block);
  void reduceMaxima(std::int64_t token);
  void mix();
  void weigh(std::int64_t block, std::int64_t side, std::int64_t head, std::int64_t row);
  void mixSlot(std::int64_t vector, std::int64_t slot, std::int64_t first, std::int64_t end, std::vector<Mixed> &sums);
  void multiplyValues(std::int64_t vector, std::int64_t slot, std::int64_t block, std::int64_t row, const Mixed &mixed);
  void sumWeights(std::int64_t row, const Mixed &mixed);
  void packResult(std::int64_t token);
  void divide(std::int64_t vector, const std::vector<Mixed> &sums);

  FlowWriter flow(std::int64_t repeat = 1) { return p.flow(repeat); }
  void loadTile(const std::string &object, std::int64_t row, std::int64_t rows, std::int64_t group, std::int64_t plane,
                bool transposed, bool twin);
  /// `count` activation rows of the half that holds no digits of a linear, taken in turns.
  std::int64_t activationRows(std::int64_t count);
  std::int64_t heads() const { return kvHeads * group; }
  /// Row of a head's score of a block.
  std::int64_t scoreRow(std::int64_t token, std::int64_t block, std::int64_t head) const {
    return (token * blocks + block) * heads() + head;
  }
  std::string table(const char *name, std::int64_t planes, std::int64_t rows, std::int64_t hint) {
    return p.pool.scratch(name, planes, rows, hint);
  }
  std::string scores();
  std::string maxima();

  ProgramLowering &p;
  llm::AttentionOp op;
  const isa::Machine &machine;
  std::int64_t layer, kvHeads, group, headDim, capacity;
  TileLayouts layouts;
  Blocks keyBlocks, valueBlocks;
  std::int64_t blocks;  ///< of positions in this program's context
  std::int64_t batches; ///< groups of heads, one a lane of a superlane, whose maxima are reduced together
  std::int64_t burst;   ///< copies of a burst whose emits may follow one another a VXM operation apart
  std::int64_t out = 0; ///< first activation row of the result's digits
  std::int64_t nextRow = 0, nextQueue = 0;
  Chunk chunk = {0, 1};
};

} // namespace lpu::compiler
