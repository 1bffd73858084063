// Chip-to-chip links (T7): one direction of a link as a FIFO of vectors with
// their arrival cycles, and the unit at a chip's end of a link.
#pragma once

#include "Unit.h"

#include <deque>
#include <optional>

namespace lpu::sim {

/// What is under way or waiting in one direction of one link.
class LinkFifo {
public:
  struct Entry {
    Cycle arrival;
    VectorValue value;
    Producer sender;
    int chip = 0; ///< of the sender
  };

  bool empty() const { return entries.empty(); }
  /// The oldest, waiting or under way; valid if there is one.
  const Entry &oldest() const { return entries.front(); }
  const Entry &newest() const { return entries.back(); }
  void push(Entry entry) { entries.push_back(std::move(entry)); }
  /// The oldest vector that has arrived by `now`; null: none.
  const Entry *front(Cycle now) const {
    return !entries.empty() && entries.front().arrival <= now ? &entries.front() : nullptr;
  }
  std::size_t size() const { return entries.size(); }
  void pop(Cycle now) {
    entries.pop_front();
    lastPop = now;
  }
  void reset() {
    entries.clear();
    lastPop = INT64_MIN;
  }
  /// Vectors waiting at the end of cycle `now` − 1; pops of `now` itself may have happened.
  int waitingBefore(Cycle now) const;
  /// The latest of those; valid if there is one in the FIFO.
  const Entry *latestBefore(Cycle now) const;

private:
  std::deque<Entry> entries;
  Cycle lastPop = INT64_MIN;
};

/// Takes vectors on their way out of a chip.
class LinkOut {
public:
  virtual ~LinkOut() = default;
  virtual void send(LinkFifo::Entry entry) = 0;
};

class C2cUnit final : public Unit {
public:
  C2cUnit(ChipContext &chip, int queue) : Unit(chip, queue) {}
  /// What leaves and what comes in on this link; null: unconnected.
  void connect(LinkOut *outgoing, LinkFifo *incoming) {
    out = outgoing;
    in = incoming;
  }
  Cycle execute(const Dispatch &d) override;
  void reset();
  /// Event engine: a vector is on its way in; everything before `now` has been executed. Returns when checkArrivals is
  /// to be called for it; kNoEffect: never.
  Cycle accept(LinkFifo::Entry entry, Cycle now);
  /// To be called in the cycle after an arrival in `in`: reports link-overflow.
  void checkArrivals(Cycle now) const;
  /// After a step that ended with a hazard: completes what is said about a vector that had not arrived. Not before all
  /// chips have got there, so that it does not depend on who ran ahead.
  void explainEmpty() const;
  /// At the end of a step: reports a vector that nobody has received (lost-vector).
  void checkLost() const;

private:
  bool connected(const Dispatch &d) const;
  Cycle send(const Dispatch &d);
  Cycle receive(const Dispatch &d);
  void reportOverflow(const LinkFifo::Entry &latest, int waiting) const;

  LinkOut *out = nullptr;
  LinkFifo *in = nullptr;
  Cycle lastSend = INT64_MIN;
  Cycle missed = INT64_MIN; ///< the first receive of the step that found nothing
};

} // namespace lpu::sim
