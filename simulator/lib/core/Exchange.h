// A process among those that simulate a system together: vectors on their way to
// chips of other ranks and from there, hazards, and the ends of steps; between
// steps what rank 0 asks for. Cycles are counted from the step's cycle 0, which
// each process has at a time of its own.
#pragma once

#include "Conductor.h"
#include "Message.h"

#include "lpu/sim/Simulator.h"

#include <deque>
#include <map>
#include <memory>
#include <set>

namespace lpu::sim {

class Exchange final : public Elsewhere {
public:
  Exchange(Ranks &ranks, const isa::Machine &machine) : ranks(ranks), machine(machine) {}

  int rank() const { return ranks.rank(); }
  int count() const { return ranks.count(); }

  /// What comes for cable number `cable` from `rank` goes to `channel`.
  void addRoute(std::size_t cable, int rank, Channel &channel);
  /// The end of cable number `cable`, which is on `rank`; lives as long as the exchange.
  Outlet &outlet(std::size_t cable, int rank);

  /// A step begins, whose cycle 0 is the absolute cycle `zero`; channels have begun.
  void begin(Cycle zero, EarliestHazard &hazard);
  bool poll() override;
  void hazardAt(Cycle cycle) override;
  /// All chips here are done: returns when those that chips here hear from are, and all they sent has come.
  void finish();

  /// Between steps.
  void tell(int to, Message message) { ranks.send(to, message.take()); }
  void tellAll(const Message &message);
  /// Waits for the next message of `from`.
  Message hear(int from);

private:
  class RemoteEnd;
  struct Route {
    Channel *channel;
    int rank;
    isa::Word word{};   ///< of the latest send
    std::deque<Op> ops; ///< sends by way of which vectors have come; what is waiting refers to them
  };
  Message stepMessage(Message::Kind kind) const;
  void sort(int from, Message message);
  void deliver(int from, Message &message);
  void deliverParcel(Message &message);
  const Op *opOf(Route &route, int queue, const isa::Word &word);
  template <typename Until> void pollUntil(Until until);

  Ranks &ranks;
  const isa::Machine &machine;
  std::map<std::size_t, Route> routes;
  std::vector<std::unique_ptr<Outlet>> ends;
  std::set<int> neighbours; ///< ranks that chips here send to or hear from

  std::mutex delivery; ///< of what follows: one thread delivers at a time, in order
  std::uint32_t step = 0;
  bool running = false;
  Cycle zero = 0;
  EarliestHazard *hazard = nullptr;
  std::atomic<Cycle> known = EarliestHazard::kNone; ///< hazard all ranks have been told of, absolute
  std::set<int> ended;                              ///< neighbours whose step is over
  std::deque<std::pair<int, Message>> early;        ///< of a step that has not begun here
  std::deque<std::pair<int, Message>> mail;         ///< between steps
};

} // namespace lpu::sim
