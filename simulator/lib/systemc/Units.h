// The functional units of a chip as SystemC modules around their cores.
#pragma once

#include "../core/C2c.h"
#include "../core/Mem.h"
#include "../core/Mxm.h"
#include "../core/Sxm.h"
#include "../core/Vxm.h"
#include "QueueModule.h"

#include <memory>

namespace lpu::sim {

/// Everything unit modules are built with.
struct ModuleContext {
  ChipContext &chip;
  StepMonitor &monitor;
  Calendar *calendar; ///< null: clocked engine
};

/// Owns the unit core of a module; a base class, so that it exists before the
/// module that executes it.
template <class Core> struct CoreHolder {
  template <class... Args> explicit CoreHolder(Args &&...args) : core(std::forward<Args>(args)...) {}
  Core core;
};

class MemModule final : CoreHolder<MemSlice>, public QueueModule {
public:
  MemModule(sc_core::sc_module_name name, ModuleContext &context, Memory &memory, int queue)
      : CoreHolder(context.chip, memory, queue),
        QueueModule(name, core, context.chip.machine, context.calendar, context.monitor) {}
};

class AluModule final : CoreHolder<Alu>, public QueueModule {
public:
  AluModule(sc_core::sc_module_name name, ModuleContext &context, const AluArray &alus, int queue)
      : CoreHolder(context.chip, alus, queue),
        QueueModule(name, core, context.chip.machine, context.calendar, context.monitor) {}
  Alu &alu() { return core; }
};

class SxmModule final : CoreHolder<SxmUnit>, public QueueModule {
public:
  SxmModule(sc_core::sc_module_name name, ModuleContext &context, int queue)
      : CoreHolder(context.chip, queue),
        QueueModule(name, core, context.chip.machine, context.calendar, context.monitor) {}
};

/// A C2C unit; its link port stays unbound when nothing is attached.
class C2cModule final : CoreHolder<C2cUnit>, public QueueModule {
public:
  sc_core::sc_port<LinkIf, 1, sc_core::SC_ZERO_OR_MORE_BOUND> link{"link"};

  C2cModule(sc_core::sc_module_name name, ModuleContext &context, int queue)
      : CoreHolder(context.chip, queue),
        QueueModule(name, core, context.chip.machine, context.calendar, context.monitor), calendar(context.calendar),
        overflow(core) {}
  C2cUnit &unit() { return core; }
  /// Event engine: a vector is on its way in; the chip has run everything before `now`.
  void accept(LinkFifo::Entry entry, Cycle now);

protected:
  void end_of_elaboration() override;

private:
  void checkArrivals() { core.checkArrivals(cycleNow()); }
  struct Overflow final : Wakeable {
    explicit Overflow(C2cUnit &unit) : unit(unit) {}
    void wake(isa::Cycle now) override { unit.checkArrivals(now); }
    C2cUnit &unit;
    int entry = -1;
  };
  Calendar *const calendar;
  Overflow overflow; ///< event engine
};

class MxmModule;

/// Issue port of one queue of an MXM plane. After a play it announces when the sum arrives.
class MxmQueueModule final : public QueueModule {
public:
  MxmQueueModule(sc_core::sc_module_name name, Unit &unit, ModuleContext &context, MxmModule &parent)
      : QueueModule(name, unit, context.chip.machine, context.calendar, context.monitor), parent(parent) {}

protected:
  void executed(const Dispatch &d) override;

private:
  MxmModule &parent;
};

/// A plane: its three issue ports, and what watches sums arrive.
class MxmModule final : public sc_core::sc_module, public Wakeable {
public:
  MxmModule(sc_core::sc_module_name name, ModuleContext &context, int weightQueue);
  /// Sums fp16 values together with the plane below it.
  void pairWith(MxmModule &lower) { MxmPlane::pair(lower.core, core); }
  /// A new step.
  void reset();
  QueueModule &queue(int port) { return *queues[port]; } ///< 0 W, 1 A, 2 R
  /// Looks after the sum of the play dispatched at `now`, one cycle after its arrival.
  void played(isa::Cycle now);
  void wake(isa::Cycle now) override;

private:
  void checkArrivals();

  MxmPlane core;
  Calendar *const calendar;
  int entry = -1;           ///< of the calendar: this plane's sums
  bool watching = false;    ///< event engine: it is scheduled
  sc_core::sc_event sumDue; ///< clocked engine: one cycle after a sum's arrival
  std::unique_ptr<MxmQueueModule> queues[3];
};

} // namespace lpu::sim
