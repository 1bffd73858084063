// Turns timed flows of the stream dialect into the scheduler's flow shapes.
#pragma once

#include "FlowTiming.h"
#include "lpu/compiler/Scheduling/Problem.h"

namespace lpu::compiler {

/// Planes 0 and 1 are in the east, 2 and 3 in the west.
inline isa::Side sideOfPlane(std::int64_t plane) { return plane / 2 == 0 ? isa::Side::East : isa::Side::West; }
inline std::uint16_t planeOfSide(std::int64_t plane) { return static_cast<std::uint16_t>(plane % 2); }
/// Away from VXM, or towards it.
inline isa::Direction directionOf(isa::Side side, bool outward) {
  return (side == isa::Side::East) == outward ? isa::Direction::East : isa::Direction::West;
}

class FlowShaper {
public:
  /// Shapes the flows of one program, in its order; `shards` chips like this one make a group. Only where phases are
  /// `joined` can objects that share rows meet in a schedule.
  FlowShaper(const isa::Machine &machine, const ObjectMap &objects, std::int64_t shards, bool joined)
      : machine(machine), objects(objects), shards(shards), joined(joined), sent(machine.c2cLinks),
        received(machine.c2cLinks) {}

  mlir::FailureOr<sched::FlowShape> shape(mlir::Operation *op, llvm::StringRef label);

private:
  void shapeTile(stream::LoadTileOp op);
  /// Where one of the 16 slices of a tile stands.
  stream::Place slicePlace(stream::ObjectOp tile, int slice) const;
  int transpose(isa::Side side, int unit, int source, int rows);
  void shapeInstall(stream::InstallOp op);
  mlir::LogicalResult shapeFlow(stream::FlowOp op);

  void read(stream::ReadOp op);
  void emit(stream::EmitOp op);
  mlir::LogicalResult outbound(mlir::Value value);
  void alu(stream::AluOp op);
  void last(stream::LastOp op);
  void write(stream::WriteOp op);
  void gather(stream::GatherOp op);
  void scatter(stream::ScatterOp op);
  void scatterTile(stream::ScatterTileOp op);
  void lanes(stream::LanesOp op);
  void load(stream::LoadOp op);
  void fetch(stream::FetchOp op);
  void pass(stream::PassOp op);
  void sweep(stream::SweepOp op);
  mlir::LogicalResult send(stream::SendOp op);
  mlir::LogicalResult receive(stream::ReceiveOp op);
  mlir::LogicalResult checkLink(mlir::Operation *op, std::int64_t link) const;
  /// Does the link join this chip to its group?
  bool inGroup(std::int64_t link) const { return link < shards - 1; }

  /// An error when the flow itself needs a queue twice in one cycle.
  mlir::LogicalResult checkQueues(mlir::Operation *op) const;
  int addGroup(isa::Side side, bool outward, int width, int reach, isa::Cycle tau, int count);
  sched::Issue &addIssue(isa::QueueId queue, isa::Cycle at, isa::Opcode opcode, int count = 1);
  /// A word of one of the slices that an object has, from which on it is known whose rows it is about.
  sched::Issue &addAccess(mlir::FlatSymbolRefAttr object, const stream::Place &place, int plane, isa::Cycle at,
                          isa::Opcode opcode, int count = 1);
  sched::Issue &addAluIssue(int alu, isa::Cycle at, isa::Opcode opcode, int count);
  void setOperand(sched::Issue &issue, int slot, mlir::Value value);
  void setOut(sched::Issue &issue, mlir::Value value);
  void access(sched::Access::Kind kind, int where, std::int64_t low, std::int64_t high, bool write, isa::Cycle first,
              isa::Cycle last, isa::Cycle visible = 1);
  /// An access to rows of an object, and of the slices it stands in if it may meet others there.
  void memory(mlir::FlatSymbolRefAttr object, std::int64_t low, std::int64_t high, bool write, isa::Cycle first,
              isa::Cycle last, isa::Cycle visible = 1);
  int repeats(mlir::Operation *op) const;
  isa::QueueId mem(const stream::Place &place, int plane) const;
  int distance(const stream::Place &place, int plane = 0) const;

  const isa::Machine &machine;
  const ObjectMap &objects;
  std::int64_t shards;
  bool joined;
  std::vector<std::int64_t> sent, received; ///< vectors per link so far
  sched::FlowShape result;
  FlowTiming *timing = nullptr;
  std::int64_t repeat = 1;
  llvm::DenseMap<mlir::Value, int> groups;     ///< stream group that carries a value
  llvm::DenseMap<mlir::Operation *, int> alus; ///< ALU of an alu or last op
};

} // namespace lpu::compiler
