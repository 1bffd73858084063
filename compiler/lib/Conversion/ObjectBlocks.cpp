// Blocks of objects: a tile has four groups of four slices, any other object the slices of its place.

#include "ObjectBlocks.h"

#include <algorithm>
#include <tuple>

using namespace mlir;

namespace lpu::compiler {

std::vector<sched::Block> blocksOf(const isa::Machine &machine, const ObjectMap &objects) {
  std::vector<sched::Block> blocks;
  for (std::size_t number = 0; number < objects.all().size(); ++number) {
    stream::ObjectOp object = objects.all()[number];
    stream::Place place = stream::placeOf(object);
    auto add = [&](std::int64_t slice, std::int64_t bank, std::int64_t row) {
      isa::QueueId queue{isa::UnitKind::Mem, isa::Side(place.side), static_cast<std::uint16_t>(slice)};
      blocks.push_back({static_cast<int>(number), isa::queueNumber(machine, queue), static_cast<int>(bank), row,
                        static_cast<std::int64_t>(object.getRows())});
    };
    if (object.getPlane())
      for (const stream::Piece &piece : stream::piecesOf(object))
        for (std::int64_t i = 0; i < stream::kPieceSlices; ++i)
          add(piece.slice + i, piece.bank, piece.row);
    else
      for (std::int64_t i = 0; i < static_cast<std::int64_t>(object.getPlanes()); ++i)
        add(place.slice + i, place.bank, place.row);
  }
  return blocks;
}

namespace {

LogicalResult checkBlock(const isa::Machine &machine, stream::ObjectOp object, const stream::Piece &block,
                         std::int64_t slices) {
  auto lastSlice = block.slice + slices - 1, lastRow = block.row + static_cast<std::int64_t>(object.getRows()) - 1;
  if (stream::placeOf(object).side < 2 && lastSlice < machine.memSlicesPerSide && block.bank < machine.memBanks &&
      lastRow < machine.memRowsPerBank)
    return success();
  return object.emitOpError("lies outside of machine '")
         << machine.name << "': slices " << block.slice << " to " << lastSlice << " of " << machine.memSlicesPerSide
         << ", bank " << block.bank << " of " << machine.memBanks << ", rows " << block.row << " to " << lastRow
         << " of " << machine.memRowsPerBank;
}

LogicalResult checkPlace(const isa::Machine &machine, stream::ObjectOp object) {
  stream::Place place = stream::placeOf(object);
  if (!object.getPlane())
    return checkBlock(machine, object, {place.slice, place.bank, place.row},
                      static_cast<std::int64_t>(object.getPlanes()));
  stream::Pieces pieces = stream::piecesOf(object);
  return success(llvm::all_of(pieces, [&](const stream::Piece &piece) {
    return succeeded(checkBlock(machine, object, piece, stream::kPieceSlices));
  }));
}

} // namespace

LogicalResult checkPlaced(const isa::Machine &machine, ModuleOp module) {
  for (auto object : module.getOps<stream::ObjectOp>()) {
    if (!object.getPlace())
      return object.emitOpError("has no place; run stream-allocate-memory first");
    if (failed(checkPlace(machine, object)))
      return failure();
  }
  return success();
}

LogicalResult checkAlone(const isa::Machine &machine, const ObjectMap &objects, ArrayRef<sched::Block> blocks) {
  std::vector<const sched::Block *> sorted;
  for (const sched::Block &block : blocks)
    sorted.push_back(&block);
  llvm::sort(sorted, [](const sched::Block *a, const sched::Block *b) {
    return std::tie(a->queue, a->bank, a->row, a->object) < std::tie(b->queue, b->bank, b->row, b->object);
  });
  auto isScratch = [&](const sched::Block *block) {
    return stream::ObjectOp(objects.all()[block->object]).getRole() == "scratch";
  };
  // Of those that began before, one that reaches furthest, and one that does among those that are no scratch.
  const sched::Block *any = nullptr, *kept = nullptr;
  auto end = [](const sched::Block *block) { return block->row + block->rows; };
  for (const sched::Block *block : sorted) {
    if (any && (any->queue != block->queue || any->bank != block->bank))
      any = kept = nullptr;
    const sched::Block *other = isScratch(block) ? kept : any;
    if (other && end(other) > block->row) {
      stream::ObjectOp object = objects.all()[block->object], first = objects.all()[other->object];
      return object.emitOpError("has row ") << block->row << " of bank " << block->bank << " of "
                                            << isa::queueName(isa::queueAt(machine, block->queue)) << ", which '"
                                            << first.getSymName() << "' has too; only scratch objects may share rows";
    }
    if (!any || end(block) > end(any))
      any = block;
    if (!isScratch(block) && (!kept || end(block) > end(kept)))
      kept = block;
  }
  return success();
}

} // namespace lpu::compiler
