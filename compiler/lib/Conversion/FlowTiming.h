// When each operation of a flow happens, relative to the others.
#pragma once

#include "lpu/compiler/Dialect/Stream/Stream.h"
#include "lpu/isa/Machine.h"

#include "mlir/IR/BuiltinOps.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/DenseSet.h"

#include <vector>

namespace lpu::compiler {

/// Places of the objects a flow names.
class ObjectMap {
public:
  explicit ObjectMap(mlir::ModuleOp module);
  stream::ObjectOp object(mlir::FlatSymbolRefAttr symbol) const { return entries.lookup(symbol.getAttr()).first; }
  int number(mlir::FlatSymbolRefAttr symbol) const { return entries.lookup(symbol.getAttr()).second; }
  stream::Place place(mlir::FlatSymbolRefAttr symbol) const { return stream::placeOf(object(symbol)); }
  /// Whether another object has some of the object's rows.
  bool sharesRows(mlir::FlatSymbolRefAttr symbol) const { return sharing.contains(symbol.getAttr()); }
  /// All objects in the order of their numbers.
  llvm::ArrayRef<stream::ObjectOp> all() const { return ordered; }

private:
  llvm::DenseSet<mlir::StringAttr> sharing;
  std::vector<stream::ObjectOp> ordered;
  llvm::DenseMap<mlir::StringAttr, std::pair<stream::ObjectOp, int>> entries;
};

/// Solves a flow's exact timing. A value of an ALU, gather, sweep or last is
/// visible in exactly one cycle, so its consumers' times equal it; accumulators
/// wait, so what they hold gives inequalities; streams from memory or
/// accumulators arrive whenever they are wanted.
class FlowTiming {
public:
  FlowTiming(const isa::Machine &machine, const ObjectMap &objects, stream::FlowOp flow);

  /// Fails with a diagnostic that shows the arithmetic when no timing exists.
  mlir::LogicalResult solve();

  /// Cycle at which an operation samples its operands at VXM (first copy).
  isa::Cycle at(mlir::Operation *op) const { return offset.lookup(op); }
  /// Cycle at which a value is at VXM: a source's arrival, or a result's driving cycle.
  isa::Cycle ready(mlir::Value value) const;
  /// Cycle at which the accumulator of `alu` is initialised, if it is.
  isa::Cycle initAt(stream::AluOp alu) const;
  /// Happens once although the flow is a burst.
  bool isOnce(mlir::Operation *op) const;
  /// Cycles from sampling to result at VXM for operations with an exact result.
  isa::Cycle latency(mlir::Operation *op) const;

private:
  bool isSource(mlir::Value value) const;
  void equal(mlir::Operation *a, mlir::Operation *b, isa::Cycle difference);
  mlir::Operation *find(mlir::Operation *op, isa::Cycle &distance) const;
  void constrain(mlir::Operation *op);
  /// The earliest times of the clusters under `inequalities`; false with a diagnostic when there are none.
  bool placeClusters();

  struct AtLeast {
    mlir::Operation *from, *to;
    isa::Cycle distance;
  };

  const isa::Machine &machine;
  const ObjectMap &objects;
  mutable stream::FlowOp flow;
  llvm::DenseMap<mlir::Operation *, std::pair<mlir::Operation *, isa::Cycle>>
      parent; ///< at(op) = at(parent) + distance
  llvm::DenseMap<mlir::Operation *, isa::Cycle> base, offset;
  llvm::DenseMap<mlir::Value, mlir::Operation *> firstConsumer; ///< of sources
  std::vector<AtLeast> inequalities;
  bool failed = false;
};

} // namespace lpu::compiler
