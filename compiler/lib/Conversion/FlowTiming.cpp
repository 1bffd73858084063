// FlowTiming: equalities by a union-find that carries distances, inequalities as
// waits between the rigid clusters that result.

#include "FlowTiming.h"

#include "lpu/compiler/Scheduling/Waits.h"

#include "mlir/IR/BuiltinOps.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/TypeSwitch.h"

#include <cstdlib>

using namespace mlir;

namespace lpu::compiler {

using isa::Cycle;

static bool meet(stream::ObjectOp a, stream::ObjectOp b) {
  stream::Place p = stream::placeOf(a), q = stream::placeOf(b);
  auto within = [](std::int64_t first, std::int64_t count, std::int64_t other, std::int64_t otherCount) {
    return first < other + otherCount && other < first + count;
  };
  return p.side == q.side && p.bank == q.bank && within(p.slice, a.getPlanes(), q.slice, b.getPlanes()) &&
         within(p.row, a.getRows(), q.row, b.getRows());
}

ObjectMap::ObjectMap(ModuleOp module) {
  int number = 0;
  for (auto object : module.getOps<stream::ObjectOp>())
    entries[object.getSymNameAttr()] = {object, number++}, ordered.push_back(object);
  SmallVector<stream::ObjectOp> scratch;
  for (auto object : module.getOps<stream::ObjectOp>())
    if (object.getRole() == "scratch")
      scratch.push_back(object);
  for (stream::ObjectOp a : scratch)
    for (stream::ObjectOp b : scratch)
      if (a != b && meet(a, b))
        sharing.insert(a.getSymNameAttr());
}

namespace {

isa::Opcode vxmOpcode(StringRef mnemonic) {
  for (const isa::InstructionInfo &info : isa::instructions())
    if (info.mnemonic == std::string_view(mnemonic))
      return info.opcode;
  llvm_unreachable("verified by the op");
}

bool timed(Operation *op) {
  return mlir::isa<stream::AluOp, stream::GatherOp, stream::SweepOp, stream::LastOp, stream::LanesOp, stream::ScatterOp,
                   stream::ScatterTileOp>(op);
}

/// Operand numbers that only initialise the accumulator.
bool isInit(stream::AluOp alu, unsigned operand) { return alu.getInit() && *alu.getInit() == operand; }

} // namespace

FlowTiming::FlowTiming(const isa::Machine &machine, const ObjectMap &objects, stream::FlowOp flow)
    : machine(machine), objects(objects), flow(flow) {}

bool FlowTiming::isSource(Value value) const {
  return mlir::isa<stream::ReadOp, stream::EmitOp, stream::PassOp>(value.getDefiningOp());
}

Cycle FlowTiming::latency(Operation *op) const {
  return llvm::TypeSwitch<Operation *, Cycle>(op)
      .Case<stream::AluOp, stream::LastOp>([&](auto o) { return isa::latencyOf(machine, vxmOpcode(o.getOpcode())); })
      .Case<stream::GatherOp>([&](auto o) {
        stream::Place place = objects.place(o.getObjectAttr());
        return 2 * std::abs(machine.memPosition(isa::Side(place.side), place.slice)) + machine.latency.MemGather;
      })
      .Case<stream::SweepOp>([&](auto o) {
        const isa::Latencies &l = machine.latency;
        return 2 * machine.mxmPosition() + l.MxmLoad + static_cast<Cycle>(o.getDelay()) + l.MxmPlay + l.MxmEmit;
      })
      .Case<stream::LanesOp>([&](auto o) {
        bool across = o.getKind().starts_with("permute");
        return 2 * machine.sxmPosition() + (across ? machine.latency.SxmAcross : machine.latency.SxmWithin);
      })
      .Default([](Operation *) { return Cycle{0}; });
}

bool FlowTiming::isOnce(Operation *op) const {
  if (flow.getRepeat() == 1 || mlir::isa<stream::LastOp>(op))
    return true;
  if (auto read = dyn_cast<stream::ReadOp>(op))
    return read.getOnce();
  if (auto alu = dyn_cast<stream::AluOp>(op)) {
    bool any = false;
    for (auto [i, arg] : llvm::enumerate(alu.getArgs())) {
      if (isInit(alu, i))
        continue;
      if (!isOnce(arg.getDefiningOp()))
        return false;
      any = true;
    }
    return any;
  }
  if (mlir::isa<stream::WriteOp, stream::LoadOp, stream::ScatterOp, stream::ScatterTileOp, stream::LanesOp>(op))
    return isOnce(op->getOperand(0).getDefiningOp());
  return false;
}

Operation *FlowTiming::find(Operation *op, Cycle &distance) const {
  distance = 0;
  for (auto it = parent.find(op); it != parent.end() && it->second.first; it = parent.find(op)) {
    distance += it->second.second;
    op = it->second.first;
  }
  return op;
}

void FlowTiming::equal(Operation *a, Operation *b, Cycle difference) {
  // at(a) = at(b) + difference
  Cycle da, db;
  Operation *ra = find(a, da), *rb = find(b, db);
  if (ra != rb) {
    parent[ra] = {rb, db + difference - da};
    return;
  }
  if (da != db + difference) {
    failed = true;
    auto diagnostic = a->emitOpError("operands cannot arrive together: one path needs cycle ");
    diagnostic << da << ", another " << db + difference << "; a result is visible in one cycle only";
  }
}

void FlowTiming::constrain(Operation *op) {
  auto sameTime = [&](Value value) {
    Operation *producer = value.getDefiningOp();
    if (!isSource(value))
      return equal(op, producer, latency(producer));
    auto [entry, isNew] = firstConsumer.try_emplace(value, op);
    if (!isNew)
      equal(op, entry->second, 0);
  };
  if (auto alu = dyn_cast<stream::AluOp>(op)) {
    for (auto [i, arg] : llvm::enumerate(alu.getArgs())) {
      if (!isInit(alu, i))
        sameTime(arg);
      else if (!isSource(arg))
        inequalities.push_back({arg.getDefiningOp(), op, latency(arg.getDefiningOp()) + 1});
    }
  } else if (auto last = dyn_cast<stream::LastOp>(op)) {
    inequalities.push_back(
        {last.getAcc().getDefiningOp(), op, static_cast<Cycle>(flow.getRepeat() + last.getStagger())});
    if (last.getArg())
      sameTime(last.getArg());
  } else {
    for (Value operand : op->getOperands())
      sameTime(operand);
  }
}

bool FlowTiming::placeClusters() {
  llvm::MapVector<Operation *, std::size_t> clusters; // root -> number
  auto number = [&](Operation *root) { return clusters.try_emplace(root, clusters.size()).first->second; };
  std::vector<Wait> waits;
  for (const AtLeast &bound : inequalities) {
    Cycle from, to;
    Operation *rf = find(bound.from, from), *rt = find(bound.to, to);
    Cycle wait = from + bound.distance - to;
    if (rf != rt) {
      waits.push_back({number(rf), number(rt), wait});
    } else if (wait > 0) {
      bound.to->emitOpError("needs an accumulator ") << wait << " cycles before it is filled";
      return false;
    }
  }
  auto times = earliestTimes(clusters.size(), waits);
  if (!times) {
    flow.emitOpError("accumulators wait for each other");
    return false;
  }
  for (auto [root, cluster] : clusters)
    base[root] = (*times)[cluster];
  return true;
}

LogicalResult FlowTiming::solve() {
  for (Operation &op : flow.getBody().front())
    if (op.getNumResults() && op.use_empty())
      return op.emitOpError("makes a value that nothing in the flow uses");
  for (Operation &op : flow.getBody().front())
    if (timed(&op))
      parent[&op] = {nullptr, 0};
  for (Operation &op : flow.getBody().front())
    if (timed(&op))
      constrain(&op);
  if (failed || !placeClusters())
    return failure();
  for (Operation &op : flow.getBody().front())
    if (timed(&op)) {
      Cycle distance;
      Operation *root = find(&op, distance);
      offset[&op] = base.lookup(root) + distance;
    }
  return success();
}

Cycle FlowTiming::ready(Value value) const {
  Operation *producer = value.getDefiningOp();
  if (!isSource(value))
    return at(producer) + latency(producer);
  for (OpOperand &use : value.getUses()) {
    auto alu = dyn_cast<stream::AluOp>(use.getOwner());
    if (alu && isInit(alu, use.getOperandNumber()))
      return at(alu) - 1 - static_cast<Cycle>(alu.getEarly()); // moved into the accumulator the cycle before
  }
  return at(*value.getUsers().begin());
}

Cycle FlowTiming::initAt(stream::AluOp alu) const {
  if (alu.getInit())
    return ready(alu.getArgs()[*alu.getInit()]);
  return at(alu) - 1;
}

} // namespace lpu::compiler
