// The streams between units (docs/spec/timing.md T2), as units see them: drive
// a value for a later cycle, sample the value that is there now. Two
// implementations: SlotStreamFile moves nothing (a value is found through its
// slot), RegisterStreamFile shifts every register every cycle.
#pragma once

#include "Op.h"
#include "OpCounts.h"
#include "VectorValue.h"

#include <string>

namespace lpu::sim {

/// Who drove a value: for diagnostics, and to blame the later of two.
struct Producer {
  int queue = -1;
  Cycle issued = 0;
  const Op *op = nullptr;
};

class StreamFile {
public:
  virtual ~StreamFile() = default;
  /// Puts a value on (ref, position) at cycle `time`, which is in the future.
  /// Returns null, or the producer already driving there in that cycle.
  virtual const Producer *drive(StreamRef ref, int position, Cycle time, VectorValue value, const Producer &by) = 0;
  /// The value at (ref, position) in cycle `now`, into `value` unless that is null; false: nothing.
  virtual bool sample(StreamRef ref, int position, Cycle now, VectorValue *value) = 0;
  /// For diagnostics: offset in cycles, within ±reach, of the value nearest in
  /// time that passes this position; 0 if there is none.
  virtual int nearest(StreamRef ref, int position, Cycle now, int reach) const = 0;
  /// The way of all values since the last reset, as far as they would still go.
  virtual StreamWay way() const = 0;
  /// Empties all streams (a new step).
  virtual void reset() = 0;
};

} // namespace lpu::sim
