// When which unit of a chip has something to do (event engine): the step's
// timeline of dispatches, and a calendar for what is known only as it happens
// (words before the release, fetched text, sums that arrive). Until the release
// its SystemC process serves it, a quantum at a time: nothing that happens within
// one can come back through the barrier before it is over. From the release on the
// system's conductor runs the chip (play), perhaps in another thread, where
// SystemC is out of reach.
#pragma once

#include "../core/Faults.h"
#include "../core/Timeline.h"
#include "Time.h"

#include <functional>
#include <utility>
#include <vector>

namespace lpu::sim {

/// Something that is woken in given cycles: a queue's issue port, a plane's sums.
class Wakeable {
public:
  virtual ~Wakeable() = default;
  virtual void wake(isa::Cycle now) = 0;
};

/// A queue's issue port as the timeline uses it.
class Issuing {
public:
  virtual ~Issuing() = default;
  virtual void issue(const Dispatch &d) = 0;
};

class Calendar final : public sc_core::sc_module {
public:
  /// At most `capacity` entries.
  Calendar(sc_core::sc_module_name name, const isa::Machine &machine, const FaultLog &faults, int capacity);

  /// A number for `schedule`.
  int add(Wakeable &entry);
  /// Who executes what the timeline says of queue `number`; to be called in order of number.
  void addQueue(Issuing &port) { ports.push_back(&port); }
  /// A new step: nothing is due. `timeline` outlives it.
  void begin(const Timeline *timeline);
  /// Is called, in SystemC's thread, once per step when the queues have seen the release.
  void onSettled(std::function<void()> call) { settledCall = std::move(call); }
  /// Runs what is due from cycle `now` until before `limit`, after the release. Returns the next cycle in which
  /// something is due; kNever: nothing, or a hazard is in the way.
  isa::Cycle play(isa::Cycle now, isa::Cycle limit);
  /// Wakes `entry` at cycle `at` ≥ `now`; of several calls for one cycle one counts.
  void schedule(int entry, isa::Cycle now, isa::Cycle at);
  /// The barrier will release at `at`, where the timeline starts.
  void releaseAt(isa::Cycle at) { zero = at; }
  /// What dispatches after the release; null: what queues hand out.
  const Timeline *steps() const { return timeline; }

  static constexpr isa::Cycle kNever = INT64_MAX;

private:
  static constexpr isa::Cycle kRing = 256; ///< cycles ahead that have a slot of their own
  using Far = std::pair<isa::Cycle, int>;

  void serve();
  void runCycle(isa::Cycle now);
  void wakeEntries(isa::Cycle now);
  void put(int entry, isa::Cycle at);
  /// Next cycle ≥ `from` with something due.
  isa::Cycle nextDue(isa::Cycle from) const;
  isa::Cycle nextBusy(isa::Cycle from) const;
  void notify(isa::Cycle at);
  std::uint64_t *slot(isa::Cycle at) { return &due[static_cast<std::size_t>(at & (kRing - 1)) * words]; }

  const FaultLog &faults;
  const isa::Cycle quantum;        ///< cycles that are run in one go before the release
  const std::size_t words;         ///< 64 entries each
  std::vector<std::uint64_t> due;  ///< kRing slots of `words`: one bit per entry
  std::vector<std::uint64_t> busy; ///< one bit per slot that holds something
  std::vector<Far> far;            ///< beyond the ring; heap, earliest first
  std::vector<Wakeable *> entries;
  std::vector<Issuing *> ports;
  const Timeline *timeline = nullptr;
  std::size_t next = 0;     ///< of the timeline
  isa::Cycle zero = kNever; ///< the release
  bool settled = false;     ///< queues have seen the release
  bool serving = false;
  isa::Cycle planned = kNever;
  std::function<void()> settledCall;
  sc_core::sc_event tick;
};

} // namespace lpu::sim
