// Processes of unit modules beyond dispatch: what must be noticed even if no
// word is issued for it (a sum nobody takes, a link nobody empties).
#include "Units.h"

#include <limits>

namespace lpu::sim {

MxmModule::MxmModule(sc_core::sc_module_name name, ModuleContext &context, int weightQueue)
    : sc_module(name), core(context.chip, weightQueue) {
  SC_HAS_PROCESS(MxmModule);
  Unit *units[3] = {&core.weights(), &core.activations(), &core.results()};
  const char *names[3] = {"w", "a", "r"};
  for (int port = 0; port < 3; ++port)
    queues[port] = std::make_unique<MxmQueueModule>(names[port], *units[port], context, core, sumDue);
  SC_METHOD(checkArrivals);
  sensitive << sumDue;
  dont_initialize();
}

void MxmModule::checkArrivals() {
  const Cycle now = cycleNow();
  core.checkArrivals(now);
  if (core.nextArrival() != std::numeric_limits<Cycle>::max())
    sumDue.notify(cycles(core.nextArrival() + 1 - now));
}

void MxmQueueModule::executed(const Dispatch &d) {
  // Sums arrive in order of play, so a notification already pending is earlier and stays.
  if (d.op->opcode == isa::Opcode::Activate && d.op->activate.play)
    sumDue.notify(cycles(plane.nextArrival() + 1 - d.time));
}

void C2cModule::end_of_elaboration() {
  QueueModule::end_of_elaboration();
  if (link.size() == 0)
    return;
  core.connect(&link->outgoing(number), &link->incoming(number));
  SC_HAS_PROCESS(C2cModule);
  SC_METHOD(checkArrivals);
  sensitive << link->arrived(number);
  dont_initialize();
}

void C2cModule::executed(const Dispatch &d) {
  if (d.op->opcode == isa::Opcode::Send)
    link->sent(number);
}

void C2cModule::checkArrivals() { core.checkArrivals(cycleNow()); }

} // namespace lpu::sim
