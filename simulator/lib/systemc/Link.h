// A link between two C2C units as a channel: two directions, each a FIFO of
// vectors under way or waiting (T7).
#pragma once

#include "Interfaces.h"

#include <array>

namespace lpu::sim {

class Link final : public sc_core::sc_module, public LinkIf {
public:
  /// Joins the units of queues `a` and `b`, which may be one and the same.
  Link(sc_core::sc_module_name name, const isa::Machine &machine, int a, int b)
      : sc_module(name), latency(machine.latency.C2cSend), ends{a, b} {}

  LinkFifo &outgoing(int queue) override { return fifos[endOf(queue)]; }
  LinkFifo &incoming(int queue) override { return fifos[otherEnd(queue)]; }
  /// Sends are further apart than one cycle, but a newer send must not hide an
  /// older arrival: sc_event_queue keeps every notification.
  void sent(int queue, isa::Cycle at, isa::Cycle early) override {
    arrivals[endOf(queue)].notify(cycles(at + latency + 1 - early - cycleNow()));
  }
  const sc_core::sc_event &arrived(int queue) const override { return arrivals[otherEnd(queue)].default_event(); }

private:
  int endOf(int queue) const { return queue == ends[0] ? 0 : 1; }
  int otherEnd(int queue) const { return ends[0] == ends[1] ? 0 : 1 - endOf(queue); }

  const isa::Cycle latency;
  const std::array<int, 2> ends;
  std::array<LinkFifo, 2> fifos; ///< by sending end
  std::array<sc_core::sc_event_queue, 2> arrivals;
};

} // namespace lpu::sim
