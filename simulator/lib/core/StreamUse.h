// What each word takes from streams and puts on them, in the order in which its
// unit does so.
#pragma once

#include "Op.h"

namespace lpu::sim {

struct StreamUse {
  StreamRef samples[16];
  int sampleCount = 0;
  StreamRef drives[16];
  int driveCount = 0;
  Cycle latency = 0;  ///< from the dispatch to what is driven
  bool words = false; ///< drives are bytes 0, 1, … of the same 32-bit lanes

  void sample(StreamRef first, int count) {
    for (int i = 0; i < count; ++i)
      samples[sampleCount++] = {first.dir, static_cast<std::uint8_t>(first.stream + i)};
  }
  void drive(StreamRef first, int count, Cycle after) {
    for (int i = 0; i < count; ++i)
      drives[driveCount++] = {first.dir, static_cast<std::uint8_t>(first.stream + i)};
    latency = after;
  }
};

/// `op` is a legal word of a unit, or config.
StreamUse streamUseOf(const isa::Machine &machine, isa::QueueId queue, const Op &op);

} // namespace lpu::sim
