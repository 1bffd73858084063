// Streams of the event engine: values keyed by (direction, stream, τ), where
// τ = t − p (east) or t + p (west) is constant along the way. A sample picks
// the nearest producer upstream on its slot; nothing moves per cycle.
#pragma once

#include "StreamFile.h"

#include <vector>

namespace lpu::sim {

class SlotStreamFile final : public StreamFile {
public:
  explicit SlotStreamFile(const isa::Machine &machine);

  const Producer *drive(StreamRef ref, int position, Cycle time, VectorValue value, const Producer &by) override;
  bool sample(StreamRef ref, int position, Cycle now, VectorValue *value) override;
  int nearest(StreamRef ref, int position, Cycle now, int reach) const override;
  StreamWay way() const override { return passed; }
  void reset() override;

private:
  struct Entry {
    int position;
    VectorValue value;
    Producer producer;
    int taken = 0; ///< positions up to the last consumer so far
  };
  static constexpr Cycle kNoTau = INT64_MIN;
  static Cycle tauOf(StreamRef ref, int position, Cycle time) {
    return ref.dir == Direction::East ? time - position : time + position;
  }
  /// Positions from a producer down to a consumer; negative: it does not pass there.
  static int behind(StreamRef ref, int producer, int consumer) {
    return ref.dir == Direction::East ? consumer - producer : producer - consumer;
  }
  /// The nearest producer upstream; null: none.
  const Entry *find(StreamRef ref, int position, Cycle now) const;
  std::size_t indexOf(StreamRef ref, Cycle tau) const {
    return (static_cast<std::size_t>(ref.dir) * streams + ref.stream) * ring +
           (static_cast<std::size_t>(tau) & (ring - 1));
  }

  int reach; ///< outermost position
  StreamWay passed;
  std::size_t streams;
  std::size_t ring;                        ///< power of two, longer than τ of slots in use are apart
  std::vector<Cycle> taus;                 ///< per slot: the τ its entries are of
  std::vector<std::vector<Entry>> entries; ///< per slot; capacity is kept
};

} // namespace lpu::sim
