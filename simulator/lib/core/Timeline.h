// What a step's queues dispatch, and when, read off their texts once per step
// program: after the release nothing but the text decides when a word
// dispatches (T1.3), so NOPs vanish, REPEATs become bursts, and the whole chip
// has one list in order of execution instead of a calendar entry per word.
#pragma once

#include "Icu.h"

namespace lpu::sim {

class Timeline {
public:
  /// A dispatch and the cycle to execute it in, both counted from the release.
  struct Issue {
    Dispatch dispatch;
    Cycle at = 0;
    int queue = 0;
  };

  Timeline(const isa::Machine &machine, const std::vector<DecodedQueue> &queues);

  /// Does the list hold what this queue dispatches after the release? (Not if it fetches text,
  /// or holds a word that is legal nowhere.)
  bool covers(int queue) const { return covered[queue]; }
  /// By cycle of execution, then queue.
  const std::vector<Issue> &issues() const { return list; }
  /// Dispatches of a covered queue that are not in the list: NOPs.
  std::uint64_t idle(int queue) const { return idleWords[queue]; }

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
  void sortByCycle(std::vector<Issue> &unsorted);

  std::vector<bool> covered;
  std::vector<Issue> list;
  std::vector<std::uint64_t> idleWords; ///< per queue
};

} // namespace lpu::sim
