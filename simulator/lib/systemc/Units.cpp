// Processes of unit modules beyond dispatch: what must be noticed even if no
// word is issued for it (a sum nobody takes, a link nobody empties).
#include "Units.h"

#include <limits>

namespace lpu::sim {

MxmModule::MxmModule(sc_core::sc_module_name name, ModuleContext &context, int weightQueue)
    : sc_module(name), core(context.chip, weightQueue), calendar(context.calendar) {
  Unit *units[3] = {&core.weights(), &core.activations(), &core.results()};
  const char *names[3] = {"w", "a", "r"};
  for (int port = 0; port < 3; ++port)
    queues[port] = std::make_unique<MxmQueueModule>(names[port], *units[port], context, *this);
  if (calendar) {
    entry = calendar->add(*this);
    return;
  }
  SC_HAS_PROCESS(MxmModule);
  SC_METHOD(checkArrivals);
  sensitive << sumDue;
  dont_initialize();
}

void MxmModule::checkArrivals() {
  const Cycle now = cycleNow();
  wake(now);
  if (core.nextArrival() != std::numeric_limits<Cycle>::max())
    sumDue.notify(cycles(core.nextArrival() + 1 - now));
}

void MxmModule::played(Cycle now) {
  if (core.nextArrival() == std::numeric_limits<Cycle>::max())
    return; // it was a hazard
  // Sums arrive in order of play, so a notification already pending is earlier and stays.
  if (!calendar)
    return sumDue.notify(cycles(core.nextArrival() + 1 - now));
  if (!watching)
    calendar->schedule(entry, now, core.latestArrival() + 1);
  watching = true;
}

void MxmModule::wake(Cycle now) {
  core.checkArrivals(now);
  watching = calendar && core.nextArrival() != std::numeric_limits<Cycle>::max();
  if (watching)
    calendar->schedule(entry, now, core.latestArrival() + 1);
}

void MxmModule::reset() {
  core.reset();
  watching = false;
}

void MxmQueueModule::executed(const Dispatch &d) {
  if (d.op->opcode == isa::Opcode::Activate && d.op->activate.play)
    parent.played(d.time);
}

void C2cModule::end_of_elaboration() {
  QueueModule::end_of_elaboration();
  if (link.size() == 0)
    return;
  core.connect(&link->outgoing(), &link->incoming());
  if (calendar) {
    overflow.entry = calendar->add(overflow);
    return;
  }
  SC_HAS_PROCESS(C2cModule);
  SC_METHOD(checkArrivals);
  sensitive << link->arrived();
  dont_initialize();
}

void C2cModule::accept(LinkFifo::Entry entry, Cycle now) {
  if (const Cycle check = core.accept(std::move(entry), now); check != Unit::kNoEffect)
    calendar->schedule(overflow.entry, now, check);
}

} // namespace lpu::sim
