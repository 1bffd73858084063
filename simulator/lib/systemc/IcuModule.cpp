// Queue control in SystemC time. Before the release of a step's barrier only
// SYNC and NOTIFY are legal, and after it neither may notify again (T1.4).
#include "IcuModule.h"

namespace lpu::sim {

IcuModule::IcuModule(sc_core::sc_module_name name, const isa::Program &program, int number, Calendar *calendar,
                     StepMonitor &monitor)
    : sc_module(name), icu(program.machine, isa::queueAt(program.machine, number), program.residentCode), queue(number),
      calendar(calendar), monitor(monitor) {}

void IcuModule::end_of_elaboration() {
  SC_HAS_PROCESS(IcuModule);
  SC_METHOD(onRelease);
  sensitive << barrier->released();
  dont_initialize();
}

void IcuModule::begin(const DecodedQueue *code, isa::Cycle start) {
  icu.begin(code, start);
  isReleased = false;
  parkedBy = {};
  if (icu.due() == Icu::kNever)
    return;
  ++monitor.running;
  rearm(cycleNow());
}

void IcuModule::rearm(isa::Cycle now) {
  if (icu.due() == Icu::kNever)
    --monitor.running;
  else if (calendar)
    calendar->schedule(entry, now, icu.due());
}

void IcuModule::onRelease() {
  if (!icu.parked() || isReleased)
    return;
  isReleased = true;
  const isa::Cycle now = cycleNow();
  if (const Timeline *timeline = calendar ? calendar->steps() : nullptr) {
    icu.leave();
    const Wiring::Idle &idle = timeline->idle(queue);
    monitor.instructions += idle.words;
    if (idle.effect != Unit::kNoEffect)
      monitor.effect(now + idle.effect);
    return;
  }
  icu.release(now);
  if (icu.due() == Icu::kNever)
    return;
  ++monitor.running;
  if (calendar)
    calendar->schedule(entry, now, now);
}

bool IcuModule::illegal(const Dispatch &d, const char *why) const {
  monitor.faults.report("illegal-encoding", d.time, queue, d.op, why);
  return false;
}

bool IcuModule::notify(const Dispatch &d) {
  if (isReleased)
    return illegal(d, "notify after the release: a step has exactly one barrier (T1.4)");
  const Producer *other = barrier->notify({queue, d.time, d.op});
  if (!other) {
    if (calendar)
      calendar->releaseAt(barrier->releaseCycle());
    return true;
  }
  // Of two in one cycle the higher queue number is to blame, whichever ran first.
  bool blameOther = other->issued == d.time && other->queue > queue;
  monitor.faults.report("illegal-encoding", d.time, blameOther ? other->queue : queue, d.op,
                        "a second notify: a step has exactly one barrier (T1.4)");
  return false;
}

bool IcuModule::control(const Dispatch &d) {
  switch (d.op->kind) {
  case OpKind::Illegal:
    return illegal(d, d.op->problem);
  case OpKind::Sync:
    parkedBy = d;
    return true;
  case OpKind::Notify:
    return notify(d);
  default:
    return isReleased || illegal(d, "dispatched before the release: a queue starts with sync (T1.4)");
  }
}

void IcuModule::reportParked() const {
  if (icu.parked())
    monitor.faults.report("overrun", parkedBy.time, queue, parkedBy.op,
                          isReleased
                              ? "parked by a second sync, and a step has exactly one barrier: this queue never ends"
                              : "parked, and no notify releases this step: this queue never starts");
}

} // namespace lpu::sim
