// A functional unit's issue port: one SystemC process that takes the due word
// from its queue and executes it on the unit core, at the word's own time.
#pragma once

#include "../core/StepMonitor.h"
#include "Interfaces.h"

namespace lpu::sim {

class QueueModule : public sc_core::sc_module {
public:
  sc_core::sc_port<IcuIf> icu{"icu"};
  sc_core::sc_port<StreamIf> streams{"streams"};

  QueueModule(sc_core::sc_module_name name, Unit &unit, const isa::Machine &machine, bool clocked,
              StepMonitor &monitor);

protected:
  void end_of_elaboration() override;
  /// Called after a unit word has executed without a hazard.
  virtual void executed(const Dispatch &d) {}

private:
  void dispatch();
  bool execute(const Dispatch &d);
  bool fetch(const Dispatch &d);

  Unit &unit;
  const isa::Machine &machine;
  const bool clocked;
  StepMonitor &monitor;
  Icu *queue = nullptr; ///< behind the icu port
};

} // namespace lpu::sim
