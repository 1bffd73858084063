// NOTIFY to release: one timed event, Barrier cycles long (T1.4).
#pragma once

#include "Interfaces.h"

namespace lpu::sim {

class Barrier final : public sc_core::sc_module, public BarrierIf {
public:
  Barrier(sc_core::sc_module_name name, const isa::Machine &machine);

  /// A new step: one more notify is legal.
  void begin() { used = false, isReleased = false; }
  const Producer *notify(const Producer &by) override;
  isa::Cycle releaseCycle() const override { return notifier.issued + latency; }
  const sc_core::sc_event &released() const override { return release; }
  /// Notified, release still to come.
  bool pending() const { return used && !isReleased; }
  bool done() const { return isReleased; }
  /// When this step was released; valid if done().
  sc_core::sc_time releaseTime() const { return releasedAt; }

private:
  void onRelease();

  const isa::Cycle latency;
  bool used = false, isReleased = false;
  Producer notifier;
  sc_core::sc_time releasedAt;
  sc_core::sc_event release;
};

} // namespace lpu::sim
