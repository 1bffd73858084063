// What all functional units share: where they stand, how they reach the streams,
// and how they report a hazard. Units execute dispatches at their own cycle;
// results go to later cycles only (every d_func ≥ 1), so units need no order
// among each other within a cycle.
#pragma once

#include "Faults.h"
#include "StreamFile.h"
#include "Wires.h"

namespace lpu::sim {

/// Everything one chip's units work with.
struct ChipContext {
  const isa::Machine &machine;
  const isa::ChipClass &chipClass;
  FaultLog &faults;
  VectorPool &rows;  ///< lanes bytes
  VectorPool &words; ///< lanes × 4 bytes
  bool functional;   ///< false: values without payload
  Registers registers{};
};

class Unit {
public:
  /// Effect cycle of a dispatch that has none (T1.5).
  static constexpr Cycle kNoEffect = INT64_MIN;

  Unit(ChipContext &chip, int queue);
  virtual ~Unit() = default;

  /// Connects the unit to the streams it stands at.
  void attach(StreamFile &file) { streams = &file; }
  /// Executes a word, or (wired) a burst of it; returns the cycle of its
  /// slowest effect (T1.5). After a hazard has been reported the return value does not matter.
  virtual Cycle execute(const Dispatch &d) = 0;

  int number() const { return queue; } ///< of its queue
  /// Samples `count` streams from ref.stream on, of which `index` is the first that the word samples; false after
  /// reporting empty-stream.
  bool sampleGroup(const Dispatch &d, int index, StreamRef ref, int count, VectorValue *out) const {
    for (int i = 0; i < count; ++i)
      if (!sample(d, index + i, {ref.dir, static_cast<std::uint8_t>(ref.stream + i)}, out[i]))
        return false;
    return true;
  }
  void fault(std::string_view category, const Dispatch &d, std::string detail) const;

protected:
  /// A cycle as diagnostics show it: relative to the step's cycle 0.
  Cycle relative(Cycle t) const { return t - chip.faults.zero(); }

  /// The value on `ref` here and now, number `index` of what the word samples; false after reporting empty-stream.
  bool sample(const Dispatch &d, int index, StreamRef ref, VectorValue &value) const {
    if (!d.sources)
      return sampleStream(d, ref, value);
    if (chip.functional)
      value = chip.registers.value(d.sources[index], d.part);
    return true;
  }
  /// Drives here at d.time + latency, number `index` of the rows the word drives; false after reporting
  /// stream-collision.
  bool drive(const Dispatch &d, StreamRef ref, Cycle latency, VectorValue value, int index = 0) const {
    if (!d.sources)
      return driveStream(d, ref, latency, std::move(value));
    if (chip.functional && d.result != Registers::kNobody)
      chip.registers.rows[d.result + d.part + index] = std::move(value);
    return true;
  }
  /// The same for the low `bytes` bytes of 32-bit lanes, on as many streams.
  bool driveWords(const Dispatch &d, StreamRef ref, int bytes, Cycle latency, const VectorValue &words) const;

  ChipContext &chip;
  const int queue; ///< number of the queue this unit executes
  const int position;

private:
  bool sampleStream(const Dispatch &d, StreamRef ref, VectorValue &value) const;
  bool driveStream(const Dispatch &d, StreamRef ref, Cycle latency, VectorValue value) const;
  void reportCollision(const Dispatch &d, StreamRef ref, Cycle latency, const Producer &other) const;

  StreamFile *streams = nullptr;
};

/// "e12" / "w3".
std::string streamName(StreamRef ref);

} // namespace lpu::sim
