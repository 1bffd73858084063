// Limits of the context in closed form, so that an error can name them before minutes of lowering. The lowerings assert
// the same limits where they meet them.

#include "lpu/compiler/Conversion/ContextLimit.h"

#include "lpu/compiler/Dialect/LLM/LLM.h"
#include "lpu/isa/Machine.h"

#include <fmt/format.h>

#include <algorithm>

namespace lpu::compiler {

namespace {

/// Division by this odd factor of a row's positions is exact up to the largest context (TileAttentionTables.cpp).
constexpr std::int64_t kOddDivisor = 11;

void lower(ContextLimit &limit, std::int64_t positions, const std::string &reason) {
  if (positions < limit.positions)
    limit = {positions, reason};
}

ContextLimit encoderLimit(const isa::Machine &machine) {
  return {std::min<std::int64_t>(machine.lanes(), machine.mxmAccumulatorRows / 2),
          fmt::format("tiles and accumulators of '{}' hold no longer sequence", machine.name)};
}

} // namespace

std::int64_t ropePositionsPerRow(const isa::Machine &machine, std::int64_t headDim) {
  // A rotation takes slots to slots only if they fill the vector.
  std::int64_t slots = machine.lanes() / (headDim / 2), odd = slots;
  while (odd > 0 && odd % 2 == 0)
    odd /= 2;
  return slots * headDim / 2 == machine.lanes() && odd <= kOddDivisor ? slots : 1;
}

ContextLimit contextLimit(const isa::Machine &machine, mlir::ModuleOp module) {
  if (llm::isEncoder(module))
    return encoderLimit(machine);
  ContextLimit limit{std::int64_t{1} << 40, ""};
  module.walk([&](llm::AttentionOp op) {
    llm::KVCacheOp cache = llm::lookupCache(op, op.getCacheAttr());
    std::int64_t rows = machine.memRowsPerBank, each = 1;
    if (op.getTiles()) {
      lower(limit, kMostTilePositions, "sums over more positions could leave int32");
      each = ropePositionsPerRow(machine, static_cast<std::int64_t>(cache.getHeadDim()));
    } else {
      lower(limit, rows, fmt::format("keys and values that are swept lie in one memory bank of {} rows", rows));
    }
    lower(limit, rows * each,
          fmt::format("tables of rope lie in one memory bank of {} rows, {} position{} of heads of {} a row", rows,
                      each, each == 1 ? "" : "s", cache.getHeadDim()));
  });
  return limit;
}

} // namespace lpu::compiler
