// What a step's queues dispatch, and when, read off their texts once per step
// program: after the release nothing but the text decides when a word
// dispatches (T1.3), so NOPs vanish, REPEATs become bursts, and the whole chip
// has one list in order of execution instead of a calendar entry per word.
#pragma once

#include "Wiring.h"

#include <memory>

namespace lpu::sim {

class Timeline {
public:
  /// Cycles by which a burst may be executed after its first sample.
  static constexpr Cycle kMaxLag = 32;

  /// `wiring`: of the same program, with nothing wired yet. Null for a program that fetches text, holds a word that is
  /// legal nowhere, or cannot be wired: then it is left to queues and streams to find out what happens.
  static std::unique_ptr<Timeline> of(const isa::Machine &machine, const std::vector<DecodedQueue> &queues,
                                      Wiring &&wiring);

  /// By cycle of execution, then queue.
  const std::vector<Issue> &issues() const { return list; }
  /// Dispatches of a queue that are not in the list: NOPs, and what `Wiring` leaves out.
  const Wiring::Idle &idle(int queue) const { return wiring.idle[queue]; }
  const Wiring &wires() const { return wiring; }

private:
  struct Burst {
    Dispatch dispatch;
    bool alone = true; ///< no other word of the queue dispatches between its copies
  };
  /// How copies of a word may be executed together, without anybody being able to tell.
  struct Rule {
    Cycle limit = 1;    ///< all within less than this many cycles; 1: each on its own
    bool early = false; ///< in the cycle of the first copy; else of the last
  };
  static Rule ruleOf(const isa::Machine &machine, const Op &op);
  bool walk(const DecodedQueue &queue, std::vector<Burst> &out);
  static std::vector<Cycle> installs(const std::vector<Burst> &activations);
  static void place(const isa::Machine &machine, int queue, const std::vector<Burst> &bursts,
                    const std::vector<Cycle> &cuts, std::vector<Issue> &out);
  void sortByCycle(const std::vector<Issue> &unsorted);

  explicit Timeline(Wiring &&unwired) : wiring(std::move(unwired)) {}
  bool layOut(const isa::Machine &machine, const std::vector<DecodedQueue> &queues);

  Wiring wiring;
  std::vector<Issue> list;
};

} // namespace lpu::sim
