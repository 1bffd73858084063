// One sweep over the issues in order of execution, with streams as rings of slots
// in which nothing but the numbers of producers travels; then the bursts, cut
// where their operands change producer, are brought in order again and registers
// given out along it.
#include "Wiring.h"

#include "StreamUse.h"
#include "Sxm.h"

#include <algorithm>
#include <bit>
#include <numeric>

namespace lpu::sim {

using isa::Opcode;

namespace {

constexpr Cycle kLongestBurst = 256; ///< more than any burst of a timeline takes

bool readsOnly(const Op &op) {
  return op.kind == OpKind::Unit && op.opcode == Opcode::Mem && op.mem.read && !op.mem.write;
}

bool isSxm(const isa::Machine &machine, const Issue &issue) {
  return isa::queueAt(machine, issue.queue).unit == isa::UnitKind::Sxm;
}

} // namespace

Wiring::Wiring(const isa::Machine &machine, const isa::ChipClass &chip, const Memory &memory, bool functional,
               bool everyWord)
    : idle(isa::queueCount(machine)), machine(machine), chip(chip), memory(memory), functional(functional),
      everyWord(everyWord),
      ring(std::bit_ceil(static_cast<std::size_t>(2 * kLongestBurst + 4 * machine.maxPosition() +
                                                  2 * machine.latency.C2cReceive + 4 * machine.latency.SxmAcross +
                                                  4 * machine.latency.SxmTranspose))),
      slots(2 * static_cast<std::size_t>(machine.streamsPerDirection) * ring) {}

/// Does the host leave the constants of this class alone?
bool Wiring::inputsAreConstant() const {
  for (const isa::StepProgram &program : chip.programs)
    for (const isa::Binding &b : program.inputs)
      for (int s = 0; s < b.width; ++s)
        for (std::uint32_t r = 0; r < b.items * b.vectors; ++r)
          if (memory.bank(b.side, b.slice0 + s, b.bank)[b.row0 + r].kind == isa::Region::Kind::Constant)
            return true;
  return false;
}

const ConstantRows *Wiring::constantRows(int queue, const MemOp &op, std::int32_t copy) const {
  const isa::QueueId id = isa::queueAt(machine, queue);
  return memory.constantRegion(memory.bankIndex(id.side, id.index, op.readBank), op.readRow + copy * op.readStep);
}

std::vector<Issue> Wiring::splitReads(const std::vector<Issue> &bursts) const {
  std::vector<Issue> split;
  for (const Issue &issue : bursts) {
    const Dispatch &d = issue.dispatch;
    if (!readsOnly(*d.op) || d.count == 1) {
      split.push_back(issue);
      continue;
    }
    for (std::int32_t k = 0; k < d.count;) {
      Issue part{d.single(k), 0, issue.queue};
      part.at = part.dispatch.time;
      const ConstantRows *rows = constantRows(issue.queue, d.op->mem, d.copy + k);
      while (++k < d.count && constantRows(issue.queue, d.op->mem, d.copy + k) == rows)
        ++part.dispatch.count;
      split.push_back(part);
    }
  }
  return split;
}

Wiring::Slot &Wiring::slotOf(StreamRef ref, Cycle tau) {
  const std::size_t line = static_cast<std::size_t>(ref.dir) * machine.streamsPerDirection + ref.stream;
  return slots[line * ring + (static_cast<std::size_t>(tau) & (ring - 1))];
}

const Wiring::Passing *Wiring::find(StreamRef ref, int position, Cycle time) {
  const bool east = ref.dir == Direction::East;
  const Cycle tau = east ? time - position : time + position;
  Slot &slot = slotOf(ref, tau);
  Passing *found = nullptr;
  int nearest = INT32_MAX;
  if (slot.tau == tau)
    for (Passing &p : slot.passing)
      if (int hops = east ? position - p.position : p.position - position; hops >= 0 && hops < nearest)
        nearest = hops, found = &p;
  if (found && nearest > found->taken) {
    way.taken += static_cast<std::uint64_t>(nearest - found->taken);
    found->taken = nearest;
  }
  return found;
}

/// Puts a value onto its slot; false: a collision. It goes to the edge of the chip or up to the next producer; one from
/// upstream that would have come by here ends before.
bool Wiring::pass(Slot &slot, StreamRef ref, const Passing &value) {
  const int sign = ref.dir == Direction::East ? 1 : -1;
  int ownWay = machine.maxPosition() - sign * value.position;
  bool ends = false;
  for (const Passing &other : slot.passing) {
    const int ahead = sign * (other.position - value.position);
    if (ahead == 0)
      return false;
    ends |= ahead < 0;
    if (ahead > 0)
      ownWay = std::min(ownWay, ahead - 1);
  }
  way.whole += ends ? std::uint64_t(-1) : static_cast<std::uint64_t>(ownWay);
  slot.passing.push_back(value);
  return true;
}

/// The producers of an issue, one for each stream it drives.
void Wiring::makeProducers(std::uint32_t number, const Issue &issue) {
  const Dispatch &d = issue.dispatch;
  Producer made;
  made.issue = number;
  if (d.op->opcode == Opcode::Mem)
    if (const ConstantRows *rows = constantRows(issue.queue, d.op->mem, d.copy)) {
      made.constant = true;
      if (functional)
        made.offset = rows->bytes + (d.op->mem.readRow + d.copy * d.op->mem.readStep - rows->first) * rows->stride -
                      memory.imageBytes();
      made.stride = d.op->mem.readStep * rows->stride;
    }
  const StreamUse use = streamUseOf(machine, isa::queueAt(machine, issue.queue), *d.op);
  results[number].words = use.words;
  results[number].drives = use.driveCount;
  for (int j = 0; j < use.driveCount; ++j) {
    made.drive = static_cast<std::uint8_t>(j);
    made.plane = use.words ? static_cast<std::int8_t>(j) : std::int8_t{-1};
    producers.push_back(made);
  }
}

bool Wiring::driveAll(std::uint32_t number, const Issue &issue) {
  const isa::QueueId id = isa::queueAt(machine, issue.queue);
  const StreamUse use = streamUseOf(machine, id, *issue.dispatch.op);
  const int position = isa::queuePosition(machine, id);
  const auto first = static_cast<std::uint32_t>(producers.size());
  makeProducers(number, issue);
  for (std::int32_t k = 0; k < issue.dispatch.count; ++k)
    for (int j = 0; j < use.driveCount; ++j) {
      const StreamRef ref = use.drives[j];
      const Cycle time = issue.dispatch.single(k).time + use.latency;
      const Cycle tau = ref.dir == Direction::East ? time - position : time + position;
      if (ref.stream >= machine.streamsPerDirection)
        return false;
      Slot &slot = slotOf(ref, tau);
      if (slot.tau != tau) {
        slot.tau = tau;
        slot.passing.clear();
      }
      if (!pass(slot, ref, {position, first + j, k}))
        return false;
    }
  return true;
}

void Wiring::beginPart(std::uint32_t number, const Issue &issue, std::int32_t k) {
  parts.push_back({{issue.dispatch.single(k), 0, issue.queue}, number, k, sources.size(), 0});
  parts.back().issue.dispatch.part = 0;
  ++results[number].partCount;
}

/// Does sample `i` of the next copy of a part follow on what the part has?
bool Wiring::continues(const Part &part, std::int32_t k, int i, const Passing &from) {
  const std::int32_t copy = k - part.first;
  Source &source = sources[part.source + i];
  const Tap &tap = taps[part.source + i];
  const Producer &p = producers[from.producer];
  if (!p.constant)
    return tap.producer == from.producer && from.copy == tap.copy + copy;
  if (source.kind != Source::Kind::Image)
    return false;
  const std::int64_t distance =
      static_cast<std::int64_t>(p.offset) + from.copy * p.stride - static_cast<std::int64_t>(source.where);
  if (copy == 1)
    source.stride = static_cast<std::int32_t>(distance);
  return distance == std::int64_t{source.stride} * copy;
}

bool Wiring::sampleAll(std::uint32_t number, const Issue &issue) {
  const isa::QueueId id = isa::queueAt(machine, issue.queue);
  const StreamUse use = streamUseOf(machine, id, *issue.dispatch.op);
  const int position = isa::queuePosition(machine, id);
  results[number].firstPart = static_cast<std::uint32_t>(parts.size());
  beginPart(number, issue, 0);
  for (std::int32_t k = 0; k < issue.dispatch.count; ++k) {
    Passing from[std::size(use.samples)];
    const Cycle time = issue.dispatch.single(k).time;
    bool same = k > 0;
    for (int i = 0; i < use.sampleCount; ++i) {
      const Passing *found =
          use.samples[i].stream < machine.streamsPerDirection ? find(use.samples[i], position, time) : nullptr;
      if (!found)
        return false; // an empty stream
      from[i] = *found;
      same = same && functional && continues(parts.back(), k, i, *found);
    }
    if (k > 0 && (same || !functional || use.sampleCount == 0)) {
      ++parts.back().issue.dispatch.count;
      continue;
    }
    if (k > 0)
      beginPart(number, issue, k);
    parts.back().sourceCount = functional ? use.sampleCount : 0;
    for (int i = 0; i < parts.back().sourceCount; ++i) {
      const Producer &p = producers[from[i].producer];
      Source source;
      source.kind = p.constant ? Source::Kind::Image : p.plane >= 0 ? Source::Kind::Plane : Source::Kind::Row;
      source.plane = p.plane;
      source.where = p.constant ? p.offset + from[i].copy * p.stride : 0;
      sources.push_back(source);
      taps.push_back({from[i].producer, from[i].copy});
    }
  }
  return true;
}

/// Words that cannot be wrong any more, and in timing mode those that would only make values.
bool Wiring::leaveOut(const Issue &issue) {
  const Dispatch &d = issue.dispatch;
  if (everyWord || d.op->kind != OpKind::Unit)
    return false;
  const bool constant = readsOnly(*d.op) && constantRows(issue.queue, d.op->mem, d.copy);
  const bool idleWord = !functional && (isSxm(machine, issue) || d.op->opcode == Opcode::Gather);
  if (!constant && !idleWord)
    return false;
  Idle &own = idle[issue.queue];
  own.words += static_cast<std::uint64_t>(d.count);
  own.effect = std::max(own.effect, d.last() + streamUseOf(machine, isa::queueAt(machine, issue.queue), *d.op).latency);
  return true;
}

bool Wiring::noteUse(const Part &user, const Tap &tap) {
  Result &result = results[producers[tap.producer].issue];
  result.lastUse = std::max(result.lastUse, user.place);
  for (std::uint32_t n = result.firstPart; n < result.firstPart + result.partCount; ++n) {
    const Part &part = parts[n];
    const bool needed =
        part.first < tap.copy + user.issue.dispatch.count && tap.copy < part.first + part.issue.dispatch.count;
    if (needed && part.place >= user.place)
      return false;
  }
  return true;
}

/// How long results are needed. False: something would be executed before what it samples.
bool Wiring::noteUses() {
  for (const Part &part : parts)
    for (int i = 0; i < part.sourceCount; ++i)
      if (sources[part.source + i].kind != Source::Kind::Image && !noteUse(part, taps[part.source + i]))
        return false;
  for (const Part &part : parts) // none of a burst's registers is used again before its last part has written
    if (Result &result = results[part.origin]; result.lastUse >= 0)
      result.lastUse = std::max(result.lastUse, part.place);
  return true;
}

std::uint32_t Wiring::sizeOf(const Result &result) const {
  std::uint32_t copies = 0;
  for (std::uint32_t n = result.firstPart; n < result.firstPart + result.partCount; ++n)
    copies += static_cast<std::uint32_t>(parts[n].issue.dispatch.count);
  return result.words ? copies : copies * static_cast<std::uint32_t>(result.drives);
}

void Wiring::giveRegisters(Part &part) {
  for (int i = 0; i < part.sourceCount; ++i) {
    const Tap &tap = taps[part.source + i];
    const Producer &p = producers[tap.producer];
    // A word that drives several rows at once is never part of a burst.
    if (!p.constant)
      sources[part.source + i].where =
          static_cast<std::uint64_t>(results[p.issue].base + tap.copy + (p.plane < 0 ? p.drive : 0));
  }
  Result &own = results[part.origin];
  if (own.lastUse >= 0 && own.base < 0)
    own.base = takeBlock(own);
  part.issue.dispatch.result = own.base < 0 ? Registers::kNobody : static_cast<std::uint32_t>(own.base + part.first);
  for (int i = 0; i < part.sourceCount; ++i)
    freeAfter(part.place, results[producers[taps[part.source + i].producer].issue]);
  freeAfter(part.place, own);
}

std::uint32_t Wiring::takeBlock(const Result &result) {
  const std::uint32_t size = sizeOf(result);
  std::vector<std::uint32_t> &blocks = (result.words ? freeWords : freeRows)[size];
  if (blocks.empty()) {
    std::size_t &count = result.words ? wordRegisters : rowRegisters;
    count += size;
    return static_cast<std::uint32_t>(count - size);
  }
  const std::uint32_t block = blocks.back();
  blocks.pop_back();
  return block;
}

/// Gives the registers of a result back if this place was their last use.
void Wiring::freeAfter(std::int64_t place, Result &result) {
  if (result.lastUse != place)
    return;
  (result.words ? freeWords : freeRows)[sizeOf(result)].push_back(static_cast<std::uint32_t>(result.base));
  result.lastUse = kFreed;
}

bool Wiring::sweep(const std::vector<Issue> &issues) {
  results.resize(issues.size());
  for (std::uint32_t n = 0; n < issues.size(); ++n) {
    const Issue &issue = issues[n];
    if (isSxm(machine, issue) && issue.dispatch.op->kind == OpKind::Unit &&
        !SxmUnit::mapProblem(machine, chip, *issue.dispatch.op).empty())
      return false;
    if (!sampleAll(n, issue) || !driveAll(n, issue))
      return false;
    if (leaveOut(issue)) {
      parts.resize(results[n].firstPart);
      results[n].partCount = 0;
    }
    const bool early = issue.at == issue.dispatch.time;
    for (std::uint32_t p = results[n].firstPart; p < parts.size(); ++p)
      parts[p].issue.at = early ? parts[p].issue.dispatch.time : parts[p].issue.dispatch.last();
  }
  way.addTo(counts, machine.rowBytes());
  return true;
}

bool Wiring::wire(std::vector<Issue> &issues) {
  if (inputsAreConstant() || !sweep(issues))
    return false;
  std::vector<std::uint32_t> order(parts.size());
  std::iota(order.begin(), order.end(), 0);
  std::ranges::stable_sort(order, {}, [&](std::uint32_t n) { return parts[n].issue.at; });
  for (std::size_t place = 0; place < order.size(); ++place)
    parts[order[place]].place = static_cast<std::int64_t>(place);
  if (functional && !noteUses())
    return false;
  static const Source nothing;
  issues.clear();
  for (std::uint32_t n : order) {
    Part &part = parts[n];
    if (functional)
      giveRegisters(part);
    part.issue.dispatch.sources = part.sourceCount > 0 ? &sources[part.source] : &nothing;
    issues.push_back(part.issue);
  }
  return true;
}

} // namespace lpu::sim
