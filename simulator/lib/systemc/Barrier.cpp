// The barrier's only process notes that the queues are released.
#include "Barrier.h"

namespace lpu::sim {

Barrier::Barrier(sc_core::sc_module_name name, const isa::Machine &machine)
    : sc_module(name), latency(machine.latency.Barrier) {
  SC_HAS_PROCESS(Barrier);
  SC_METHOD(onRelease);
  sensitive << release;
  dont_initialize();
}

const Producer *Barrier::notify(const Producer &by) {
  if (used)
    return &notifier;
  used = true;
  notifier = by;
  release.notify(cycles(releaseCycle() - cycleNow()));
  return nullptr;
}

void Barrier::onRelease() { isReleased = true; }

} // namespace lpu::sim
