// Links. How many vectors wait is judged at the end of an arrival's cycle, so
// that a pop in the same cycle counts whichever process ran first.
#include "C2c.h"

#include <fmt/format.h>

namespace lpu::sim {

int LinkFifo::waitingBefore(Cycle now) const {
  int count = lastPop == now ? 1 : 0;
  for (const Entry &entry : entries) {
    if (entry.arrival >= now)
      break;
    ++count;
  }
  return count;
}

const LinkFifo::Entry *LinkFifo::latestBefore(Cycle now) const {
  const Entry *latest = nullptr;
  for (const Entry &entry : entries)
    if (entry.arrival < now)
      latest = &entry;
  return latest;
}

void C2cUnit::reset() {
  lastSend = missed = INT64_MIN;
  if (in)
    in->reset();
}

Cycle C2cUnit::execute(const Dispatch &d) {
  switch (d.op->opcode) {
  case isa::Opcode::Send:
    return connected(d) ? send(d) : kNoEffect;
  case isa::Opcode::Receive:
    return connected(d) ? receive(d) : kNoEffect;
  default: // deskew: clocks are modelled aligned
    return kNoEffect;
  }
}

bool C2cUnit::connected(const Dispatch &d) const {
  if (out)
    return true;
  fault("link-unconnected", d,
        fmt::format("nothing is attached to {}", isa::queueName(isa::queueAt(chip.machine, queue))));
  return false;
}

Cycle C2cUnit::send(const Dispatch &d) {
  const Cycle interval = chip.machine.c2cVectorInterval;
  if (lastSend != INT64_MIN && d.time < lastSend + interval) {
    fault("link-busy", d,
          fmt::format("sends at t={}, but the send of t={} occupies the link until {} + {} = {}", relative(d.time),
                      relative(lastSend), relative(lastSend), interval, relative(lastSend) + interval));
    return kNoEffect;
  }
  VectorValue value;
  if (!sample(d, 0, d.op->link, value))
    return kNoEffect;
  lastSend = d.time;
  Cycle arrival = d.time + chip.machine.latency.C2cSend;
  out->send({arrival, std::move(value), {queue, d.time, d.op}});
  return arrival;
}

Cycle C2cUnit::receive(const Dispatch &d) {
  const LinkFifo::Entry *entry = in->front(d.time);
  if (!entry) {
    if (missed == INT64_MIN)
      missed = d.time;
    fault("link-empty", d, fmt::format("nothing has arrived by t={}", relative(d.time)));
    return kNoEffect;
  }
  VectorValue value = entry->value;
  in->pop(d.time);
  Cycle latency = chip.machine.latency.C2cReceive;
  return drive(d, d.op->link, latency, std::move(value)) ? d.time + latency : kNoEffect;
}

void C2cUnit::explainEmpty() const {
  // What was sent by then is under way: whoever sends has run until the hazard, too.
  if (missed != INT64_MIN && !in->empty() && in->oldest().sender.issued <= missed)
    chip.faults.amend(missed, queue, fmt::format("; the next vector arrives at t={}", relative(in->oldest().arrival)));
}

Cycle C2cUnit::accept(LinkFifo::Entry entry, Cycle now) {
  const Cycle arrival = entry.arrival;
  in->push(std::move(entry));
  const int waiting = static_cast<int>(in->size());
  if (waiting <= chip.machine.c2cFifoVectors)
    return kNoEffect; // and pops only make room
  if (arrival >= now)
    return arrival + 1;
  // Ahead of the arrival already, so with no receive after it: all that was popped was popped before.
  reportOverflow(in->newest(), waiting);
  return kNoEffect;
}

void C2cUnit::checkArrivals(Cycle now) const {
  if (!in || in->waitingBefore(now) <= chip.machine.c2cFifoVectors)
    return;
  const LinkFifo::Entry *latest = in->latestBefore(now);
  if (latest && latest->arrival == now - 1)
    reportOverflow(*latest, in->waitingBefore(now));
}

void C2cUnit::reportOverflow(const LinkFifo::Entry &latest, int waiting) const {
  chip.faults.report("link-overflow", latest.arrival, latest.chip, latest.sender.queue, latest.sender.op,
                     fmt::format("the vector sent at t={} arrives at t={} and is number {} waiting; the link holds {}",
                                 relative(latest.sender.issued), relative(latest.arrival), waiting,
                                 chip.machine.c2cFifoVectors));
}

void C2cUnit::checkLost() const {
  if (!in || in->empty())
    return;
  const LinkFifo::Entry &entry = in->oldest();
  chip.faults.report("lost-vector", entry.arrival, entry.chip, entry.sender.queue, entry.sender.op,
                     fmt::format("the vector sent at t={} arrives at t={} and is never received by {}",
                                 relative(entry.sender.issued), relative(entry.arrival),
                                 isa::queueName(isa::queueAt(chip.machine, queue))));
}

} // namespace lpu::sim
