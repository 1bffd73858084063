// The clocked engine's edge: shift first, then tell the queues (one delta cycle
// later), so that everything sampled in a cycle is that cycle's value.
#include "Streams.h"

namespace lpu::sim {

ClockedStreams::ClockedStreams(sc_core::sc_module_name name, const isa::Machine &machine)
    : sc_module(name), registers(machine) {
  SC_HAS_PROCESS(ClockedStreams);
  SC_METHOD(shift);
  sensitive << clock.pos();
  dont_initialize();
}

void ClockedStreams::shift() {
  registers.advance(cycleNow());
  for (std::size_t p = 0; vcd && p < vcd->probed().size(); ++p)
    vcd->sample(p, cycleNow(), registers.peek(vcd->probed()[p].ref, vcd->probed()[p].position));
  shifted.notify(sc_core::SC_ZERO_TIME);
}

} // namespace lpu::sim
