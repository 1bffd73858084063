// Which queues have a word due in which cycle (event engine). One SystemC event
// serves all queues of a cycle: it wakes one dispatching process per kind of
// unit, and each of them runs what its units have due. A cycle in which nothing
// is due costs nothing.
#pragma once

#include "Time.h"

#include <bit>
#include <memory>
#include <utility>
#include <vector>

namespace lpu::sim {

/// Something that is woken in given cycles: a queue's issue port, a plane's sums.
class Wakeable {
public:
  virtual ~Wakeable() = default;
  virtual void wake(isa::Cycle now) = 0;
};

class Calendar final : public sc_core::sc_module {
public:
  Calendar(sc_core::sc_module_name name, int capacity);

  /// A number for `schedule`. Entries of one group share a process and wake in
  /// the order they were added in. At most `capacity` entries.
  int add(int group, Wakeable &entry);
  /// Nothing is due any more (a new step).
  void clear();
  /// Wakes `entry` at cycle `at` ≥ `now`; of several calls for one cycle one counts.
  void schedule(int entry, isa::Cycle now, isa::Cycle at);

private:
  static constexpr isa::Cycle kRing = 256; ///< cycles ahead that have a slot of their own
  static constexpr isa::Cycle kNever = INT64_MAX;
  using Far = std::pair<isa::Cycle, int>;

  /// The process of one kind of unit.
  class Group final : public sc_core::sc_module {
  public:
    Group(sc_core::sc_module_name name, Calendar &calendar);
    std::vector<std::uint64_t> mask; ///< its entries

  private:
    void serve();
    Calendar &calendar;
  };

  void serve(const Group &group);
  /// After the last group of a cycle: notifies the next cycle with something due.
  void plan(isa::Cycle now);
  void put(int entry, isa::Cycle at);
  isa::Cycle nextBusy(isa::Cycle from) const;
  std::uint64_t *slot(isa::Cycle at) { return &due[static_cast<std::size_t>(at & (kRing - 1)) * words]; }

  const std::size_t words; ///< 64 entries each
  std::vector<std::uint64_t> due; ///< kRing slots of `words`: one bit per entry
  std::vector<std::uint64_t> busy; ///< one bit per slot that may hold something
  std::vector<Far> far;            ///< beyond the ring; heap, earliest first
  std::vector<Wakeable *> entries;
  std::vector<std::unique_ptr<Group>> groups;
  std::size_t served = 0; ///< groups that have run since the tick
  isa::Cycle planned = kNever;
  sc_core::sc_event tick;
};

} // namespace lpu::sim
