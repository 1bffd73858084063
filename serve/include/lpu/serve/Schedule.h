// The one place that knows when requests start, in virtual time. The server, the
// quote endpoint and the load study ask the same object; it is a pure function of
// what it is told: arrivals, lengths, and how far sequences have come.
//
// Knowledge grows. A server learns step by step how long a sequence is; a study
// knows at once. Answers never depend on when something was learned, only on the
// virtual times themselves: a start is given out when nothing that may still be
// learned could change it.
//
// The interface speaks of steps and their ends, not of sums, so that schedules whose
// stages overlap (several users or chunks of a prompt under way in a pipeline at
// once) can stand behind it.
#pragma once

#include "lpu/serve/Timing.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

namespace lpu::serve {

/// A sequence that has been admitted.
using Ticket = std::uint64_t;

struct Placement {
  unsigned system = 0, slot = 0;
  Cycle start = 0;
};

/// When a sequence would start at the latest.
struct StartBound {
  Cycle start = 0;
  bool exact = false; ///< it starts then, whatever sequences before it do
};

class Schedule {
public:
  virtual ~Schedule() = default;

  /// `arrival` must not lie before that of the sequence admitted last, `work` must have passed Timing::check.
  virtual Ticket admit(Cycle arrival, const Work &work) = 0;
  /// `steps` of its steps are done, and it goes on. May be told before its start is known: values do not depend on it.
  virtual void progress(Ticket ticket, std::uint64_t steps) = 0;
  /// It has ended after `steps` steps, one at least.
  virtual void finish(Ticket ticket, std::uint64_t steps) = 0;
  /// It was given up after `steps` steps: without a start it takes no time, else one step at least.
  virtual void cancel(Ticket ticket, std::uint64_t steps) = 0;
  /// The caller will not ask about it again. Every ticket is to be released, once it has ended or was given up.
  virtual void release(Ticket ticket) = 0;

  /// Where and when it starts; none: not known yet.
  virtual std::optional<Placement> placement(Ticket ticket) const = 0;
  /// When step `step` of a placed sequence ends.
  virtual Cycle stepEnd(Ticket ticket, std::uint64_t step) const = 0;
  /// When token `index` of a placed sequence is there.
  virtual Cycle tokenEnd(Ticket ticket, std::uint64_t index) const = 0;

  /// The start of a sequence that would arrive at `arrival` (not before the last one admitted) and be admitted,
  /// from what is certain at that virtual time: ends that lie behind it count as not yet known.
  virtual StartBound bound(Cycle arrival) const = 0;
  /// The same of sequences that would arrive together, in this order; each takes as long as it may.
  virtual std::vector<StartBound> bounds(Cycle arrival, std::span<const Work> works) const = 0;
  /// When so many of a tier's slots (from 1 to all) are free at once at the latest, if nobody comes any more.
  virtual Cycle freeBy(Cycle arrival, unsigned count, Tier tier = Tier::Shared) const = 0;
  /// When each of those that wait at that time starts at the latest, ascending.
  virtual std::vector<Cycle> waitingStarts(Cycle at) const = 0;
  /// Sequences that wait at that time: admitted, and started later or not at all.
  virtual std::size_t waiting(Cycle at) const = 0;
  /// Sequences that run at that time.
  virtual std::size_t running(Cycle at) const = 0;
  /// The virtual time up to which everything is known: it moves with the work that was done, stands while there is
  /// none, and never goes back.
  virtual Cycle now() const = 0;
  /// All ends up to that time are known. It goes back when somebody arrives who has not come so far; none: nobody is
  /// under way, and all is known.
  virtual std::optional<Cycle> certainUntil() const = 0;

  virtual unsigned systems() const = 0;
  /// Users of all systems together that a tier may have.
  virtual unsigned slots(Tier tier = Tier::Reserved) const = 0;
  /// As it stands, to go on for itself.
  virtual std::unique_ptr<Schedule> clone() const = 0;
};

/// First come, first served, over `systems` equal systems with the users that Timing names. A sequence takes the slot
/// that lets it start first, of equal ones the first. Users of one system start together at the ends of its frames; a
/// system that is idle begins a frame when someone comes. `timing` must outlive the schedule.
std::unique_ptr<Schedule> createSchedule(const Timing &timing, unsigned systems);
/// The same, with the first `reserved` systems, less than all, for Tier::Reserved. What is reserved or shared is
/// decided when a sequence arrives, so that bounds of one tier do not depend on what comes in others later.
std::unique_ptr<Schedule> createTieredSchedule(const Timing &timing, unsigned systems, unsigned reserved);

} // namespace lpu::serve
