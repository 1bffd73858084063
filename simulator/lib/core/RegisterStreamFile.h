// Streams of the clocked engine: one register per (direction, stream, position),
// all of which shift by one position in every cycle. The reference the slot
// table is measured against.
#pragma once

#include "StreamFile.h"

#include <vector>

namespace lpu::sim {

class RegisterStreamFile final : public StreamFile {
public:
  explicit RegisterStreamFile(const isa::Machine &machine);

  /// One clock edge: everything moves on, then the values driven for `now` enter.
  void advance(Cycle now);

  const Producer *drive(StreamRef ref, int position, Cycle time, VectorValue value, const Producer &by) override;
  bool sample(StreamRef ref, int position, Cycle now, VectorValue *value) override;
  /// What is in a register now; null: nothing.
  const VectorValue *peek(StreamRef ref, int position) const {
    const Register &r = line(ref)[position + reach];
    return r.valid ? &r.value : nullptr;
  }
  int nearest(StreamRef ref, int position, Cycle now, int reach) const override;
  StreamWay way() const override;
  void reset() override;

private:
  struct Register {
    bool valid = false;
    std::int16_t age = 0;   ///< positions it has come
    std::int16_t taken = 0; ///< of those up to its last consumer so far
    VectorValue value;
  };
  struct Pending {
    StreamRef ref;
    int position;
    Cycle time;
    VectorValue value;
    Producer producer;
  };
  Register *line(StreamRef ref) {
    return &registers[(static_cast<std::size_t>(ref.dir) * streams + ref.stream) * width];
  }
  const Register *line(StreamRef ref) const { return const_cast<RegisterStreamFile *>(this)->line(ref); }
  std::vector<Pending> &pendingAt(Cycle time) { return pending[static_cast<std::size_t>(time) & (pending.size() - 1)]; }

  int streams, reach, width; ///< reach: outermost position; width = 2 · reach + 1
  Cycle current = INT64_MIN;
  StreamWay passed; ///< so far
  std::vector<Register> registers;
  std::vector<std::vector<Pending>> pending; ///< ring by cycle
};

} // namespace lpu::sim
