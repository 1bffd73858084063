// What words do, counted (docs/spec/counts.md): everything but the way of values on
// streams, which the streams themselves know, and the time superlanes are on.
#pragma once

#include "Op.h"

#include "lpu/isa/Counts.h"

namespace lpu::sim {

/// Adds `copies` dispatches of a word of `queue` after the release. Words of sequencing add nothing.
void countOp(const isa::Machine &machine, isa::QueueId queue, const Op &op, std::uint64_t copies, isa::Counts &counts);

/// Bytes times positions that values on streams have gone.
struct StreamWay {
  std::uint64_t taken = 0; ///< in positions: up to each value's last consumer
  std::uint64_t whole = 0; ///< to the edge of the chip, or to the next producer on the way
  void addTo(isa::Counts &counts, int rowBytes) const {
    counts[isa::Count::StreamByteHops] += taken * static_cast<std::uint64_t>(rowBytes);
    counts[isa::Count::StreamTailByteHops] += (whole - taken) * static_cast<std::uint64_t>(rowBytes);
  }
};

} // namespace lpu::sim
