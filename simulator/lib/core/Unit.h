// What all functional units share: where they stand, how they reach the streams,
// and how they report a hazard. Units execute dispatches at their own cycle;
// results go to later cycles only (every d_func ≥ 1), so units need no order
// among each other within a cycle.
#pragma once

#include "Faults.h"
#include "StreamFile.h"

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
  void attach(StreamFile &file) { streams = &file; }
  /// Executes a word; returns the cycle of its slowest effect (T1.5). After a
  /// hazard has been reported the return value does not matter.
  virtual Cycle execute(const Dispatch &d) = 0;

  /// Samples `count` streams from ref.stream on; false after reporting empty-stream.
  bool sampleGroup(const Dispatch &d, StreamRef ref, int count, VectorValue *out) const;
  void fault(std::string_view category, const Dispatch &d, std::string detail) const;

protected:
  /// A cycle as diagnostics show it: relative to the step's cycle 0.
  Cycle relative(Cycle t) const { return t - chip.faults.zero(); }

  /// The value on `ref` here and now; null after reporting empty-stream.
  const VectorValue *sample(const Dispatch &d, StreamRef ref) const;
  /// Drives here at d.time + latency; false after reporting stream-collision.
  bool drive(const Dispatch &d, StreamRef ref, Cycle latency, VectorValue value) const;

  ChipContext &chip;
  const int queue; ///< number of the queue this unit executes
  const int position;

private:
  StreamFile *streams = nullptr;
};

/// "e12" / "w3".
std::string streamName(StreamRef ref);

} // namespace lpu::sim
