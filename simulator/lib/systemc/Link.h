// A chip's end of a link as a channel (T7): the vectors under way to it or
// waiting, and where those it sends go to. Where one chip stands for several,
// what it sends goes to each simulated chip that would get it from one of them,
// as much later as that one starts after it.
#pragma once

#include "Interfaces.h"

#include <vector>

namespace lpu::sim {

class Link final : public sc_core::sc_module, public LinkIf, public LinkOut {
public:
  explicit Link(sc_core::sc_module_name name) : sc_module(name), way(*this) {}

  /// What is sent here goes to `end`.
  void addTarget(LinkOut &end) { targets.push_back({&end, 0, 0}); }
  /// For the coming step: target `index` gets it from chip `chip`, `delay` cycles later than this one sends.
  void setTarget(std::size_t index, int chip, isa::Cycle delay) {
    targets[index].chip = chip;
    targets[index].delay = delay;
  }

  void send(LinkFifo::Entry entry) override {
    for (const Target &target : targets) {
      LinkFifo::Entry copy = entry;
      copy.arrival += target.delay;
      copy.sender.issued += target.delay;
      copy.chip = target.chip;
      target.end->send(std::move(copy));
    }
  }
  LinkOut &outgoing() override { return *this; }
  LinkFifo &incoming() override { return fifo; }
  const sc_core::sc_event &arrived() const override { return arrivals.default_event(); }

  /// Clocked engine: the target that leads here.
  LinkOut &wayIn() { return way; }
  /// The latest arrival that came that way so far, absolute.
  isa::Cycle lastArrival() const { return latest; }

private:
  struct Target {
    LinkOut *end;
    int chip;
    isa::Cycle delay;
  };
  struct Way final : LinkOut {
    explicit Way(Link &link) : link(link) {}
    void send(LinkFifo::Entry entry) override { link.deliver(std::move(entry)); }
    Link &link;
  };
  /// A newer vector must not hide an older arrival: sc_event_queue keeps every notification.
  void deliver(LinkFifo::Entry entry) {
    latest = entry.arrival;
    arrivals.notify(cycles(entry.arrival + 1 - cycleNow()));
    fifo.push(std::move(entry));
  }

  std::vector<Target> targets;
  LinkFifo fifo;
  Way way;
  isa::Cycle latest = 0;
  sc_core::sc_event_queue arrivals;
};

} // namespace lpu::sim
