// A functional unit's issue port: takes the due word from its queue and executes
// it on the unit core, at the word's own time. Clocked engine: a process of its
// own that looks in every cycle. Event engine: called through the calendar, by
// the timeline with a dispatch, else to ask the queue.
#pragma once

#include "../core/StepMonitor.h"
#include "Interfaces.h"

namespace lpu::sim {

class QueueModule : public sc_core::sc_module, public Wakeable, public Issuing {
public:
  sc_core::sc_port<IcuIf> icu{"icu"};
  sc_core::sc_port<StreamIf> streams{"streams"};

  /// Null `calendar`: clocked engine.
  QueueModule(sc_core::sc_module_name name, Unit &unit, const isa::Machine &machine, Calendar *calendar,
              StepMonitor &monitor);
  void wake(isa::Cycle now) override;
  void issue(const Dispatch &d) override;

protected:
  void end_of_elaboration() override;
  /// Called after a unit word has executed.
  virtual void executed(const Dispatch &d) {}

private:
  void look() { wake(cycleNow()); }
  bool execute(const Dispatch &d);
  void executeUnit(const Dispatch &d);
  bool fetch(const Dispatch &d);

  Unit &unit;
  const isa::Machine &machine;
  const isa::QueueId id;
  Calendar *const calendar;
  StepMonitor &monitor;
  Icu *queue = nullptr; ///< behind the icu port
};

} // namespace lpu::sim
