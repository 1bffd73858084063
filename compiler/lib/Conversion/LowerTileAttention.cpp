// Attention in tiles (numerics.md N11): cached keys and values are weights, a
// block of as many positions as there are lanes at a time. docs/decisions/0008
// tells why; the objects are
//
//   keys    tile row = position, lanes = a half of every head: position p is row p / 16 of slice p mod 16
//   values  16 elements of a position stand in a superlane word: element 16·i + l of position p is lane l of superlane
//           p / 16 of row i, slice p mod 16; SXM transposes rows into tile rows = elements, lanes = positions
//
// Steps: scores of all heads (lanes = positions) and their maxima per lane; maxima over lanes by SXM rotations, for 16
// heads at once, one a lane; exponentials as int16 weights; weights times values and their sums; the quotient.

#include "LowerTileAttention.h"

#include <fmt/format.h>

using namespace mlir;

namespace lpu::compiler {

namespace {

/// Sums of more than twice as many positions may leave int32 (N11).
constexpr std::int64_t kMostPositions = 32767;

} // namespace

TileLayouts::TileLayouts(std::int64_t lanes, llm::KVCacheOp cache, std::int64_t heads) {
  auto all = static_cast<std::int64_t>(cache.getHeads()), kvHeads = static_cast<std::int64_t>(cache.getKvHeads()),
       headDim = static_cast<std::int64_t>(cache.getHeadDim()), group = all / kvHeads;
  if (heads != all) // a piece of a model that is not partitioned yet
    kvHeads = llm::heldKVHeads(heads, group);
  std::int64_t queries = heads / kvHeads,
               sourceGroup = cache.getQueryGroup() ? static_cast<std::int64_t>(*cache.getQueryGroup()) : group;
  query = Layout::queryTiles(lanes, kvHeads, queries, headDim, true);
  key = Layout::keyTiles(lanes, kvHeads, queries, sourceGroup, headDim, true);
  value = Layout::keyTiles(lanes, kvHeads, queries, sourceGroup, headDim, false);
  result = Layout::queryTiles(lanes, kvHeads, queries, headDim, false);
  if (auto cut = cache.getHeadsCut())
    for (Layout *layout : {&query, &key, &value, &result})
      *layout = layout->pieceOf(cut->getWhole() * headDim, cut->getPieces());
  result = result.pack();
}

TileAttention::TileAttention(ProgramLowering &lowering, llm::AttentionOp attention)
    : p(lowering), op(attention), machine(lowering.machine),
      layouts(machine.lanes(),
              cast<llm::KVCacheOp>(SymbolTable::lookupSymbolIn(lowering.module, attention.getCache()))) {
  auto cache = cast<llm::KVCacheOp>(SymbolTable::lookupSymbolIn(lowering.module, attention.getCache()));
  layer = cache.getLayer(), kvHeads = cache.getKvHeads(), group = cache.getHeads() / kvHeads,
  headDim = cache.getHeadDim();
  capacity = cache.getCapacity();
  keyBlocks = {layouts.key.vectors() / 2}, valueBlocks = {layouts.value.vectors()};
  blocks = ceilDiv(p.context, machine.lanes());
  batches = ceilDiv(heads(), kSquare);
  burst = machine.latency.VxmSimple;
}

//===-- objects ---------------------------------------------------------------------===//

std::string TileAttention::keyTiles(std::int64_t pair, std::int64_t half, std::int64_t digit, std::int64_t part) {
  std::int64_t count = ceilDiv(ceilDiv(capacity, machine.lanes()), keyBlocks.parts());
  return p.pool.cacheTiles(fmt::format("kv.{}.k.{}.{}.{}.{}", layer, pair, half, digit, part),
                           count * machine.superlanes, 2 * keyBlocks.side(part, pair) + half);
}

std::string TileAttention::valueTiles(std::int64_t vector, std::int64_t digit, std::int64_t part) {
  std::int64_t count = ceilDiv(ceilDiv(capacity, machine.lanes()), valueBlocks.parts());
  return p.pool.cacheTiles(fmt::format("kv.{}.v.{}.{}.{}", layer, vector, digit, part),
                           count * layouts.value.perVector() / kSquare, 2 * valueBlocks.side(part, vector) + digit);
}

std::string TileAttention::partTable(char which, std::int64_t part) {
  return p.pool.scratch(fmt::format("step.{}.{}", which, part), 4, p.tokens, which == 'k' ? 1 + 2 * part : 2 * part);
}

std::string TileAttention::scores() { return table("scores", 4, chunk.count * blocks * heads(), 4); }
std::string TileAttention::maxima() { return table("score.max", 4, chunk.count * heads(), 3); }

std::int64_t TileAttention::activationRows(std::int64_t count) {
  std::int64_t rows = machine.mxmActivationRows / 2;
  if (nextRow + count > rows)
    nextRow = 0;
  nextRow += count;
  return p.otherHalf() + nextRow - count;
}

void TileAttention::loadTile(const std::string &object, std::int64_t row, std::int64_t rows, std::int64_t first,
                             std::int64_t plane, bool transposed, bool twin) {
  OpBuilder &b = p.builder;
  auto flag = [&](bool set) { return set ? b.getUnitAttr() : UnitAttr(); };
  stream::LoadTileOp::create(b, p.loc, FlatSymbolRefAttr::get(b.getContext(), object), b.getI64IntegerAttr(plane),
                             b.getI64IntegerAttr(row), b.getI64IntegerAttr(rows), b.getI64IntegerAttr(first),
                             flag(transposed), flag(twin));
  stream::InstallOp::create(b, p.loc, b.getI64IntegerAttr(plane));
  if (twin)
    stream::InstallOp::create(b, p.loc, b.getI64IntegerAttr(plane ^ 1));
}

//===-- the operation ---------------------------------------------------------------------------------===//

LogicalResult TileAttention::lower() {
  if (capacity > kMostPositions)
    return op->emitOpError("a cache of ")
           << capacity << " positions: tiles hold up to " << kMostPositions << "; choose a smaller --max-context";
  if (machine.lanesPerSuperlane != kSquare || machine.sxmPermuteQueues < 4 || machine.sxmDistributeQueues < 4 ||
      machine.sxmSelectQueues < 4 || machine.sxmTransposeQueues < 1)
    return op->emitOpError("in tiles needs a transpose queue and four permute, distribute and select queues a side, "
                           "which machine '")
           << machine.name << "' has not";
  for (std::int64_t t = 0; t < p.tokens; ++t)
    appendKeys(t), storeQueriesAndValues(t);

  p.beginPhase(fmt::format("layer {}: attention", layer));
  for (std::int64_t t = 0; t < p.tokens; ++t)
    appendValues(t);
  out = p.nextHalf();
  p.noteDigits(op.getResult(), layouts.result, out, "a");
  std::int64_t rows = machine.mxmActivationRows / 2, products = 3 * layouts.key.slots * group;
  std::int64_t most = std::min(
      {rows / (4 * group), machine.mxmAccumulatorRows / products, machine.memRowsPerBank / 2 / (blocks * heads())});
  if (most < 1)
    return op->emitOpError() << heads() << " heads over " << p.context << " positions do not fit what machine '"
                             << machine.name << "' holds at once";
  for (chunk.first = 0; chunk.first < p.tokens; chunk.first += chunk.count) {
    chunk.count = std::min(most, p.tokens - chunk.first);
    score();
    for (std::int64_t t = 0; t < chunk.count; ++t)
      reduceMaxima(t);
    mix();
  }
  for (std::int64_t t = 0; layouts.result.packed && t < p.tokens; ++t)
    packResult(t);
  return success();
}

} // namespace lpu::compiler
