// FlowShaper, what MXM does: tiles on their way to weight buffers, activations to
// rows, passes and sweeps.

#include "FlowShaper.h"

using namespace mlir;

namespace lpu::compiler {

using isa::Cycle;
using isa::Field;
using isa::Opcode;
using isa::Side;
using sched::Access;

namespace {

/// How far ahead of its tile a fetch takes its turn, in tile loads.
constexpr Cycle kFetchLead = 8;

std::int64_t allSuperlanes(const isa::Machine &machine) { return (std::int64_t{1} << machine.superlanes) - 1; }

} // namespace

//===-- tiles ---------------------------------------------------------------------===//

stream::Place FlowShaper::slicePlace(stream::ObjectOp tile, int slice) const {
  stream::Piece piece = stream::piecesOf(tile)[slice / stream::kPieceSlices];
  return {stream::placeOf(tile).side, piece.slice + slice % stream::kPieceSlices, piece.bank, piece.row};
}

void FlowShaper::shapeTile(stream::LoadTileOp op) {
  auto object = objects.object(op.getObjectAttr());
  std::int64_t first = op.getRow();
  int rows = static_cast<int>(op.getRows() ? *op.getRows() : object.getRows() - first);
  int edge = op.getTransposed() ? machine.sxmPosition() : machine.mxmPosition();
  Side side = Side(stream::placeOf(object).side);
  // The first row group reaches MXM (or SXM) at cycle `edge`, that is in slot 0.
  result.groups.push_back({directionOf(side, true), 16});
  for (int i = 0; i < 16; ++i) {
    stream::Place place = slicePlace(object, i);
    int p = distance(place);
    sched::Issue &issue = addAccess(op.getObjectAttr(), place, 0, p - machine.latency.MemRead, Opcode::Mem, rows);
    issue.instruction.set(Field::Rd, 1)
        .set(Field::RdBank, place.bank)
        .set(Field::RdRow, place.row + first)
        .set(Field::RdStep, 1);
    issue.instruction.set(Field::RdDir, static_cast<int>(directionOf(side, true)));
    issue.streamFields.push_back({Field::RdStream, 0, i});
    result.segments.push_back({0, i, side == Side::East ? p : -edge, side == Side::East ? edge : -p, 0, rows});
  }
  int group = op.getTransposed() ? transpose(side, planeOfSide(op.getPlane()), 0, rows) : 0;
  Cycle arrival = op.getTransposed() ? edge + machine.latency.SxmTranspose + 1 : edge;
  // The last rows need to be complete for the first play after the install, one row group must be there before it
  // (T5.4).
  Cycle visible = std::max<Cycle>(machine.latency.MxmLoadWeights - machine.latency.MxmInstall, rows == 1 ? 1 : 0);
  for (std::int64_t twin = 0; twin <= op.getTwin(); ++twin) {
    int plane = static_cast<int>(op.getPlane() ^ twin);
    sched::Issue &lw = addIssue({isa::UnitKind::MxmW, side, planeOfSide(plane)}, arrival, Opcode::LoadWeights, rows);
    lw.instruction.set(Field::RowGroup, op.getGroup())
        .set(Field::RowStep, 1 + op.getPacked())
        .set(Field::Packed, op.getPacked());
    lw.streamFields.push_back({Field::Stream, group, 0});
    access(Access::Kind::WeightBuffer, plane, 0, 0, true, arrival, arrival + rows - 1, visible);
  }
  // What steps write must be there; a constant always is.
  result.tileLoad = object.getRole() == "constant";
  Cycle read = distance(slicePlace(object, 0)) - machine.latency.MemRead;
  if (!result.tileLoad)
    memory(op.getObjectAttr(), first, first + rows - 1, false, read, read + rows - 1);
}

/// Rows of a group of 16 that reach SXM from slot 0 on, transposed and on their way to MXM; returns their group.
int FlowShaper::transpose(Side side, int unit, int source, int rows) {
  int edge = machine.mxmPosition(), sxm = machine.sxmPosition(), group = static_cast<int>(result.groups.size());
  isa::Direction outward = directionOf(side, true);
  result.groups.push_back({outward, 16});
  for (int i = 0; i < 16; ++i)
    result.segments.push_back({group, i, side == Side::East ? sxm : -edge, side == Side::East ? edge : -sxm,
                               machine.latency.SxmTranspose, rows});
  auto queue = static_cast<std::uint16_t>(unit % std::max(1, machine.sxmTransposeQueues));
  sched::Issue &issue = addIssue({isa::UnitKind::Sxm, side, queue}, sxm, Opcode::Transpose, rows);
  issue.instruction.set(Field::SrcDir, static_cast<int>(outward)).set(Field::DstDir, static_cast<int>(outward));
  issue.streamFields.push_back({Field::SrcStream, source, 0});
  issue.streamFields.push_back({Field::DstStream, group, 0});
  return group;
}

void FlowShaper::shapeInstall(stream::InstallOp op) {
  sched::Issue &issue =
      addIssue({isa::UnitKind::MxmA, sideOfPlane(op.getPlane()), planeOfSide(op.getPlane())}, 0, Opcode::Activate);
  issue.half = sched::Half::Second;
  issue.instruction.set(Field::Install, 1);
  // Consuming the buffer is a write to it: the next tile may only be loaded afterwards.
  access(Access::Kind::WeightBuffer, op.getPlane(), 0, 0, false, 0, 0);
  access(Access::Kind::Array, op.getPlane(), 0, 0, true, 0, 0, machine.latency.MxmInstall);
}

//===-- activations, passes, sweeps -------------------------------------------------===//

void FlowShaper::load(stream::LoadOp op) {
  int group = groups.lookup(op.getValue()), count = repeats(op);
  Cycle at = timing->ready(op.getValue()) + machine.mxmPosition();
  for (auto [plane, byte, row] : llvm::zip(op.getPlanes(), op.getBytes(), op.getRows())) {
    sched::Issue &issue =
        addIssue({isa::UnitKind::MxmA, sideOfPlane(plane), planeOfSide(plane)}, at, Opcode::Activate, count);
    issue.half = sched::Half::First;
    issue.instruction.set(Field::Load, 1).set(Field::LoadRow, row).set(Field::LoadStep, count > 1 ? op.getStep() : 0);
    issue.streamFields.push_back({Field::LoadStream, group, static_cast<int>(byte)});
    std::int64_t end = row + static_cast<std::int64_t>(op.getStep()) * (count - 1);
    access(Access::Kind::ActivationRow, static_cast<int>(plane), row, end, true, at, at + count - 1,
           machine.latency.MxmLoad);
  }
}

void FlowShaper::fetch(stream::FetchOp op) {
  // Tile loads fill the outward streams without a gap; a slot between them must be taken before they are placed.
  result.lead = kFetchLead * machine.superlanes;
  stream::Place place = objects.place(op.getObjectAttr());
  Side side = Side(place.side);
  int byte = static_cast<int>(op.getByte()), p = distance(place, byte), edge = machine.mxmPosition(),
      count = static_cast<int>(repeat);
  int group = static_cast<int>(result.groups.size());
  // As a tile's first row: it reaches the MXM at cycle `edge`, that is in slot 0.
  result.groups.push_back({directionOf(side, true), 1});
  result.segments.push_back({group, 0, side == Side::East ? p : -edge, side == Side::East ? edge : -p, 0, count});
  Cycle at = p - machine.latency.MemRead;
  sched::Issue &issue = addAccess(op.getObjectAttr(), place, byte, at, Opcode::Mem, count);
  issue.instruction.set(Field::Rd, 1).set(Field::RdBank, place.bank).set(Field::RdRow, place.row + op.getRow());
  issue.instruction.set(Field::RdDir, static_cast<int>(directionOf(side, true))).set(Field::RdStep, count > 1);
  issue.streamFields.push_back({Field::RdStream, group, 0});
  memory(op.getObjectAttr(), op.getRow(), op.getRow() + count - 1, false, at, at + count - 1);
  for (auto [plane, row] : llvm::zip(op.getPlanes(), op.getRows())) {
    sched::Issue &load = addIssue({isa::UnitKind::MxmA, side, planeOfSide(plane)}, edge, Opcode::Activate, count);
    load.half = sched::Half::First;
    load.instruction.set(Field::Load, 1).set(Field::LoadRow, row).set(Field::LoadStep, count > 1);
    load.streamFields.push_back({Field::LoadStream, group, 0});
    access(Access::Kind::ActivationRow, static_cast<int>(plane), row, row + count - 1, true, edge, edge + count - 1,
           machine.latency.MxmLoad);
  }
}

void FlowShaper::pass(stream::PassOp op) {
  Side side = sideOfPlane(op.getPlane());
  int plane = static_cast<int>(op.getPlane()), count = static_cast<int>(repeat);
  bool leaves = static_cast<bool>(op.getResult());
  Cycle arrival = leaves ? timing->ready(op.getResult()) - machine.mxmPosition() - machine.latency.MxmEmit
                         : machine.latency.MxmPlay;
  Cycle begin = arrival - machine.latency.MxmPlay;
  std::int64_t more = count - 1;
  for (int each = plane; each <= plane + op.getFp16(); ++each) {
    sched::Issue &play = addIssue({isa::UnitKind::MxmA, side, planeOfSide(each)}, begin, Opcode::Activate, count);
    play.half = sched::Half::Second;
    play.instruction.set(Field::Play, 1)
        .set(Field::PlayRow, op.getRow())
        .set(Field::PlayStep, count > 1)
        .set(Field::Fp16, op.getFp16());
    play.instruction.set(Field::Mask, op.getMask() ? static_cast<std::int64_t>(*op.getMask()) : allSuperlanes(machine));
    access(Access::Kind::Array, each, 0, 0, false, begin, begin + more);
    access(Access::Kind::ActivationRow, each, op.getRow(), op.getRow() + more, false, begin, begin + more);
  }
  isa::AccMode add = op.getFp16() ? isa::AccMode::AddF : isa::AccMode::Add;
  sched::Issue &take = addIssue({isa::UnitKind::MxmR, side, planeOfSide(plane)}, arrival, Opcode::Accumulate, count);
  take.instruction.set(Field::Row, op.getAcc()).set(Field::RowStep, count > 1);
  take.instruction.set(Field::AccMode, static_cast<int>(op.getAdd() ? add : isa::AccMode::Overwrite));
  if (leaves) {
    int group = addGroup(side, false, 4, machine.mxmPosition(), timing->ready(op.getResult()), count);
    groups[op.getResult()] = group;
    take.instruction.set(Field::Emit, 1);
    take.streamFields.push_back({Field::Stream, group, 0});
  }
  access(Access::Kind::AccumulatorRow, plane, op.getAcc(), op.getAcc() + more, true, arrival, arrival + more);
}

void FlowShaper::sweep(stream::SweepOp op) {
  Side side = sideOfPlane(op.getPlane());
  int plane = static_cast<int>(op.getPlane()), outward = groups.lookup(op.getValue());
  int lag = static_cast<int>(machine.latency.MxmLoad + op.getDelay()), n = static_cast<int>(repeat);
  int period = lag < 8 ? 8 : 16; // activation rows used in turn
  Cycle begin = timing->ready(op.getValue()) + machine.mxmPosition();

  // Word at cycle c loads item c and plays item c − lag. The middle repeats with the period; ends are written out.
  auto word = [&](int c) {
    sched::Issue &issue = addIssue({isa::UnitKind::MxmA, side, planeOfSide(plane)}, begin + c, Opcode::Activate);
    if (c < n) {
      issue.instruction.set(Field::Load, 1).set(Field::LoadRow, op.getRow() + c % period);
      issue.streamFields.push_back({Field::LoadStream, outward, static_cast<int>(op.getByte())});
    }
    if (c >= lag)
      issue.instruction.set(Field::Play, 1)
          .set(Field::PlayRow, op.getRow() + (c - lag) % period)
          .set(Field::Mask, allSuperlanes(machine));
    return &issue;
  };
  int c = 0;
  while (c < n + lag) {
    int windows = (n - c) / period;
    if (c == lag && windows > 1) {
      for (int i = 0; i < period - 1; ++i)
        word(c + i);
      sched::Issue *lastWord = word(c + period - 1);
      lastWord->window = period, lastWord->count = windows;
      c += windows * period;
    } else {
      word(c++);
    }
  }

  Cycle take = begin + lag + machine.latency.MxmPlay;
  int group = addGroup(side, false, 4, machine.mxmPosition(), timing->ready(op.getResult()), n);
  groups[op.getResult()] = group;
  sched::Issue &acc = addIssue({isa::UnitKind::MxmR, side, planeOfSide(plane)}, take, Opcode::Accumulate, n);
  acc.instruction.set(Field::Row, op.getAcc())
      .set(Field::AccMode, static_cast<int>(isa::AccMode::Overwrite))
      .set(Field::Emit, 1);
  acc.streamFields.push_back({Field::Stream, group, 0});
  access(Access::Kind::Array, plane, 0, 0, false, begin + lag, begin + lag + n - 1);
  access(Access::Kind::ActivationRow, plane, op.getRow(), op.getRow() + period - 1, true, begin, begin + lag + n - 1);
  access(Access::Kind::AccumulatorRow, plane, op.getAcc(), op.getAcc(), true, take, take + n - 1);
}

} // namespace lpu::compiler
