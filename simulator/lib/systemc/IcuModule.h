// An instruction queue of the chip: wakes its unit when a word is due, parks at
// SYNC, drives the barrier at NOTIFY.
#pragma once

#include "../core/StepMonitor.h"
#include "Interfaces.h"

namespace lpu::sim {

class IcuModule final : public sc_core::sc_module, public IcuIf {
public:
  sc_core::sc_port<BarrierIf> barrier{"barrier"};

  /// Null `calendar` (clocked engine): the unit looks at the queue in every cycle and needs no waking.
  IcuModule(sc_core::sc_module_name name, const isa::Program &program, int number, Calendar *calendar,
            StepMonitor &monitor);

  /// Starts a step at absolute cycle `start`; null: no code.
  void begin(const DecodedQueue *code, isa::Cycle start);
  /// At the end of a step: reports a queue that is parked for good (overrun).
  void reportParked() const;

  Icu &core() override { return icu; }
  int number() const override { return queue; }
  void setEntry(int number) override { entry = number; }
  bool control(const Dispatch &d) override;
  void rearm(isa::Cycle now) override;
  bool released() const override { return isReleased; }

private:
  void end_of_elaboration() override;
  void onRelease();
  bool notify(const Dispatch &d);
  bool illegal(const Dispatch &d, const char *why) const;

  Icu icu;
  const int queue;
  Calendar *const calendar;
  int entry = -1; ///< of the calendar: this queue's unit
  StepMonitor &monitor;
  bool isReleased = false;
  Dispatch parkedBy;
};

} // namespace lpu::sim
