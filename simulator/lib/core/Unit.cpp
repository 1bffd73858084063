// Stream access of units with the diagnostics of T2.
#include "Unit.h"

#include <fmt/format.h>

namespace lpu::sim {

namespace {
constexpr int kNearby = 8; ///< cycles around an empty sample that diagnostics look at
} // namespace

std::string streamName(StreamRef ref) {
  return fmt::format("{}{}", ref.dir == Direction::East ? 'e' : 'w', static_cast<int>(ref.stream));
}

Unit::Unit(ChipContext &chip, int queue)
    : chip(chip), queue(queue), position(isa::queuePosition(chip.machine, isa::queueAt(chip.machine, queue))) {}

void Unit::fault(std::string_view category, const Dispatch &d, std::string detail) const {
  if (d.copy > 0)
    detail += fmt::format(" (reissue {})", d.copy);
  chip.faults.report(category, d.time, queue, d.op, std::move(detail));
}

bool Unit::sampleStream(const Dispatch &d, StreamRef ref, VectorValue &value) const {
  if (streams->sample(ref, position, d.time, chip.functional ? &value : nullptr))
    return true;
  Cycle now = relative(d.time);
  Cycle tau = ref.dir == Direction::East ? now - position : now + position;
  std::string detail =
      fmt::format("stream {} at position {} is empty at t={}: slot τ = {} {} {} = {} has no producer "
                  "upstream",
                  streamName(ref), position, now, now, ref.dir == Direction::East ? '-' : '+', position, tau);
  if (int offset = streams->nearest(ref, position, d.time, kNearby))
    detail += fmt::format("; the nearest value passes at t={}, {} cycle(s) {}", now + offset,
                          offset < 0 ? -offset : offset, offset < 0 ? "earlier" : "later");
  fault("empty-stream", d, std::move(detail));
  return false;
}

void Unit::reportCollision(const Dispatch &d, StreamRef ref, Cycle latency, const Producer &other) const {
  // The later of the two is to blame; in one cycle the higher queue number, so
  // that the order in which they were executed does not show.
  const Producer self{queue, d.time, d.op};
  const Cycle at = d.time + latency;
  const bool blameOther = other.issued > d.time || (other.issued == d.time && other.queue > queue);
  const Producer &late = blameOther ? other : self, &early = blameOther ? self : other;
  chip.faults.report("stream-collision", late.issued, late.queue, late.op,
                     fmt::format("drives stream {} at position {} at t={} + {} = {}, where {} ({}, t={}) drives too",
                                 streamName(ref), position, relative(late.issued), at - late.issued, relative(at),
                                 isa::queueName(isa::queueAt(chip.machine, early.queue)), describe(*early.op),
                                 relative(early.issued)));
}

bool Unit::driveStream(const Dispatch &d, StreamRef ref, Cycle latency, VectorValue value) const {
  const Producer *other = streams->drive(ref, position, d.time + latency, std::move(value), {queue, d.time, d.op});
  if (other)
    reportCollision(d, ref, latency, *other);
  return !other;
}

bool Unit::driveWords(const Dispatch &d, StreamRef ref, int bytes, Cycle latency, const VectorValue &words) const {
  if (d.sources) {
    if (chip.functional && d.result != Registers::kNobody)
      chip.registers.words[d.result + d.part] = words;
    return true;
  }
  for (int b = 0; b < bytes; ++b)
    if (!driveStream(d, {ref.dir, static_cast<std::uint8_t>(ref.stream + b)}, latency,
                     chip.functional ? VectorValue::planeOf(words, b) : VectorValue()))
      return false;
  return true;
}

} // namespace lpu::sim
