// What all functional units share: where they stand, how they reach the streams,
// and how they report a hazard. Units execute dispatches at their own cycle;
// results go to later cycles only (every d_func ≥ 1), so units need no order
// among each other within a cycle.
#pragma once

#include "Faults.h"
#include "SlotStreamFile.h"

namespace lpu::sim {

/// Everything one chip's units work with.
struct ChipContext {
  const isa::Machine &machine;
  const isa::ChipClass &chipClass;
  FaultLog &faults;
  VectorPool &rows;  ///< lanes bytes
  VectorPool &words; ///< lanes × 4 bytes
  bool functional;   ///< false: values without payload
};

class Unit {
public:
  /// Effect cycle of a dispatch that has none (T1.5).
  static constexpr Cycle kNoEffect = INT64_MIN;

  Unit(ChipContext &chip, int queue);
  virtual ~Unit() = default;

  /// Connects the unit to the streams it stands at.
  void attach(StreamFile &file) {
    streams = &file;
    slots = file.slots();
  }
  /// Executes a word, or a burst of the kinds Timeline::Burst names; returns the cycle of its
  /// slowest effect (T1.5). After a hazard has been reported the return value does not matter.
  virtual Cycle execute(const Dispatch &d) = 0;

  int number() const { return queue; } ///< of its queue
  /// Samples `count` streams from ref.stream on; false after reporting empty-stream.
  bool sampleGroup(const Dispatch &d, StreamRef ref, int count, VectorValue *out) const;
  void fault(std::string_view category, const Dispatch &d, std::string detail) const;

protected:
  /// A cycle as diagnostics show it: relative to the step's cycle 0.
  Cycle relative(Cycle t) const { return t - chip.faults.zero(); }

  /// The value on `ref` here and now; false after reporting empty-stream.
  bool sample(const Dispatch &d, StreamRef ref, VectorValue &value) const;
  /// Drives here at d.time + latency; false after reporting stream-collision.
  bool drive(const Dispatch &d, StreamRef ref, Cycle latency, VectorValue value) const;
  /// Drives a burst's values here, from d.time + latency on; the caller fills in the payload. Reports collisions.
  /// `start`: the burst's first dispatch, if `d` is a later part of it.
  ValueRun &driveRun(const Dispatch &d, StreamRef ref, Cycle latency, Cycle start = kNoEffect) const;
  /// The run that all samples of a burst on `ref` find; null: sample one by one.
  const ValueRun *runAt(const Dispatch &d, StreamRef ref, std::int32_t &offset) const {
    return slots->runAt(ref, position, d.time, d.count, d.interval, offset);
  }

  ChipContext &chip;
  const int queue; ///< number of the queue this unit executes
  const int position;

private:
  void reportCollision(const Dispatch &d, StreamRef ref, Cycle latency, const Producer &other) const;

  StreamFile *streams = nullptr;
  SlotStreamFile *slots = nullptr; ///< the same; null in the clocked engine, which has no bursts
  mutable std::vector<SlotStreamFile::Collision> collisions;
};

/// "e12" / "w3".
std::string streamName(StreamRef ref);

} // namespace lpu::sim
