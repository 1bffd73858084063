// Queue sequencing. REPEAT costs no cycle: it is consumed together with the word
// before it. With fetched text a REPEAT may arrive after its window dispatched;
// then it is looked at when the next word is due, and a first copy that would
// have been due earlier is an underflow.
#include "Icu.h"

#include <algorithm>
#include <cstring>

namespace lpu::sim {

DecodedQueue decodeQueue(const isa::Machine &machine, const isa::QueueCode &code) {
  DecodedQueue decoded{code.queue, isa::queueNumber(machine, code.queue), {}, code.words, code.labels};
  decoded.ops.reserve(code.words.size());
  for (std::size_t i = 0; i < code.words.size(); ++i)
    decodeOp(machine, code.queue, code.words[i], i < code.labels.size() ? code.labels[i] : 0, decoded.ops);
  return decoded;
}

Icu::Icu(const isa::Machine &machine, isa::QueueId id, bool residentCode)
    : machine(machine), queue(id), residentCode(residentCode), queueWords(machine.queueWords),
      wordsPerFetch(machine.lanes() * 2 / static_cast<int>(sizeof(isa::Word))) {}

void Icu::begin(const DecodedQueue *text, Cycle start) {
  code = text;
  pc = 0;
  active = nullptr;
  waiting = starved = false;
  total = code ? code->ops.size() : 0;
  present = total;
  arrivals.clear();
  fetched.clear();
  if (code && !residentCode) {
    // Ops must not move: stream producers point at them.
    fetched.reserve(total);
    present = std::min<std::size_t>(total, machine.queuePreloadWords);
    fetched.assign(code->ops.begin(), code->ops.begin() + present);
  }
  next = total > 0 ? start : kNever;
}

void Icu::release(Cycle now) {
  waiting = false;
  next = pc < total ? now : kNever;
}

bool Icu::arrived(std::size_t index, Cycle now) const {
  if (index >= present)
    return false;
  for (const Arrival &arrival : arrivals)
    if (index < arrival.end)
      return now >= arrival.at;
  return true;
}

void Icu::scheduleAfter(Cycle at) { next = pc < total ? at : kNever; }

void Icu::enterRepeat(Cycle now) {
  if (pc >= total || !arrived(pc, now))
    return;
  const Op &op = ops()[pc];
  if (op.kind != OpKind::Repeat)
    return;
  ++pc;
  if (op.repeat.count == 0)
    return scheduleAfter(last + ops()[pc - 2].gapBehindCopies());
  reissue(op.repeat, pc - 1);
}

void Icu::reissue(const RepeatOp &repeat, std::size_t end) {
  active = &repeat;
  windowStart = windowAt = end - repeat.window;
  copy = 1;
  firstIssue = last - (repeat.span - 1);
  next = firstIssue + repeat.interval;
}

Dispatch Icu::takeRepeated(Cycle now) {
  const Op &op = ops()[windowAt];
  Dispatch d{&op, now, static_cast<std::int32_t>(copy)};
  if (++windowAt < windowStart + active->window) {
    next = now + op.gap;
  } else if (copy < active->count) {
    ++copy;
    windowAt = windowStart;
    next = firstIssue + static_cast<Cycle>(copy) * active->interval;
  } else {
    active = nullptr;
    scheduleAfter(now + op.gapBehindCopies());
  }
  return d;
}

Dispatch Icu::take(Cycle now) {
  if (active)
    return takeRepeated(now);
  if (!arrived(pc, now)) {
    starved = true;
    next = kNever;
    return {};
  }
  if (ops()[pc].kind == OpKind::Repeat) { // fetched after its window dispatched
    enterRepeat(now);
    starved = active && next < now;
    if (starved)
      return {};
    if (next == now)
      return active ? takeRepeated(now) : take(now);
    return {};
  }
  const Op &op = ops()[pc++];
  last = now;
  if (op.kind == OpKind::Sync) {
    waiting = true;
    next = kNever;
    return {&op, now, 0};
  }
  scheduleAfter(now + op.gap);
  if (op.copies > 0) {
    own = {op.copies, 1, 1, 1};
    reissue(own, pc);
  } else if (op.kind != OpKind::Notify && op.kind != OpKind::IFetch) {
    enterRepeat(now);
  }
  return {&op, now, 0};
}

void Icu::append(const std::uint8_t *bytes, Cycle at) {
  std::size_t end = std::min<std::size_t>(total, present + wordsPerFetch);
  for (std::size_t offset = 0; present < end; ++present, ++offset) {
    isa::Word word = code->words[present];
    if (bytes)
      std::memcpy(word.data(), bytes + offset * sizeof(word), sizeof(word));
    decodeOp(machine, queue, word, present < code->labels.size() ? code->labels[present] : 0, fetched);
  }
  arrivals.push_back({present, at});
}

} // namespace lpu::sim
