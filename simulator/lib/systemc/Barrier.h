// NOTIFY to release: one timed event, Barrier cycles long (T1.4).
#pragma once

#include "Interfaces.h"

namespace lpu::sim {

class Barrier final : public sc_core::sc_module, public BarrierIf {
public:
  Barrier(sc_core::sc_module_name name, const isa::Machine &machine);

  /// A new step: one more notify is legal. This chip's queues begin `start` cycles after the release.
  void begin(isa::Cycle start) { used = false, isReleased = false, offset = start; }
  const Producer *notify(const Producer &by) override;
  isa::Cycle releaseCycle() const override { return notifier.issued + latency + offset; }
  const sc_core::sc_event &released() const override { return release; }
  /// Notified, release still to come.
  bool pending() const { return used && !isReleased; }
  bool done() const { return isReleased; }

private:
  void onRelease();

  const isa::Cycle latency;
  isa::Cycle offset = 0;
  bool used = false, isReleased = false;
  Producer notifier;
  sc_core::sc_event release;
};

} // namespace lpu::sim
