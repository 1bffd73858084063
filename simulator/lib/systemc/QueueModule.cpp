// Dispatch. In the event engine a unit wakes only in cycles in which its queue
// has a word due; in the clocked engine it looks in every cycle.
#include "QueueModule.h"

#include <cstring>
#include <fmt/format.h>

namespace lpu::sim {

QueueModule::QueueModule(sc_core::sc_module_name name, Unit &unit, const isa::Machine &machine, Calendar *calendar,
                         StepMonitor &monitor)
    : sc_module(name), unit(unit), machine(machine), id(isa::queueAt(machine, unit.number())), calendar(calendar),
      monitor(monitor) {}

void QueueModule::end_of_elaboration() {
  unit.attach(streams->file());
  queue = &icu->core();
  if (calendar)
    return;
  SC_HAS_PROCESS(QueueModule);
  SC_METHOD(look);
  sensitive << streams->settled();
  dont_initialize();
}

void QueueModule::wake(Cycle now) {
  if (queue->due() != now || monitor.faults.blocks(now))
    return;
  Dispatch d = queue->take(now);
  if (queue->underflow()) {
    monitor.faults.report("queue-underflow", now, icu->number(), nullptr,
                          fmt::format("a word is due at t={} and has not been fetched", now - monitor.faults.zero()));
    return;
  }
  if (d.op) {
    monitor.dispatched(icu->number(), d);
    if (!execute(d))
      return;
    countOp(machine, id, *d.op, 1, monitor.counts);
  }
  icu->rearm(now);
}

void QueueModule::issue(const Dispatch &d) {
  if (monitor.faults.blocks(d.time))
    return;
  monitor.dispatched(unit.number(), d);
  if (d.op->kind == OpKind::Config)
    monitor.effect(d.time + 1);
  else
    executeUnit(d);
}

void QueueModule::executeUnit(const Dispatch &d) {
  monitor.effect(unit.execute(d));
  executed(d);
}

bool QueueModule::execute(const Dispatch &d) {
  if (d.op->kind == OpKind::Unit && icu->released()) {
    executeUnit(d);
    return true; // if it was a hazard, nothing later will dispatch
  }
  if (!icu->control(d))
    return false;
  if (d.op->kind == OpKind::Config)
    monitor.effect(d.time + 1);
  return d.op->kind != OpKind::IFetch || fetch(d);
}

bool QueueModule::fetch(const Dispatch &d) {
  if (queue->resident()) {
    unit.fault("illegal-encoding", d, "ifetch in a program whose queues hold their whole text (T8)");
    return false;
  }
  if (queue->freeWords() < queue->fetchWords()) {
    unit.fault(
        "queue-overflow", d,
        fmt::format("{} words arrive, {} of {} are free", queue->fetchWords(), queue->freeWords(), machine.queueWords));
    return false;
  }
  VectorValue rows[2];
  if (!unit.sampleGroup(d, 0, d.op->link, 2, rows))
    return false;
  std::vector<std::uint8_t> bytes;
  for (const VectorValue &row : rows)
    if (row.hasPayload())
      bytes.insert(bytes.end(), row.data(), row.data() + machine.rowBytes());
  Cycle at = d.time + machine.latency.IFetch;
  queue->append(bytes.empty() ? nullptr : bytes.data(), at);
  monitor.effect(at);
  return true;
}

} // namespace lpu::sim
