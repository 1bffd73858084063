// Norms of queries and keys, head by head (numerics.md N25): those of LowerNorm.cpp with tiles that have ones in
// blocks, a block per head. So a sum over a head comes out in all lanes of that head, and no lane moves. Where a head's
// halves stand in two vectors (attention in tiles), both pass into one sum. A norm over all heads sums all vectors with
// tiles of ones; of keys that stand there for each of their query heads, one counts.

#include "ProgramLowering.h"

#include "lpu/compiler/Support/ModelConstants.h"

#include <fmt/format.h>

#include <array>

using namespace mlir;

namespace lpu::compiler {

namespace {

/// Slices of queries and keys, apart from those of the inverse norms and of rope's factors. What a burst reads and what
/// it writes lie apart, as do elements and those of the swapped pairs.
std::int64_t projectionHint(std::int64_t which, bool swapped) { return (which == 0) == swapped ? 4 : 2; }

/// Superlanes of a vector whose heads are the first of those that share one in the source.
std::int64_t countedSuperlanes(const Layout &rows, std::int64_t vector, std::int64_t lanesPerSuperlane) {
  std::int64_t each = rows.slotWidth() / lanesPerSuperlane, mask = 0;
  for (std::int64_t slot = 0; slot < rows.slotsUsed(vector); ++slot)
    if ((vector * rows.slotsPerVector() + slot) % rows.group == 0)
      mask |= ((std::int64_t{1} << each) - 1) << slot * each;
  return mask;
}

/// Heads stand there once for each of their query heads.
bool isRepeated(const Layout &rows) { return rows.group > 1 && rows.slots == 0; }

} // namespace

/// y of the linears that feed an attention, from accumulators to memory, which has the accumulators free for the norms.
void ProgramLowering::storeProjections(llm::AttentionOp attention) {
  for (auto [which, value] : llvm::enumerate(attention->getOperands().take_front(3)))
    for (bool swapped : {false, true}) {
      auto entry = sums.find({llm::projectionOf(value), swapped});
      if (entry == sums.end() || entry->second.stored)
        continue;
      Sums &made = entry->second;
      std::string object = pool.scratch(fmt::format("y.{}{}", which, swapped ? ".swapped" : ""), 4,
                                        tokens * made.rows.vectors(), projectionHint(which, swapped));
      for (std::int64_t t = 0; t < tokens; ++t)
        for (std::int64_t v = 0; v < made.rows.vectors(); ++v) {
          FlowWriter w = flow();
          w.write(linearValue(w, made, t, v), object, chunkRow(t, v));
        }
      made.object = object, made.stored = true;
    }
}

LogicalResult ProgramLowering::lowerHeadNorm(llm::HeadNormOp op) {
  flushLinears();
  auto rope = cast<llm::RopeOp>(*op->getUsers().begin());
  auto attention = cast<llm::AttentionOp>(*rope->getUsers().begin());
  storeProjections(attention);
  std::int64_t which = attention.getQuery() == rope.getResult() ? 0 : 1;
  Operation *linear = op.getInput().getDefiningOp();
  const Layout &rows = sums[{linear, false}].rows;
  if (llm::isWide(op) && isRepeated(rows) && rows.headDim % machine.lanesPerSuperlane)
    return op.emitOpError("over all keys, each of which several queries share, needs heads of a multiple of ")
           << machine.lanesPerSuperlane << " elements, found " << rows.headDim;
  std::string inverse = inverseHeadNorms(op, sums[{linear, false}]);
  for (bool swapped : {false, true})
    if (auto entry = sums.find({linear, swapped}); entry != sums.end()) {
      Sums normed;
      normed.rows = entry->second.rows, normed.stored = true;
      normed.object = pool.scratch(fmt::format("y.{}{}.normed", which, swapped ? ".swapped" : ""), 4,
                                   tokens * normed.rows.vectors(), projectionHint(1 - which, swapped));
      std::string gain = pool.normGain(tensorOf(op.getWeight()), normed.rows, scaleOf(rope.getResult()));
      scaleHeads(entry->second, normed, llm::isWide(op), inverse, gain);
      sums[{op, swapped}] = normed;
    }
  return success();
}

/// rsqrt(m + eps) of every head, in its lanes: row chunkRow(token, unit) of the object that it returns; a unit is a
/// vector, or two of halves.
std::string ProgramLowering::inverseHeadNorms(llm::HeadNormOp op, const Sums &heads) {
  bool isWide = llm::isWide(op);
  std::int64_t parts = isWide ? heads.rows.vectors() : heads.rows.halves ? 2 : 1, units = heads.rows.vectors() / parts;
  std::int64_t together = machine.latency.VxmSimple, slots = machine.mxmActivationRows / (4 * together), slot = 0;
  RmsNormConstants constants =
      rmsNormConstants(static_cast<std::uint32_t>(llm::lookupWeight(op, op.getWeightAttr()).getCols()));
  std::string inverse = pool.scratch("head.inverse", 4, tokens * units, 3);
  for (std::int64_t plane = 0; plane < 4; ++plane)
    emitTile(isWide ? pool.onesTile(plane) : pool.slotOnesTile(heads.rows.slotWidth(), plane), plane);
  for (std::int64_t t0 = 0; t0 < tokens; t0 += together)
    for (std::int64_t unit = 0; unit < units; ++unit) {
      std::int64_t count = std::min(together, tokens - t0);
      std::array<std::int64_t, 4> sum;
      for (std::int64_t plane = 0; plane < 4; ++plane)
        sum[plane] = nextAccumulator(plane, 2 * count);
      for (std::int64_t part = 0; part < parts; ++part) {
        std::int64_t row = otherHalf() + slot++ % slots * 2 * together;
        FlowWriter w = flow(count);
        loadSquares(w, w.read(heads.object, chunkRow(t0, parts * unit + part), 1), row, count);
        std::optional<std::int64_t> mask;
        if (isWide && isRepeated(heads.rows))
          mask = countedSuperlanes(heads.rows, part, machine.lanesPerSuperlane);
        sumSquares(row, sum, count, part > 0, mask);
      }
      FlowWriter w = flow(count);
      w.write(inverseNorm(
                  w, constants, op.getEps().convertToFloat(),
                  [&](std::int64_t plane, std::int64_t digit) { return w.emit(plane, sum[plane] + digit * count); }),
              inverse, chunkRow(t0, unit), 1);
    }
  return inverse;
}

void ProgramLowering::scaleHeads(const Sums &heads, const Sums &normed, bool isWide, const std::string &inverse,
                                 const std::string &gain) {
  std::int64_t parts = isWide ? heads.rows.vectors() : heads.rows.halves ? 2 : 1, together = machine.latency.VxmSimple;
  for (std::int64_t t0 = 0; t0 < tokens; t0 += together)
    for (std::int64_t v = 0; v < heads.rows.vectors(); ++v) {
      FlowWriter w = flow(std::min(together, tokens - t0));
      Value y = w.alu("mulf", {w.read(heads.object, chunkRow(t0, v), 1), w.read(inverse, chunkRow(t0, v / parts), 1)});
      w.write(w.aluHolding("mulf", w.read(gain, v, 0, true), y, together), normed.object, chunkRow(t0, v), 1);
    }
}

} // namespace lpu::compiler
