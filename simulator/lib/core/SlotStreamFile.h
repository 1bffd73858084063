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
  const VectorValue *sample(StreamRef ref, int position, Cycle now) const override;
  int nearest(StreamRef ref, int position, Cycle now, int reach) const override;
  void reset() override;

private:
  struct Entry {
    int position;
    VectorValue value;
    Producer producer;
  };
  struct Slot {
    Cycle tau = kNoTau;
    std::vector<Entry> entries; ///< keeps its capacity when the ring reuses the slot
  };
  static constexpr Cycle kNoTau = INT64_MIN;
  static Cycle tauOf(StreamRef ref, int position, Cycle time) {
    return ref.dir == Direction::East ? time - position : time + position;
  }
  std::size_t indexOf(StreamRef ref, Cycle tau) const {
    return (static_cast<std::size_t>(ref.dir) * streams + ref.stream) * ring +
           (static_cast<std::size_t>(tau) & (ring - 1));
  }

  std::size_t streams, ring; ///< ring: power of two longer than any value can be seen
  std::vector<Slot> slots;
};

} // namespace lpu::sim
