// Streams of the event engine: values keyed by (direction, stream, τ), where
// τ = t − p (east) or t + p (west) is constant along the way. A sample picks
// the nearest producer upstream on its slot; nothing moves per cycle. A burst is
// one run of equally spaced τ, driven and sampled as a whole.
#pragma once

#include "StreamFile.h"

#include <span>
#include <vector>

namespace lpu::sim {

/// The values of a burst on one stream: `count` of them, `interval` apart in τ, driven at one position.
struct ValueRun {
  Cycle tau = 0, lastTau = 0, interval = 1;
  std::int32_t count = 0;
  int position = 0;
  Producer first; ///< of the first value; the others were issued `interval` cycles apart
  /// Values as rows in memory, `stride` bytes apart; null: `values`, empty without payload.
  const std::uint8_t *bytes = nullptr;
  std::ptrdiff_t stride = 0;
  std::vector<VectorValue> values;

  bool covers(Cycle t) const {
    return t >= tau && t <= lastTau && (interval == 1 || (t - tau) % interval == 0);
  }
  VectorValue value(std::int32_t k) const {
    if (bytes)
      return VectorValue::view(bytes + k * stride);
    return values.empty() ? VectorValue() : values[k];
  }
  /// The payload is byte `index` of each of these 32-bit lanes.
  void setPlanes(const std::vector<VectorValue> &words, int index) {
    for (const VectorValue &value : words)
      values.push_back(VectorValue::planeOf(value, index));
  }
  Producer producer(std::int32_t k) const { return {first.queue, first.issued + k * interval, first.op}; }
};

class SlotStreamFile final : public StreamFile {
public:
  /// Cycles by which a burst may be executed after its first sample.
  static constexpr Cycle kMaxLag = 32;

  explicit SlotStreamFile(const isa::Machine &machine);

  const Producer *drive(StreamRef ref, int position, Cycle time, VectorValue value, const Producer &by) override;
  bool sample(StreamRef ref, int position, Cycle now, VectorValue *value) const override;
  int nearest(StreamRef ref, int position, Cycle now, int reach) const override;
  void reset() override;
  SlotStreamFile *slots() override { return this; }

  struct Collision {
    std::int32_t copy; ///< of the values driven now
    Producer with;
  };
  /// Drives `count` values from cycle `time` on, `interval` cycles apart; no sample will be of a cycle before
  /// `now` − kMaxLag any more. Returns the run, whose payload the caller fills in; what it collides with is appended
  /// to `collisions`.
  ValueRun &driveRun(StreamRef ref, int position, Cycle time, std::int32_t count, Cycle interval, const Producer &by,
                     Cycle now, std::vector<Collision> &collisions);
  /// The one run that all of `count` samples at `position` find, its value `offset` first; null: sample one by one.
  const ValueRun *runAt(StreamRef ref, int position, Cycle time, std::int32_t count, Cycle interval,
                        std::int32_t &offset) const;

private:
  struct Entry {
    int position;
    VectorValue value;
    Producer producer;
  };
  /// Runs of one stream, oldest first, in a ring whose members keep their storage.
  struct Line {
    std::vector<ValueRun> ring = std::vector<ValueRun>(8);
    std::size_t head = 0, tail = 0; ///< count up; index modulo the ring's size
    Cycle lastSingle = kNoTau;      ///< largest τ of a value driven alone
    Cycle lastRun = kNoTau;         ///< largest τ of a run
    /// Where to stop looking, newest first, for runs that hold τ.
    std::size_t oldest(Cycle tau) const { return tau <= lastRun ? head : tail; }
    ValueRun &at(std::size_t i) { return ring[i & (ring.size() - 1)]; }
    const ValueRun &at(std::size_t i) const { return ring[i & (ring.size() - 1)]; }
    void grow();
  };
  static constexpr Cycle kNoTau = INT64_MIN;
  static Cycle tauOf(StreamRef ref, int position, Cycle time) {
    return ref.dir == Direction::East ? time - position : time + position;
  }
  /// Positions from a producer down to a consumer; negative: it does not pass there.
  static int behind(StreamRef ref, int producer, int consumer) {
    return ref.dir == Direction::East ? consumer - producer : producer - consumer;
  }
  std::size_t lineOf(StreamRef ref) const { return static_cast<std::size_t>(ref.dir) * streams + ref.stream; }
  std::size_t indexOf(StreamRef ref, Cycle tau) const {
    return lineOf(ref) * ring + (static_cast<std::size_t>(tau) & (ring - 1));
  }
  const Producer *singleAt(StreamRef ref, int position, Cycle tau) const;

  std::size_t streams;
  Cycle keep;       ///< how far τ of the slots in use can be apart
  std::size_t ring; ///< power of two, longer than that
  std::vector<Cycle> taus;                 ///< per slot: the τ its entries are of
  std::vector<std::vector<Entry>> entries; ///< per slot; capacity is kept
  std::vector<Line> lines;
  Producer other; ///< what drive() returns
};

} // namespace lpu::sim
