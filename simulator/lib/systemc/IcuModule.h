// An instruction queue of the chip: wakes its unit when a word is due, parks at
// SYNC, drives the barrier at NOTIFY.
#pragma once

#include "../core/StepMonitor.h"
#include "Interfaces.h"

namespace lpu::sim {

class IcuModule final : public sc_core::sc_module, public IcuIf {
public:
  sc_core::sc_port<BarrierIf> barrier{"barrier"};

  /// `clocked`: the unit looks at the queue in every cycle and needs no events.
  IcuModule(sc_core::sc_module_name name, const isa::Program &program, int number, bool clocked, StepMonitor &monitor);

  /// Starts a step at absolute cycle `start`; null: no code.
  void begin(const DecodedQueue *code, isa::Cycle start);
  /// At the end of a step: reports a queue that is parked for good (overrun).
  void reportParked() const;

  Icu &core() override { return icu; }
  int number() const override { return queue; }
  const sc_core::sc_event &ready() const override { return due; }
  bool control(const Dispatch &d) override;
  void rearm() override;
  bool released() const override { return isReleased; }

private:
  void end_of_elaboration() override;
  void onRelease();
  bool notify(const Dispatch &d);
  bool illegal(const Dispatch &d, const char *why) const;

  Icu icu;
  const int queue;
  const bool clocked;
  StepMonitor &monitor;
  bool isReleased = false;
  Dispatch parkedBy;
  sc_core::sc_event due;
};

} // namespace lpu::sim
