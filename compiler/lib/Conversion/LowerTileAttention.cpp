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

#include "lpu/compiler/Conversion/ContextLimit.h"

#include <fmt/format.h>

using namespace mlir;

namespace lpu::compiler {

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
    : p(lowering), op(attention), machine(lowering.machine), kind(llm::kvType(attention)),
      layouts(machine.lanes(),
              cast<llm::KVCacheOp>(SymbolTable::lookupSymbolIn(lowering.module, attention.getCache()))) {
  auto cache = cast<llm::KVCacheOp>(SymbolTable::lookupSymbolIn(lowering.module, attention.getCache()));
  layer = cache.getLayer(), kvHeads = cache.getKvHeads(), group = cache.getHeads() / kvHeads,
  headDim = cache.getHeadDim();
  positions = cache.getCapacity(), capacity = cache.getRing().value_or(positions), isRing = cache.getRing().has_value();
  window = cache.getWindow();
  for (std::int64_t pair = 0; pair < pairs(); ++pair)
    for (std::int64_t first = 0; first < layouts.key.slotsUsed(2 * pair); first += slotsTogether())
      merged.push_back({pair, first, std::min(slotsTogether(), layouts.key.slotsUsed(2 * pair) - first)});
  keyBlocks = {static_cast<std::int64_t>(merged.size())}, valueBlocks = {layouts.value.vectors()};
  blocks = ceilDiv(std::min(p.context, capacity), machine.lanes());
  batches = ceilDiv(heads(), kSquare);
  burst = 2 * machine.latency.VxmSimple;
}

//===-- objects ---------------------------------------------------------------------===//

std::string TileAttention::keyTiles(std::int64_t vector, std::int64_t digit, std::int64_t part) {
  std::int64_t rows = 0; // of 16 positions
  for (std::int64_t first = 0, block = 0; first < capacity; first += machine.lanes(), ++block)
    if (keyBlocks.part(block) == part)
      rows += std::min<std::int64_t>(machine.superlanes, ceilDiv(capacity - first, kSquare));
  rows = std::max<std::int64_t>(rows, 1); // of a part that no block falls to
  return p.pool.cacheTiles(p.cacheName(fmt::format("kv.{}.k.{}.{}.{}", layer, vector, digit, part), chunk.first), rows,
                           2 * keyBlocks.side(part, vector) + 1 - digit);
}

std::string TileAttention::valueTiles(std::int64_t vector, std::int64_t digit, std::int64_t part) {
  std::int64_t count = ceilDiv(ceilDiv(capacity, machine.lanes()), valueBlocks.parts());
  return p.pool.cacheTiles(p.cacheName(fmt::format("kv.{}.v.{}.{}.{}", layer, vector, digit, part), chunk.first),
                           count * layouts.value.perVector() / kSquare, 2 * valueBlocks.side(part, vector) + digit);
}

std::string TileAttention::partTable(char which, std::int64_t part) {
  return p.pool.scratch(fmt::format("step.{}.{}{}", which, part, isRing ? ".ring" : ""), 4, p.tokens,
                        which == 'k' ? 1 + 2 * part : 2 * part);
}

std::string TileAttention::scores(std::int64_t block, std::int64_t head) {
  std::int64_t parity = block % 2, half = folds() ? head % kSquare / (kSquare / 2) : 0;
  std::int64_t rows = (blocks + 1 - parity) / 2 * chunk.room * heads() / (folds() ? 2 : 1);
  static constexpr std::int64_t hints[2][2] = {{4, 5}, {3, 2}};
  return p.pool.scratch(fmt::format("scores.{}.{}", parity, half), 4, rows, hints[parity][half]);
}

std::string TileAttention::maxima(std::int64_t parity, std::int64_t head) {
  if (blocks <= 2)
    return scores(parity, head);
  std::int64_t half = folds() ? head % kSquare / (kSquare / 2) : 0;
  static constexpr std::int64_t hints[2][2] = {{5, 4}, {2, 3}};
  return p.pool.scratch(fmt::format("score.max.{}.{}", parity, half), 4, chunk.room * heads() / (folds() ? 2 : 1),
                        hints[parity][half]);
}

std::string TileAttention::unpacked(std::int64_t first) {
  std::int64_t kept = layouts.result.vectors(), all = layouts.value.vectors() * group;
  return table(first ? "a.apart" : "a", 2, p.tokens * (first ? all - kept : kept), first ? 2 : 0);
}

std::int64_t TileAttention::activationRows(std::int64_t side, std::int64_t count, bool weights) {
  bool apart = p.written.count(op.getResult()); // no digits of the result in activation rows
  std::int64_t rows = machine.mxmActivationRows / 2, &next = nextRow[apart && weights][side];
  if (next + count > rows)
    next = 0;
  next += count;
  return (apart ? weights * rows : p.otherHalf()) + next - count;
}

std::vector<TileAttention::Items> TileAttention::bursts(std::int64_t most, std::int64_t lane) const {
  std::vector<Items> result;
  std::int64_t outer = step(group, chunk.count), inner = step(chunk.count, group), count = 0;
  for (std::int64_t i = 0; i < outer; ++i)
    for (std::int64_t first = 0; first < inner; first += count) {
      std::int64_t end = chunk.tokensInside ? inner : (lane + first) / kSquare * kSquare + kSquare - lane;
      count = std::min({most, inner - first, end - first});
      result.push_back({step(first, i), step(i, first), count});
    }
  return result;
}

void TileAttention::forTokens(std::int64_t from, std::int64_t tokens,
                              llvm::function_ref<void(std::int64_t, std::int64_t)> f) const {
  for (std::int64_t first = from, end = from + tokens; first < end; first += kLongBurst)
    f(first, std::min(kLongBurst, end - first));
}

void TileAttention::loadRows(const std::string &object, std::int64_t row, std::int64_t rows, std::int64_t first,
                             std::int64_t plane, bool transposed, bool twin) {
  OpBuilder &b = p.builder;
  auto flag = [&](bool set) { return set ? b.getUnitAttr() : UnitAttr(); };
  stream::LoadTileOp::create(b, p.loc, FlatSymbolRefAttr::get(b.getContext(), object), b.getI64IntegerAttr(plane),
                             b.getI64IntegerAttr(row), b.getI64IntegerAttr(rows), b.getI64IntegerAttr(first),
                             flag(transposed), flag(twin), flag(false));
}

void TileAttention::install(std::int64_t plane, bool twin) {
  for (std::int64_t other = 0; other <= twin; ++other)
    stream::InstallOp::create(p.builder, p.loc, p.builder.getI64IntegerAttr(plane ^ other));
}

//===-- the operation ---------------------------------------------------------------------------------===//

FailureOr<std::vector<TileAttention::Chunk>> TileAttention::chooseChunks() {
  std::int64_t rows = machine.mxmActivationRows / 2, scoreRows = ceilDiv(blocks, 2) * heads();
  std::int64_t memory = std::max<std::int64_t>(machine.memRowsPerBank / 8, scoreRows) / scoreRows;
  std::int64_t most = std::min({rows / (2 * group), machine.mxmAccumulatorRows / (3 * group), memory});
  if (most < 1 || scoreRows > machine.memRowsPerBank)
    return op->emitOpError() << heads() << " heads over " << p.context << " positions do not fit what machine '"
                             << machine.name << "' holds at once";
  if (p.users > 1) // a cache for each
    most = std::min(most, p.tokens / p.users);
  // Bursts of up to one operation's latency take as long as full ones, so chunks are made of so many tokens each.
  std::int64_t unit = std::min(most, burst / 2), left = ceilDiv(p.tokens, unit), count = ceilDiv(left, most / unit);
  std::vector<Chunk> chunks;
  for (std::int64_t first = 0; first < p.tokens; first += chunks.back().count, --count) {
    std::int64_t units = ceilDiv(left, count), tokens = std::min(units * unit, p.tokens - first);
    std::int64_t room = chunks.empty() ? tokens : chunks.front().room;
    chunks.push_back({first, tokens, room, room >= group});
    left -= units;
  }
  bool inside = chunks.front().tokensInside;
  ahead = std::min(p.users > 1          ? inside ? 1 : kUsersAhead
                   : inside && narrow() ? kPartsAhead
                                        : 1,
                   static_cast<std::int64_t>(chunks.size()));
  for (auto [i, chunk] : llvm::enumerate(chunks))
    chunk.place = static_cast<std::int64_t>(i) % ahead * chunk.room;
  for (Chunk &chunk : chunks)
    chunk.room *= ahead;
  return chunks;
}

LogicalResult TileAttention::lower() {
  if (positions > kMostTilePositions)
    return op->emitOpError("a cache of ")
           << positions << " positions: tiles hold up to " << kMostTilePositions << "; choose a smaller --max-context";
  if (machine.lanesPerSuperlane != kSquare || machine.sxmPermuteQueues < 4 || machine.sxmDistributeQueues < 4 ||
      machine.sxmSelectQueues < 4 || machine.sxmTransposeQueues < 1)
    return op->emitOpError("in tiles needs a transpose queue and four permute, distribute and select queues a side, "
                           "which machine '")
           << machine.name << "' has not";
  // Sums in memory pass in bursts, those in accumulators one by one.
  std::int64_t together = p.chunked ? burst : 1;
  for (std::int64_t t = 0; t < p.tokens; t += together) {
    std::int64_t count = std::min(together, p.tokens - t);
    storeHalves(t, count, op.getKey(), "k", layouts.key);
    storeHalves(t, count, op.getQuery(), "q", layouts.query);
    storeValues(t, count);
  }
  // One token's keys are there early, and nobody waits for them; those of many have their place where streams are free.
  if (p.tokens == 1)
    for (std::int64_t pair = 0; pair < pairs(); ++pair)
      appendKeys(pair);

  p.beginPhase(fmt::format("layer {}: attention", layer), true);
  out = p.nextHalf();
  p.noteDigits(op.getResult(), layouts.result, out, "a");
  FailureOr<std::vector<Chunk>> chunks = chooseChunks();
  if (failed(chunks))
    return failure();
  // Tiles pass a plane in this order. While it multiplies values, VXM is idle, and while it multiplies keys, VXM is
  // not: so scores of the next chunk come between the values of this one, as soon as those of the same heads are not
  // wanted any more.
  // The next chunk's keys and values are appended just before, in the shadow of this one.
  for (const Chunk &first : llvm::ArrayRef(*chunks).take_front(ahead)) {
    chunk = first;
    for (std::int64_t v = 0; v < valueBlocks.vectors; ++v)
      appendValues(v);
    scoreUpTo(heads());
  }
  for (std::size_t k = 0; k < chunks->size(); ++k) {
    for (std::int64_t v = 0; v < valueBlocks.vectors; ++v) {
      chunk = (*chunks)[k];
      mix(v);
      if (k + ahead >= chunks->size())
        continue;
      chunk = (*chunks)[k + ahead];
      appendValues(v);
      scoreUpTo((v * layouts.value.slotsPerVector() + layouts.value.slotsUsed(v)) * group);
    }
    // A plane takes both digits of a vector, an operation apart; memory takes them in bursts.
    const Chunk &done = (*chunks)[k];
    std::int64_t together = p.written.count(op.getResult()) ? burst : 1;
    for (std::int64_t t = 0; layouts.result.packed && t < done.count; t += together)
      packResult(done.first + t, std::min(together, done.count - t));
  }
  return success();
}

} // namespace lpu::compiler
