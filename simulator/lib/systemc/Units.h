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
  bool clocked;
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
        QueueModule(name, core, context.chip.machine, context.clocked, context.monitor) {}
};

class AluModule final : CoreHolder<Alu>, public QueueModule {
public:
  AluModule(sc_core::sc_module_name name, ModuleContext &context, const AluArray &alus, int queue)
      : CoreHolder(context.chip, alus, queue),
        QueueModule(name, core, context.chip.machine, context.clocked, context.monitor) {}
  Alu &alu() { return core; }
};

class SxmModule final : CoreHolder<SxmUnit>, public QueueModule {
public:
  SxmModule(sc_core::sc_module_name name, ModuleContext &context, int queue)
      : CoreHolder(context.chip, queue),
        QueueModule(name, core, context.chip.machine, context.clocked, context.monitor) {}
};

/// A C2C unit; its link port stays unbound when nothing is attached.
class C2cModule final : CoreHolder<C2cUnit>, public QueueModule {
public:
  sc_core::sc_port<LinkIf, 1, sc_core::SC_ZERO_OR_MORE_BOUND> link{"link"};

  C2cModule(sc_core::sc_module_name name, ModuleContext &context, int queue)
      : CoreHolder(context.chip, queue),
        QueueModule(name, core, context.chip.machine, context.clocked, context.monitor), number(queue) {}
  C2cUnit &unit() { return core; }

protected:
  void end_of_elaboration() override;
  void executed(const Dispatch &d) override;

private:
  void checkArrivals();
  const int number;
};

/// Issue port of one queue of an MXM plane. After a play it announces when the sum arrives.
class MxmQueueModule final : public QueueModule {
public:
  MxmQueueModule(sc_core::sc_module_name name, Unit &unit, ModuleContext &context, MxmPlane &plane,
                 sc_core::sc_event &sumDue)
      : QueueModule(name, unit, context.chip.machine, context.clocked, context.monitor), plane(plane), sumDue(sumDue) {}

protected:
  void executed(const Dispatch &d) override;

private:
  MxmPlane &plane;
  sc_core::sc_event &sumDue;
};

/// A plane: its three issue ports, and the process that watches sums arrive.
class MxmModule final : public sc_core::sc_module {
public:
  MxmModule(sc_core::sc_module_name name, ModuleContext &context, int weightQueue);
  MxmPlane &plane() { return core; }
  QueueModule &queue(int port) { return *queues[port]; } ///< 0 W, 1 A, 2 R

private:
  void checkArrivals();

  MxmPlane core;
  sc_core::sc_event sumDue; ///< one cycle after a sum's arrival
  std::unique_ptr<MxmQueueModule> queues[3];
};

} // namespace lpu::sim
