// What memory rows, MXM planes and ALU accumulators hold in the course of a
// step, as far as it can be told from the fields of timed instructions.
#pragma once

#include "lpu/compiler/Dialect/Lpu/Lpu.h"
#include "lpu/isa/Machine.h"

#include <map>
#include <unordered_map>
#include <unordered_set>
#include <vector>

namespace lpu::timed {

/// One instruction at one cycle; copies of a repeated issue have their rows stepped.
struct Dispatch {
  isa::Cycle cycle;
  isa::QueueId queue;
  isa::Instruction instruction;
  mutable IssueOp op; ///< mutable: MLIR handles are not const-correct
};

/// Each state first sees every dispatch through `drive`, then every dispatch again through `sample`, which judges it;
/// no order of queues is needed, only that a queue's dispatches come in order of time.
class MemoryState {
public:
  MemoryState(const isa::Machine &machine, ProgramOp program);
  void drive(const Dispatch &d);
  mlir::LogicalResult sample(const Dispatch &d) const;
  /// Every row of every output was written.
  mlir::LogicalResult finish() const;

private:
  struct Rows {
    std::int64_t first, last;
    RegionOp region;
  };
  using Bank = std::int64_t; ///< (slice, east first) · banks + bank

  Bank bankOf(std::int64_t side, std::int64_t slice, std::int64_t bank) const;
  Bank bankOf(const Dispatch &d, std::int64_t bank) const;
  std::int64_t rowOf(Bank bank, std::int64_t row) const { return bank * machine.memRowsPerBank + row; }
  RegionOp regionAt(Bank bank, std::int64_t row) const;
  mlir::LogicalResult read(const Dispatch &d) const;
  mlir::LogicalResult write(const Dispatch &d) const;
  mlir::LogicalResult indirect(const Dispatch &d) const;

  const isa::Machine &machine;
  mutable ProgramOp program;
  std::unordered_map<Bank, std::vector<Rows>> regions;
  std::unordered_set<std::int64_t> inputs;
  std::unordered_map<std::int64_t, std::vector<isa::Cycle>> writes; ///< row → dispatch cycles
};

class MxmState {
public:
  explicit MxmState(const isa::Machine &machine) : machine(machine), planes(2 * machine.mxmPlanesPerSide) {}
  void drive(const Dispatch &d);
  mlir::LogicalResult sample(const Dispatch &d) const;
  /// Every tile that was loaded is installed.
  mlir::LogicalResult finish() const;

private:
  struct Load {
    isa::Cycle cycle;
    std::int64_t group;
    IssueOp op;
  };
  struct Plane {
    std::vector<Load> loads;
    std::vector<isa::Cycle> installs;
    std::map<std::int64_t, isa::Cycle> activations, accumulators; ///< row → first cycle written
    std::unordered_set<isa::Cycle> sums, takes;                   ///< cycles of arrival, and of acc words that take one
    std::unordered_map<isa::Cycle, std::int64_t> halves; ///< fp16: cycle of arrival → mask of the plane's half
    std::unordered_map<std::int64_t, std::vector<isa::Cycle>> overwrites; ///< accumulator row → in order of time
  };

  const Plane &planeOf(const Dispatch &d) const;
  mlir::LogicalResult loadWeights(const Dispatch &d, const Plane &plane) const;
  mlir::LogicalResult install(const Dispatch &d, const Plane &plane) const;
  mlir::LogicalResult play(const Dispatch &d, const Plane &plane) const;
  mlir::LogicalResult accumulate(const Dispatch &d, const Plane &plane) const;
  bool isUpper(const Dispatch &d) const { return d.queue.index % 2; }
  const Plane *otherPlane(const Dispatch &d) const;
  mlir::LogicalResult half(const Dispatch &d) const;
  mlir::LogicalResult format(const Dispatch &d, const Plane &plane) const;

  const isa::Machine &machine;
  std::vector<Plane> planes;
};

class AccumulatorState {
public:
  void drive(const Dispatch &d);
  mlir::LogicalResult sample(const Dispatch &d) const;

private:
  std::map<int, isa::Cycle> firstWrite; ///< per ALU
};

/// Vectors on links: how close sends stand, and, on links to equal chips that send when this one does, what comes when.
class LinkState {
public:
  LinkState(const isa::Machine &machine, ProgramOp program);
  void drive(const Dispatch &d);
  mlir::LogicalResult finish();

private:
  struct Link {
    std::vector<Dispatch> sends, receives; ///< in order of time once finish() sorted them
  };
  mlir::LogicalResult checkInterval(std::size_t link) const;
  mlir::LogicalResult checkArrivals(std::size_t link) const;

  const isa::Machine &machine;
  mutable ProgramOp program;
  std::int64_t shards; ///< chips of a group
  std::vector<Link> links;
};

} // namespace lpu::timed
