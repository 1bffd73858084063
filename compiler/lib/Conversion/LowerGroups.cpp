// Linears whose weights have a scale per 32 columns (numerics.md N12). The sums of
// a group are made apart by playing the activation row masked to the group's
// superlanes; they wait in accumulator rows of their own and leave one a cycle,
// each meeting its scales on the way to a sum in VXM. High and low digits are
// summed apart and joined by the consumer.

#include "ProgramLowering.h"

#include <fmt/format.h>

using namespace mlir;

namespace lpu::compiler {

namespace {

constexpr std::int64_t kGroup = kWeightGroup;

std::int64_t groupsIn(const Layout &cols, std::int64_t vector) {
  return (cols.lanesUsed(vector) + kGroup - 1) / kGroup;
}

} // namespace

LogicalResult ProgramLowering::checkGroups(llm::LinearOp op) {
  const Layout &cols = digits[op.getInput()].layout;
  std::int64_t lanes = machine.lanes() / machine.superlanes;
  // Every 32 lanes from a vector's first on must be one group, or its beginning at the end of the row.
  bool whole = kGroup % lanes == 0 && (cols.shards == 1 || cols.elements % kGroup == 0);
  for (std::int64_t k = 0; k < cols.vectors(); ++k)
    for (std::int64_t lane = 0; lane < cols.lanesUsed(k); ++lane)
      if (std::int64_t column = cols.source(k, lane); column >= 0)
        whole &= column % kGroup == lane % kGroup && column - lane % kGroup == cols.source(k, lane - lane % kGroup);
  if (whole)
    return success();
  auto diagnostic = op.emitOpError("groups of ")
                    << kGroup << " columns do not lie in whole superlanes of " << lanes << " lanes";
  if (cols.shards > 1)
    return diagnostic << " where " << cols.shards << " chips hold " << cols.elements
                      << " columns each; give a smaller --tp, or this weight type int8";
  return diagnostic << "; give this weight type int8";
}

void ProgramLowering::drainGroups(const std::string &object, std::int64_t item, std::int64_t plane,
                                  std::int64_t accumulator, const std::string &scales, std::int64_t groups,
                                  bool first) {
  FlowWriter w = flow(groups);
  Value scale = w.alu("cvt.f16.f32", {w.read(scales, 0, 1)});
  Value product = w.alu("cvt.f32.d32", {w.alu("mulf", {w.alu("cvt.i32.f32", {w.emit(plane, accumulator)}), scale})});
  Value total =
      first ? w.accumulate("addi", product, 0u) : w.accumulate("addi", product, w.read(object, item, 0, true));
  w.write(w.last("move", total), object, item);
}

void ProgramLowering::passGroups(const Sums &out, const Digits &input, std::int64_t n, std::int64_t k,
                                 std::int64_t plane, const std::string &scales) {
  std::int64_t groups = groupsIn(input.layout, k), lanes = machine.lanes() / machine.superlanes;
  for (std::int64_t t = 0; t < tokens; ++t) {
    std::int64_t row = input.lowRow(t, k), accumulator = nextAccumulator(plane, 2 * groups);
    for (std::int64_t g = 0; g < groups; ++g) {
      std::int64_t mask = ((std::int64_t{1} << kGroup / lanes) - 1) << g * (kGroup / lanes);
      if (!out.single)
        flow().pass(plane, row + input.high, accumulator + g, false, mask);
      flow().pass(plane, row, accumulator + groups + g, false, mask);
    }
    std::int64_t item = t * out.rows.vectors() + n;
    if (!out.single)
      drainGroups(out.object + ".high", item, plane, accumulator, scales, groups, k == 0);
    drainGroups(out.object + ".low", item, plane, accumulator + groups, scales, groups, k == 0);
  }
}

ProgramLowering::Digits &ProgramLowering::beginUncollected(llm::LinearOp op) {
  Digits &input = digits[op.getInput()];
  if (groupedInput == op.getInput())
    return input;
  std::string tensor = tensorOf(op.getWeight());
  beginPhase(layerLabel(tensor, linearPhaseName(op)));
  groupedInput = op.getInput(), groupedCount = 0;
  if (!input.object.empty())
    fetchAll(input);
  return input;
}

void ProgramLowering::lowerGroupedLinear(llm::LinearOp op, const Layout &rows) {
  auto weight = cast<llm::WeightOp>(SymbolTable::lookupSymbolIn(module, op.getWeight()));
  Digits &input = beginUncollected(op);
  Sums &out = sums[{op, rows.swap}];
  out.rows = rows;
  out.object = fmt::format("groups.{}", groupedCount);
  // Consumers take the results of two linears at once, as those of a rope and its swapped twin: what they read for the
  // one stands elsewhere than what they read for the other in the same cycle. Sums are east, for scales, read while
  // sums are written, are west.
  std::int64_t turn = groupedCount++ % 2;
  for (const char *digit : {".high", ".low"})
    pool.scratch(out.object + digit, 4, tokens * rows.vectors(), 2 + 2 * turn);
  out.factor = pool.groupFactor(weight, rows, input.scale, factorOf(op), 3 + 2 * turn);
  if (auto bias = op.getBias())
    out.biases = pool.channelBiases(tensorOf(*bias), rows, factorOf(op), turn);
  out.single = llm::activationBits(op.getInput()) == 8;
  if (!rows.swap)
    weightBytes += weight.getRows() * weight.getCols() / (pool.isPacked(weight) ? 2 : 1);
  for (std::int64_t n = 0; n < rows.vectors(); ++n)
    for (std::int64_t k = 0; k < input.layout.vectors(); ++k) {
      std::int64_t plane = groupedPlane++ % (2 * machine.mxmPlanesPerSide);
      emitTile(pool.groupTile(weight, rows, n, input.layout, k, plane), plane, false, pool.isPacked(weight));
      passGroups(out, input, n, k, plane,
                 pool.groupScales(weight, rows, n, input.layout, k, groupsIn(input.layout, k)));
    }
}

Value ProgramLowering::groupedValue(FlowWriter &w, const Sums &sums, std::int64_t token, std::int64_t vector) {
  std::int64_t item = token * sums.rows.vectors() + vector;
  Value sum = w.alu("cvt.i32.f32", {w.read(sums.object + ".low", item)});
  if (!sums.single)
    sum = w.alu(
        "addf",
        {w.alu("mulf", {w.alu("cvt.i32.f32", {w.read(sums.object + ".high", item)}), Operand::f32(256.0f)}), sum});
  return withBias(w, sums, vector, w.alu("mulf", {sum, w.read(sums.factor, 0)}));
}

} // namespace lpu::compiler
