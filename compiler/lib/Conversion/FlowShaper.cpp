// FlowShaper: every operation becomes issues on queues, segments on streams and
// accesses. Times are cycles at VXM; going outward or coming in costs a cycle per
// position (timing.md T2). Both sides mirror each other, so only the distance
// from VXM matters, and the slot of a value is the cycle it passes VXM. What MXM takes
// is in FlowShaperMxm.cpp.

#include "FlowShaper.h"

#include "lpu/compiler/Conversion/DoesNotFit.h"
#include "lpu/compiler/Dialect/LLM/Chips.h"
#include "lpu/compiler/Support/SxmMaps.h"

#include "llvm/ADT/TypeSwitch.h"

#include <cstdlib>

using namespace mlir;

namespace lpu::compiler {

using isa::Cycle;
using isa::Field;
using isa::Opcode;
using isa::Side;
using sched::Access;

namespace {

Opcode opcodeOf(StringRef mnemonic) {
  for (const isa::InstructionInfo &info : isa::instructions())
    if (info.mnemonic == std::string_view(mnemonic))
      return info.opcode;
  llvm_unreachable("verified by the op");
}

} // namespace

FailureOr<sched::FlowShape> FlowShaper::shape(Operation *op, StringRef label) {
  result = {};
  result.label = label.str();
  groups.clear(), alus.clear();
  LogicalResult done = llvm::TypeSwitch<Operation *, LogicalResult>(op)
                           .Case<stream::LoadTileOp>([&](auto o) { return shapeTile(o), success(); })
                           .Case<stream::InstallOp>([&](auto o) { return shapeInstall(o), success(); })
                           .Case<stream::FlowOp>([&](auto o) { return shapeFlow(o); })
                           .Default([](Operation *o) { return o->emitOpError("is no flow"); });
  if (failed(done))
    return failure();
  for (sched::Issue &issue : result.issues)
    if (issue.instruction.opcode == Opcode::Mem)
      issue.half = issue.instruction.get(Field::Rd) ? sched::Half::First : sched::Half::Second;
  if (failed(checkQueues(op)))
    return failure();
  result.normalize(machine);
  return std::move(result);
}

LogicalResult FlowShaper::checkQueues(Operation *op) const {
  SmallVector<const sched::Issue *> issues;
  for (const sched::Issue &issue : result.issues)
    if (issue.queue >= 0)
      issues.push_back(&issue);
  llvm::sort(issues, [](auto *a, auto *b) { return std::pair(a->queue, a->at) < std::pair(b->queue, b->at); });
  for (std::size_t i = 1; i < issues.size(); ++i)
    for (std::size_t j = i; j-- > 0 && issues[j]->queue == issues[i]->queue;) {
      const sched::Issue &a = *issues[j], &b = *issues[i];
      bool share = a.half != sched::Half::Whole && b.half != sched::Half::Whole && a.half != b.half &&
                   (!bankOf(a) || bankOf(a) != bankOf(b));
      if (share || b.at > a.at + lastCopy(a))
        continue;
      noteDoesNotFit(op, {Resource::Queue, 2, 1});
      return op->emitOpError("uses objects together that memory does not fit into different slices: queue ")
             << isa::queueName(isa::queueAt(machine, a.queue)) << " is needed twice in cycle " << b.at
             << " of the flow";
    }
  return success();
}

//===-- small builders ----------------------------------------------------------===//

isa::QueueId FlowShaper::mem(const stream::Place &place, int plane) const {
  return {isa::UnitKind::Mem, Side(place.side), static_cast<std::uint16_t>(place.slice + plane)};
}

int FlowShaper::distance(const stream::Place &place, int plane) const {
  return std::abs(machine.memPosition(Side(place.side), place.slice + plane));
}

int FlowShaper::repeats(Operation *op) const { return timing->isOnce(op) ? 1 : static_cast<int>(repeat); }

sched::Issue &FlowShaper::addIssue(isa::QueueId queue, Cycle at, Opcode opcode, int count) {
  sched::Issue &issue = result.issues.emplace_back();
  issue.queue = isa::queueNumber(machine, queue);
  issue.at = at, issue.count = count, issue.instruction.opcode = opcode;
  return issue;
}

sched::Issue &FlowShaper::addAccess(FlatSymbolRefAttr object, const stream::Place &place, int plane, Cycle at,
                                    Opcode opcode, int count) {
  sched::Issue &issue = addIssue(mem(place, plane), at, opcode, count);
  issue.object = objects.number(object);
  return issue;
}

sched::Issue &FlowShaper::addAluIssue(int alu, Cycle at, Opcode opcode, int count) {
  sched::Issue &issue = result.issues.emplace_back();
  issue.alu = alu, issue.at = at, issue.count = count, issue.instruction.opcode = opcode;
  return issue;
}

int FlowShaper::addGroup(Side side, bool outward, int width, int reach, Cycle tau, int count) {
  int group = static_cast<int>(result.groups.size());
  result.groups.push_back({directionOf(side, outward), width});
  for (int byte = 0; byte < width; ++byte)
    result.segments.push_back(
        {group, byte, side == Side::East ? 0 : -reach, side == Side::East ? reach : 0, tau, count});
  return group;
}

void FlowShaper::access(Access::Kind kind, int where, std::int64_t low, std::int64_t high, bool write, Cycle first,
                        Cycle last, Cycle visible) {
  result.accesses.push_back({kind, where, low, high, write, first, last, visible});
}

void FlowShaper::memory(FlatSymbolRefAttr object, std::int64_t low, std::int64_t high, bool write, Cycle first,
                        Cycle last, Cycle visible) {
  access(Access::Kind::Memory, objects.number(object), low, high, write, first, last, visible);
  if (!joined || !objects.sharesRows(object))
    return;
  stream::Place place = objects.place(object);
  for (std::int64_t plane = 0; plane < static_cast<std::int64_t>(objects.object(object).getPlanes()); ++plane) {
    std::int64_t bank = (place.side * machine.memSlicesPerSide + place.slice + plane) * machine.memBanks + place.bank;
    access(Access::Kind::SharedRow, static_cast<int>(bank), place.row + low, place.row + high, write, first, last,
           visible);
  }
}

//===-- flows ---------------------------------------------------------------------===//

LogicalResult FlowShaper::shapeFlow(stream::FlowOp flow) {
  FlowTiming solved(machine, objects, flow);
  if (failed(solved.solve()))
    return failure();
  timing = &solved;
  repeat = flow.getRepeat();
  for (Operation &op : flow.getBody().front())
    if (mlir::isa<stream::AluOp, stream::LastOp>(op) && failed(outbound(op.getResult(0))))
      return failure();
  for (Operation &op : flow.getBody().front())
    llvm::TypeSwitch<Operation *>(&op)
        .Case<stream::ReadOp>([&](auto o) { read(o); })
        .Case<stream::EmitOp>([&](auto o) { emit(o); })
        .Case<stream::AluOp>([&](auto o) { alu(o); })
        .Case<stream::LastOp>([&](auto o) { last(o); })
        .Case<stream::WriteOp>([&](auto o) { write(o); })
        .Case<stream::GatherOp>([&](auto o) { gather(o); })
        .Case<stream::ScatterOp>([&](auto o) { scatter(o); })
        .Case<stream::ScatterTileOp>([&](auto o) { scatterTile(o); })
        .Case<stream::LanesOp>([&](auto o) { lanes(o); })
        .Case<stream::LoadOp>([&](auto o) { load(o); })
        .Case<stream::FetchOp>([&](auto o) { fetch(o); })
        .Case<stream::PassOp>([&](auto o) { pass(o); })
        .Case<stream::SweepOp>([&](auto o) { sweep(o); });
  timing = nullptr;
  for (Operation &op : flow.getBody().front())
    if (auto out = dyn_cast<stream::SendOp>(op); out && failed(send(out)))
      return failure();
    else if (auto in = dyn_cast<stream::ReceiveOp>(op); in && failed(receive(in)))
      return failure();
  return success();
}

void FlowShaper::read(stream::ReadOp op) {
  stream::Place place = objects.place(op.getObjectAttr());
  Side side = Side(place.side);
  int width = static_cast<int>(op.getResult().getType().getWidth()), count = repeats(op);
  Cycle arrival = timing->ready(op.getResult());
  int group = addGroup(side, false, width, distance(place, 0), arrival, count);
  groups[op.getResult()] = group;
  Cycle first = 0;
  for (int b = 0; b < width; ++b) {
    first = arrival - distance(place, b) - machine.latency.MemRead;
    sched::Issue &issue = addAccess(op.getObjectAttr(), place, b, first, Opcode::Mem, count);
    issue.instruction.set(Field::Rd, 1).set(Field::RdBank, place.bank).set(Field::RdRow, place.row + op.getRow());
    issue.instruction.set(Field::RdStep, count > 1 ? op.getStep() : 0)
        .set(Field::RdDir, static_cast<int>(directionOf(side, false)));
    issue.streamFields.push_back({Field::RdStream, group, b});
  }
  std::int64_t end = op.getRow() + op.getStep() * (count - 1);
  memory(op.getObjectAttr(), op.getRow(), end, false, first, first + count - 1);
}

void FlowShaper::emit(stream::EmitOp op) {
  Side side = sideOfPlane(op.getPlane());
  Cycle arrival = timing->ready(op.getResult()), at = arrival - machine.mxmPosition() - machine.latency.MxmEmit;
  int group = addGroup(side, false, 4, machine.mxmPosition(), arrival, static_cast<int>(repeat));
  groups[op.getResult()] = group;
  sched::Issue &issue = addIssue({isa::UnitKind::MxmR, side, planeOfSide(op.getPlane())}, at, Opcode::Accumulate,
                                 static_cast<int>(repeat));
  issue.instruction.set(Field::Row, op.getAcc()).set(Field::RowStep, repeat > 1).set(Field::Emit, 1);
  issue.streamFields.push_back({Field::Stream, group, 0});
  access(Access::Kind::AccumulatorRow, op.getPlane(), op.getAcc(), op.getAcc() + repeat - 1, false, at,
         at + repeat - 1);
}

LogicalResult FlowShaper::outbound(Value value) {
  int reach = -1;
  std::optional<Side> side;
  auto visit = [&](Side sinkSide, int sinkReach) {
    bool fits = !side || *side == sinkSide;
    side = sinkSide, reach = std::max(reach, sinkReach);
    return fits;
  };
  auto visitObject = [&](FlatSymbolRefAttr object) {
    stream::Place place = objects.place(object);
    return visit(Side(place.side), distance(place, static_cast<int>(objects.object(object).getPlanes()) - 1));
  };
  for (Operation *user : value.getUsers()) {
    bool oneSide =
        llvm::TypeSwitch<Operation *, bool>(user)
            .Case<stream::WriteOp, stream::GatherOp, stream::ScatterOp>(
                [&](auto o) { return visitObject(o.getObjectAttr()); })
            .Case<stream::ScatterTileOp>([&](auto o) {
              stream::ObjectOp tile = objects.object(o.getObjectAttr());
              bool oneSide = true;
              for (int i = 0; i < 16; i += stream::kPieceSlices)
                oneSide &= visit(Side(stream::placeOf(tile).side), distance(slicePlace(tile, i)));
              return oneSide;
            })
            .Case<stream::LanesOp>([&](auto o) { return visit(Side(o.getSide()), machine.sxmPosition()); })
            .Case<stream::LoadOp>(
                [&](auto o) { return visit(sideOfPlane(o.getPlanes().front()), machine.mxmPosition()); })
            .Case<stream::SweepOp>([&](auto o) { return visit(sideOfPlane(o.getPlane()), machine.mxmPosition()); })
            .Default([](Operation *) { return true; });
    if (!oneSide)
      return user->emitOpError(
          "wants on one side what another operation wants on the other; a VXM operation has one destination");
  }
  if (side)
    groups[value] = addGroup(*side, true, static_cast<int>(cast<stream::VecType>(value.getType()).getWidth()), reach,
                             timing->ready(value), repeats(value.getDefiningOp()));
  return success();
}

void FlowShaper::setOperand(sched::Issue &issue, int slot, Value value) {
  static constexpr Field kinds[] = {Field::AKind, Field::BKind, Field::CKind},
                         indices[] = {Field::AIndex, Field::BIndex, Field::CIndex},
                         dirs[] = {Field::ADir, Field::BDir, Field::CDir},
                         widths[] = {Field::AWidth, Field::BWidth, Field::CWidth};
  Operation *producer = value.getDefiningOp();
  if (mlir::isa<stream::AluOp, stream::LastOp>(producer)) {
    issue.instruction.set(kinds[slot], static_cast<int>(isa::OperandKind::Alu));
    issue.aluFields.push_back({indices[slot], alus.lookup(producer)});
    return;
  }
  int group = groups.lookup(value);
  // Operands inherit the width of the type; result groups of gathers and sweeps are entered in their own visits, before
  // any consumer.
  issue.instruction.set(kinds[slot], static_cast<int>(isa::OperandKind::Stream));
  issue.instruction.set(dirs[slot], static_cast<int>(result.groups[group].direction));
  issue.instruction.set(widths[slot],
                        isa::widthCode(static_cast<int>(cast<stream::VecType>(value.getType()).getWidth())));
  issue.streamFields.push_back({indices[slot], group, 0});
}

void FlowShaper::setOut(sched::Issue &issue, Value value) {
  auto group = groups.find(value);
  if (group == groups.end())
    return;
  issue.instruction.set(Field::Out, 1).set(Field::OutDir, static_cast<int>(result.groups[group->second].direction));
  issue.instruction.set(Field::OutWidth, isa::widthCode(result.groups[group->second].width));
  issue.streamFields.push_back({Field::OutStream, group->second, 0});
}

void FlowShaper::alu(stream::AluOp op) {
  int number = static_cast<int>(result.alus.size());
  result.alus.emplace_back();
  alus[op] = number;
  Cycle at = timing->at(op);
  int count = repeats(op);
  if (op.getInit() || op.getInitImm()) {
    sched::Issue &move = addAluIssue(number, timing->initAt(op), Opcode::Move, 1);
    move.instruction.set(Field::AccWrite, 1);
    if (op.getInit())
      setOperand(move, 0, op.getArgs()[*op.getInit()]);
    else
      move.instruction.set(Field::AKind, static_cast<int>(isa::OperandKind::Immediate))
          .set(Field::Imm, *op.getInitImm());
    result.alus[number] = {timing->initAt(op), at + count - 1};
  }
  sched::Issue &issue = addAluIssue(number, at, opcodeOf(op.getOpcode()), count);
  std::int64_t imm = op.getImm() ? *op.getImm() : 0;
  if (op.getImmRowOf())
    imm = (imm + objects.place(op.getImmRowOfAttr()).row) & 0xFFFFFFFF;
  static constexpr Field kinds[] = {Field::AKind, Field::BKind, Field::CKind};
  for (auto [i, slot] : llvm::enumerate(op.getSlots())) {
    if (slot >= 0)
      setOperand(issue, static_cast<int>(i), op.getArgs()[slot]);
    else if (slot == stream::kSlotImmediate)
      issue.instruction.set(kinds[i], static_cast<int>(isa::OperandKind::Immediate)).set(Field::Imm, imm);
    else
      issue.instruction.set(kinds[i], static_cast<int>(isa::OperandKind::Accumulator));
  }
  if (op.getAccWrite())
    issue.instruction.set(Field::AccWrite, 1);
  setOut(issue, op.getResult());
}

void FlowShaper::last(stream::LastOp op) {
  int number = alus.lookup(op.getAcc().getDefiningOp());
  alus[op] = number;
  Cycle at = timing->at(op);
  result.alus[number].accTo = std::max(result.alus[number].accTo, at);
  sched::Issue &issue = addAluIssue(number, at, opcodeOf(op.getOpcode()), 1);
  issue.instruction.set(Field::AKind, static_cast<int>(isa::OperandKind::Accumulator));
  if (op.getArg())
    setOperand(issue, 1, op.getArg());
  setOut(issue, op.getResult());
}

void FlowShaper::write(stream::WriteOp op) {
  stream::Place place = objects.place(op.getObjectAttr());
  int group = groups.lookup(op.getValue()), count = repeats(op);
  Cycle at = 0;
  for (int b = 0; b < static_cast<int>(op.getValue().getType().getWidth()); ++b) {
    at = timing->ready(op.getValue()) + distance(place, b);
    sched::Issue &issue = addAccess(op.getObjectAttr(), place, b, at, Opcode::Mem, count);
    issue.instruction.set(Field::Wr, 1).set(Field::WrBank, place.bank).set(Field::WrRow, place.row + op.getRow());
    issue.instruction.set(Field::WrStep, count > 1 ? op.getStep() : 0)
        .set(Field::WrDir, static_cast<int>(result.groups[group].direction));
    issue.streamFields.push_back({Field::WrStream, group, b});
  }
  std::int64_t end = op.getRow() + op.getStep() * (count - 1);
  memory(op.getObjectAttr(), op.getRow(), end, true, at, at + count - 1, machine.latency.MemWrite);
}

void FlowShaper::gather(stream::GatherOp op) {
  auto object = objects.object(op.getObjectAttr());
  stream::Place place = stream::placeOf(object);
  Side side = Side(place.side);
  int map = groups.lookup(op.getMap()), width = static_cast<int>(op.getResult().getType().getWidth());
  int group = addGroup(side, false, width, distance(place, 0), timing->ready(op.getResult()), 1);
  groups[op.getResult()] = group;
  Cycle at = timing->ready(op.getMap()) + distance(place, 0);
  for (int b = 0; b < width; ++b) {
    sched::Issue &issue = addAccess(op.getObjectAttr(), place, b, at, Opcode::Gather);
    issue.instruction.set(Field::Bank, place.bank).set(Field::MapDir, static_cast<int>(directionOf(side, true)));
    issue.instruction.set(Field::Dir, static_cast<int>(directionOf(side, false)));
    issue.streamFields.push_back({Field::MapStream, map, 0});
    issue.streamFields.push_back({Field::Stream, group, b});
  }
  memory(op.getObjectAttr(), 0, object.getRows() - 1, false, at, at);
}

void FlowShaper::scatter(stream::ScatterOp op) {
  auto object = objects.object(op.getObjectAttr());
  stream::Place place = stream::placeOf(object);
  int map = groups.lookup(op.getMap()), group = groups.lookup(op.getValue());
  Cycle at = timing->ready(op.getValue()) + distance(place, 0);
  for (int b = 0; b < static_cast<int>(op.getValue().getType().getWidth()); ++b) {
    sched::Issue &issue = addAccess(op.getObjectAttr(), place, b, at, Opcode::Scatter);
    int direction = static_cast<int>(result.groups[group].direction);
    issue.instruction.set(Field::Bank, place.bank).set(Field::MapDir, direction).set(Field::Dir, direction);
    issue.streamFields.push_back({Field::MapStream, map, 0});
    issue.streamFields.push_back({Field::Stream, group, b});
  }
  memory(op.getObjectAttr(), 0, object.getRows() - 1, true, at, at, machine.latency.MemScatter);
}

void FlowShaper::scatterTile(stream::ScatterTileOp op) {
  auto object = objects.object(op.getObjectAttr());
  int map = groups.lookup(op.getMap()), group = groups.lookup(op.getValue()), count = repeats(op);
  Cycle ready = timing->ready(op.getValue());
  for (int i = 0; i < 16; ++i) {
    stream::Place place = slicePlace(object, i);
    sched::Issue &issue = addAccess(op.getObjectAttr(), place, 0, ready + distance(place), Opcode::Scatter, count);
    int direction = static_cast<int>(result.groups[group].direction);
    issue.instruction.set(Field::Bank, place.bank)
        .set(Field::MapDir, direction)
        .set(Field::MapLane, i)
        .set(Field::Dir, direction);
    issue.streamFields.push_back({Field::MapStream, map, 0});
    issue.streamFields.push_back({Field::Stream, group, static_cast<int>(op.getByte())});
  }
  // Reads and writes of a tile's slices go outward alike, so the innermost slice stands for all.
  Cycle at = ready + distance(slicePlace(object, 0));
  memory(op.getObjectAttr(), 0, object.getRows() - 1, true, at, at + count - 1, machine.latency.MemScatter);
}

//===-- SXM -----------------------------------------------------------------------===//

namespace {

/// The instruction of a stream.lanes kind and the first of its queues on a side.
std::pair<Opcode, int> lanesUnit(const isa::Machine &machine, StringRef kind) {
  int queue = machine.sxmTransposeQueues;
  if (kind.starts_with("permute"))
    return {Opcode::Permute, queue};
  queue += machine.sxmPermuteQueues;
  if (kind.starts_with("distribute"))
    return {Opcode::Distribute, queue};
  return {Opcode::Rotate, queue + machine.sxmDistributeQueues};
}

} // namespace

void FlowShaper::lanes(stream::LanesOp op) {
  Side side = Side(op.getSide());
  auto [opcode, firstQueue] = lanesUnit(machine, op.getKind());
  int source = groups.lookup(op.getValue()), width = static_cast<int>(op.getResult().getType().getWidth()),
      count = repeats(op);
  int group = addGroup(side, false, width, machine.sxmPosition(), timing->ready(op.getResult()), count);
  groups[op.getResult()] = group;
  Cycle at = timing->ready(op.getValue()) + machine.sxmPosition();
  // Nothing in these instructions steps, so copies that differ are written out.
  int copies = op.getStep() ? count : 1;
  for (int copy = 0; copy < copies; ++copy)
    for (int b = 0; b < width; ++b) {
      auto queue = static_cast<std::uint16_t>(firstQueue + static_cast<int>(op.getQueue()) + b);
      sched::Issue &issue = addIssue({isa::UnitKind::Sxm, side, queue}, at + copy, opcode, copies > 1 ? 1 : count);
      issue.instruction.set(Field::SrcDir, static_cast<int>(directionOf(side, true)))
          .set(Field::DstDir, static_cast<int>(directionOf(side, false)));
      std::int64_t n = op.getAmount() + copy * op.getStep();
      if (opcode == Opcode::Rotate)
        issue.instruction.set(Field::Amount, n);
      else
        issue.instruction.set(Field::Map, sxmMap(machine, std::string_view(op.getKind()), n));
      issue.streamFields.push_back({Field::SrcStream, source, b});
      issue.streamFields.push_back({Field::DstStream, group, b});
    }
}

//===-- links ---------------------------------------------------------------------===//

LogicalResult FlowShaper::checkLink(Operation *op, std::int64_t link) const {
  if (link < machine.c2cLinks)
    return success();
  return op->emitOpError("names link ") << link << ", machine '" << machine.name << "' has " << machine.c2cLinks;
}

/// From memory past SXM, through VXM if the links stand on the other side; they sample in cycle 0.
LogicalResult FlowShaper::send(stream::SendOp op) {
  stream::Place place = objects.place(op.getObjectAttr());
  int byte = static_cast<int>(op.getByte()), from = machine.memPosition(Side(place.side), place.slice + byte);
  std::optional<Side> side;
  for (std::int64_t link : op.getLinks()) {
    if (failed(checkLink(op, link)))
      return failure();
    Side stands = link < machine.c2cEastLinks ? Side::East : Side::West;
    if (side && *side != stands)
      return op.emitOpError("sends east and west at once; a row leaves memory in one direction");
    side = stands;
  }
  int to = *side == Side::East ? machine.sxmPosition() : -machine.sxmPosition();
  isa::Direction direction = directionOf(*side, true);
  int group = static_cast<int>(result.groups.size());
  result.groups.push_back({direction, 1});
  result.segments.push_back({group, 0, std::min(from, to), std::max(from, to), -machine.sxmPosition(), 1});
  Cycle at = -std::abs(to - from) - machine.latency.MemRead;
  sched::Issue &read = addAccess(op.getObjectAttr(), place, byte, at, Opcode::Mem);
  read.instruction.set(Field::Rd, 1)
      .set(Field::RdBank, place.bank)
      .set(Field::RdRow, place.row + op.getRow())
      .set(Field::RdDir, static_cast<int>(direction));
  read.streamFields.push_back({Field::RdStream, group, 0});
  memory(op.getObjectAttr(), op.getRow(), op.getRow(), false, at, at);
  for (std::int64_t link : op.getLinks()) {
    sched::Issue &issue = addIssue({isa::UnitKind::C2c, Side::East, static_cast<std::uint16_t>(link)}, 0, Opcode::Send);
    issue.instruction.set(Field::Dir, static_cast<int>(direction));
    issue.streamFields.push_back({Field::Stream, group, 0});
    access(Access::Kind::LinkOut, static_cast<int>(link), 0, 0, true, 0, machine.c2cVectorInterval - 1);
    if (inGroup(link)) // what the group sends this way comes in over the peer's link, at the same time everywhere
      access(Access::Kind::Arrival, static_cast<int>(llm::groupPeerLink(shards, link)), sent[link], sent[link], true, 0,
             0, machine.latency.C2cSend);
    ++sent[link];
  }
  return success();
}

LogicalResult FlowShaper::receive(stream::ReceiveOp op) {
  auto link = static_cast<std::int64_t>(op.getLink());
  if (failed(checkLink(op, link)))
    return failure();
  Side side = link < machine.c2cEastLinks ? Side::East : Side::West;
  int from = side == Side::East ? machine.sxmPosition() : -machine.sxmPosition();
  isa::Direction direction = directionOf(side, false);
  int group = static_cast<int>(result.groups.size());
  result.groups.push_back({direction, 1});
  sched::Issue &issue =
      addIssue({isa::UnitKind::C2c, Side::East, static_cast<std::uint16_t>(link)}, 0, Opcode::Receive);
  issue.instruction.set(Field::Dir, static_cast<int>(direction));
  issue.streamFields.push_back({Field::Stream, group, 0});
  int farthest = from;
  for (auto object : op.getObjects().getAsRange<FlatSymbolRefAttr>()) {
    stream::Place place = objects.place(object);
    int byte = static_cast<int>(op.getByte()), to = machine.memPosition(Side(place.side), place.slice + byte);
    Cycle at = machine.latency.C2cReceive + std::abs(to - from);
    sched::Issue &write = addAccess(object, place, byte, at, Opcode::Mem);
    write.instruction.set(Field::Wr, 1)
        .set(Field::WrBank, place.bank)
        .set(Field::WrRow, place.row + op.getRow())
        .set(Field::WrDir, static_cast<int>(direction));
    write.streamFields.push_back({Field::WrStream, group, 0});
    memory(object, op.getRow(), op.getRow(), true, at, at, machine.latency.MemWrite);
    farthest = std::abs(to - from) > std::abs(farthest - from) ? to : farthest;
  }
  result.segments.push_back({group, 0, std::min(from, farthest), std::max(from, farthest),
                             machine.latency.C2cReceive + machine.sxmPosition(), 1});
  // Another stage's vectors come no closer than links carry them; taking them in that rhythm lets the chip start early.
  access(Access::Kind::LinkIn, static_cast<int>(link), 0, 0, true, 0,
         inGroup(link) ? 0 : machine.c2cVectorInterval - 1);
  if (inGroup(link))
    access(Access::Kind::Arrival, static_cast<int>(link), received[link], received[link], false, 0, 0);
  ++received[link];
  return success();
}

} // namespace lpu::compiler
