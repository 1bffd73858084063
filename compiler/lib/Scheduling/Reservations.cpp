// Reservation tables. All checks of a flow are made before anything is marked,
// except between the groups and ALUs of the flow itself, which are marked as
// they are chosen and unmarked when a later one finds no room.

#include "Reservations.h"

#include <algorithm>

namespace lpu::compiler::sched {

namespace {

/// Busy cycles of an issue: its own slot, then all words of the copies.
Cycle slotsOf(const Issue &issue) { return lastCopy(issue) + 1; }

} // namespace

Reservations::Reservations(const isa::Machine &machine)
    : machine(machine), queues(isa::queueCount(machine)), seconds(queues.size()), split(queues.size()),
      banks(queues.size()), positionWords((2 * machine.maxPosition() + 32) / 32),
      streams(2 * machine.streamsPerDirection * positionWords), accumulators(machine.vxmAlus), results(machine.vxmAlus),
      tauOffset(4 * machine.maxPosition()),
      vxmQueue(isa::queueNumber(machine, {isa::UnitKind::Vxm, isa::Side::East, 0})) {
  for (int queue = 0; queue < isa::queueCount(machine); ++queue)
    split[queue] = isa::queueAt(machine, queue).unit == isa::UnitKind::MxmA ||
                   isa::queueAt(machine, queue).unit == isa::UnitKind::Mem;
}

bool Reservations::Bits::isFree(Cycle from, Cycle count) const {
  for (Cycle c = from; c < from + count;) {
    std::size_t word = static_cast<std::size_t>(c >> 6);
    if (word >= words.size())
      return true;
    int low = static_cast<int>(c & 63);
    int n = static_cast<int>(std::min<Cycle>(64 - low, from + count - c));
    std::uint64_t mask = (n == 64 ? ~std::uint64_t{0} : ((std::uint64_t{1} << n) - 1)) << low;
    if (words[word] & mask)
      return false;
    c += n;
  }
  return true;
}

void Reservations::Bits::assign(Cycle from, Cycle count, bool taken) {
  std::size_t needed = static_cast<std::size_t>((from + count + 63) >> 6);
  if (words.size() < needed)
    words.resize(std::max(needed, words.size() * 2));
  for (Cycle c = from; c < from + count; ++c)
    if (taken)
      words[c >> 6] |= std::uint64_t{1} << (c & 63);
    else
      words[c >> 6] &= ~(std::uint64_t{1} << (c & 63));
}

void Reservations::forgetAccumulatorsBefore(Cycle cycle) {
  for (auto &spans : accumulators)
    std::erase_if(spans, [&](const Span &span) { return span.to < cycle; });
}

Cycle Reservations::Bits::idleBefore(Cycle from, Cycle limit) const {
  for (Cycle idle = 0; idle < limit && idle < from; ++idle) {
    Cycle c = from - 1 - idle;
    if (std::size_t word = static_cast<std::size_t>(c >> 6); word < words.size() && words[word] >> (c & 63) & 1)
      return idle;
  }
  return limit;
}

std::vector<std::uint32_t> &Reservations::slots(isa::Direction direction, int stream, int word) {
  return streams[(static_cast<int>(direction) * machine.streamsPerDirection + stream) * positionWords + word];
}

std::uint32_t Reservations::positions(const Segment &segment, int word) const {
  const int first = 32 * word - machine.maxPosition();
  std::uint32_t mask = 0;
  for (int p = std::max<int>(segment.low, first); p <= std::min<int>(segment.high, first + 31); ++p)
    mask |= 1u << (p - first);
  return mask;
}

bool Reservations::queuesFree(const FlowShape &flow, Cycle start) const {
  return std::all_of(flow.issues.begin(), flow.issues.end(), [&](const Issue &issue) {
    if (issue.queue < 0)
      return true;
    Cycle from = start + issue.at, count = slotsOf(issue);
    std::optional<int> bank = bankOf(issue);
    return (issue.half == Half::Second || queues[issue.queue].isFree(from, count)) &&
           (issue.half == Half::First || !split[issue.queue] || seconds[issue.queue].isFree(from, count)) &&
           (!bank || banks[issue.queue][*bank].isFree(from, count));
  });
}

void Reservations::markAlu(const FlowShape &flow, int alu, int number, Cycle start, bool taken) {
  for (const Issue &issue : flow.issues)
    if (issue.alu == alu) {
      queues[vxmQueue + number].assign(start + issue.at, slotsOf(issue), taken);
      results[number].assign(start + issue.at + effectLatency(machine, issue.instruction), slotsOf(issue), taken);
    }
  const AluUse &use = flow.alus[alu];
  if (use.accTo < use.accFrom)
    return;
  if (taken)
    accumulators[number].push_back({start + use.accFrom, start + use.accTo});
  else
    accumulators[number].pop_back();
}

bool Reservations::chooseAlus(const FlowShape &flow, Cycle start, Placement &placement) {
  std::vector<std::vector<const Issue *>> issues(flow.alus.size());
  for (const Issue &issue : flow.issues)
    if (issue.alu >= 0)
      issues[issue.alu].push_back(&issue);
  for (int alu = 0; alu < static_cast<int>(flow.alus.size()); ++alu) {
    const AluUse &use = flow.alus[alu];
    auto fits = [&](int number) {
      for (const Issue *issue : issues[alu])
        if (!queues[vxmQueue + number].isFree(start + issue->at, slotsOf(*issue)) ||
            !results[number].isFree(start + issue->at + effectLatency(machine, issue->instruction), slotsOf(*issue)))
          return false;
      if (use.accTo >= use.accFrom)
        for (const Span &span : accumulators[number])
          if (span.from <= start + use.accTo && start + use.accFrom <= span.to)
            return false;
      return true;
    };
    // The tightest fit: bursts of one kind then keep to their ALUs, and none is left with a hole too short for the
    // next.
    constexpr Cycle far = 128;
    int number = -1;
    Cycle least = far + 1, first = start + issues[alu].front()->at;
    for (int candidate = 0; candidate < machine.vxmAlus; ++candidate) {
      Cycle idle = queues[vxmQueue + candidate].idleBefore(first, far);
      if (idle < least && fits(candidate))
        number = candidate, least = idle;
    }
    if (number < 0) {
      while (alu-- > 0)
        markAlu(flow, alu, placement.alus[alu], start, false);
      placement.alus.clear();
      return false;
    }
    placement.alus.push_back(number);
    markAlu(flow, alu, number, start, true);
  }
  return true;
}

bool Reservations::streamFree(const FlowShape &flow, int group, int first, Cycle start) {
  for (const Segment &segment : flow.segments) {
    if (segment.group != group)
      continue;
    for (int word = 0; word < positionWords; ++word) {
      const auto &table = slots(flow.groups[group].direction, first + segment.byte, word);
      std::uint32_t mask = positions(segment, word);
      Cycle from = start + segment.tau + tauOffset;
      Cycle to = std::min<Cycle>(from + segment.count, static_cast<Cycle>(table.size()));
      for (Cycle tau = from; tau < to; ++tau)
        if (table[tau] & mask)
          return false;
    }
  }
  return true;
}

void Reservations::markStreams(const FlowShape &flow, int group, int first, Cycle start, bool taken) {
  for (const Segment &segment : flow.segments) {
    if (segment.group != group)
      continue;
    for (int word = 0; word < positionWords; ++word) {
      auto &table = slots(flow.groups[group].direction, first + segment.byte, word);
      std::uint32_t mask = positions(segment, word);
      std::size_t from = static_cast<std::size_t>(start + segment.tau + tauOffset);
      if (table.size() < from + segment.count)
        table.resize(std::max(from + segment.count, table.size() * 2));
      for (std::size_t tau = from; tau < from + segment.count; ++tau)
        table[tau] = taken ? table[tau] | mask : table[tau] & ~mask;
    }
  }
}

bool Reservations::chooseStreams(const FlowShape &flow, Cycle start, Placement &placement) {
  for (int group = 0; group < static_cast<int>(flow.groups.size()); ++group) {
    int width = flow.groups[group].width, first = 0;
    while (first + width <= machine.streamsPerDirection && !streamFree(flow, group, first, start))
      first += width;
    if (first + width > machine.streamsPerDirection) {
      while (group-- > 0)
        markStreams(flow, group, placement.streams[group], start, false);
      placement.streams.clear();
      return false;
    }
    placement.streams.push_back(first);
    markStreams(flow, group, first, start, true);
  }
  return true;
}

std::optional<Placement> Reservations::tryPlace(const FlowShape &flow, Cycle start) {
  Placement placement;
  placement.start = start;
  if (!queuesFree(flow, start) || !chooseStreams(flow, start, placement))
    return std::nullopt;
  if (!chooseAlus(flow, start, placement)) {
    for (int group = 0; group < static_cast<int>(flow.groups.size()); ++group)
      markStreams(flow, group, placement.streams[group], start, false);
    return std::nullopt;
  }
  takeQueues(flow, start);
  return placement;
}

void Reservations::enter(const FlowShape &flow, const Placement &placement) {
  for (int group = 0; group < static_cast<int>(flow.groups.size()); ++group)
    markStreams(flow, group, placement.streams[group], placement.start, true);
  for (int alu = 0; alu < static_cast<int>(flow.alus.size()); ++alu)
    markAlu(flow, alu, placement.alus[alu], placement.start, true);
  takeQueues(flow, placement.start);
}

void Reservations::takeQueues(const FlowShape &flow, Cycle start) {
  for (const Issue &issue : flow.issues) {
    if (issue.queue >= 0 && issue.half != Half::Second)
      queues[issue.queue].assign(start + issue.at, slotsOf(issue), true);
    if (issue.queue >= 0 && issue.half != Half::First && split[issue.queue])
      seconds[issue.queue].assign(start + issue.at, slotsOf(issue), true);
    if (std::optional<int> bank = bankOf(issue))
      banks[issue.queue][*bank].assign(start + issue.at, slotsOf(issue), true);
  }
}

} // namespace lpu::compiler::sched
