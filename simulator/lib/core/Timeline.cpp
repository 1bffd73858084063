// Queue texts to one sorted list. Bursts are cut where executing them as a whole
// could be told from executing their copies one by one: loads of weights at the
// installs of their plane, and everything at the lag streams allow for.
#include "Timeline.h"

#include "Vxm.h"

#include <algorithm>

namespace lpu::sim {

namespace {
constexpr Cycle kAnyLength = 128; ///< of a burst that is executed ahead of time; bounds what streams hold
} // namespace

std::unique_ptr<Timeline> Timeline::of(const isa::Machine &machine, const std::vector<DecodedQueue> &queues,
                                       Wiring &&wiring) {
  std::unique_ptr<Timeline> timeline(new Timeline(std::move(wiring)));
  // With a shorter barrier the notifying queue may be released before it parks.
  return machine.latency.Barrier >= 2 && timeline->layOut(machine, queues) ? std::move(timeline) : nullptr;
}

bool Timeline::layOut(const isa::Machine &machine, const std::vector<DecodedQueue> &queues) {
  std::vector<std::vector<Burst>> bursts(isa::queueCount(machine));
  for (const DecodedQueue &queue : queues)
    if (!walk(queue, bursts[queue.number]))
      return false;
  for (const DecodedQueue &queue : queues)
    for (const auto &[dispatch, alone] : bursts[queue.number])
      countOp(machine, queue.id, *dispatch.op, static_cast<std::uint64_t>(dispatch.count), wiring.counts);
  std::vector<Issue> unsorted;
  for (int q = 0; q < static_cast<int>(bursts.size()); ++q) {
    const bool weights = isa::queueAt(machine, q).unit == isa::UnitKind::MxmW;
    place(machine, q, bursts[q], weights ? installs(bursts[q + 1]) : std::vector<Cycle>(), unsorted);
  }
  sortByCycle(wiring.splitReads(unsorted));
  return wiring.wire(list);
}

// What samples streams is executed last, when all it can find has been driven, but
// before anybody else could see its first effect. What only drives them is executed
// first: that others see its values announced ahead of time changes nothing.
Timeline::Rule Timeline::ruleOf(const isa::Machine &machine, const Op &op) {
  const isa::Latencies &l = machine.latency;
  const Cycle lag = kMaxLag, simple = std::min(Alu::longestBurst(machine), lag);
  // Sums are played so far ahead of being taken that both can move.
  const Cycle play = std::min(l.MxmPlay / 3, lag);
  switch (op.opcode) {
  case isa::Opcode::Mem:
    if (op.mem.read)
      return {op.mem.write ? 1 : kAnyLength, true};
    return {simple, false}; // its row is read by this queue only; shorter ones match what ALUs drive
  case isa::Opcode::LoadWeights:
    return {lag, false};
  case isa::Opcode::Activate:
    return {op.activate.install ? 1 : play, false};
  case isa::Opcode::Accumulate:
    return {l.MxmPlay - play, true};
  default:
    return {isa::isVxm(op.opcode) ? simple : 1, false};
  }
}

std::vector<Cycle> Timeline::installs(const std::vector<Burst> &activations) {
  std::vector<Cycle> times;
  for (const auto &[dispatch, alone] : activations)
    for (std::int32_t k = 0; k < dispatch.count && dispatch.op->activate.install; ++k)
      times.push_back(dispatch.single(k).time);
  std::sort(times.begin(), times.end());
  return times;
}

bool Timeline::walk(const DecodedQueue &queue, std::vector<Burst> &out) {
  const std::vector<Op> &ops = queue.ops;
  std::size_t pc = !ops.empty() && ops[0].kind == OpKind::Notify ? 1 : 0;
  if (pc >= ops.size() || ops[pc].kind != OpKind::Sync)
    return false;
  auto known = [](const Op &op) {
    return op.kind == OpKind::Unit || op.kind == OpKind::Nop || op.kind == OpKind::Config || op.kind == OpKind::Repeat;
  };
  if (!std::all_of(ops.begin() + pc + 1, ops.end(), known))
    return false;
  Cycle next = 0, last = 0;
  for (++pc; pc < ops.size(); ++pc) {
    const Op &op = ops[pc];
    if (op.kind != OpKind::Repeat) {
      last = next + op.copies;
      if (op.kind == OpKind::Nop)
        ++wiring.idle[queue.number].words;
      else
        out.push_back({{&op, next, 0, op.copies + 1}});
      next = last + op.gap;
      continue;
    }
    const RepeatOp &repeat = op.repeat;
    next = last + static_cast<Cycle>(repeat.count) * repeat.interval + ops[pc - 1].gapBehindCopies();
    const Op *window = &ops[pc - repeat.window];
    // The window's other words stand in `out` already; each gets its copies.
    std::size_t word = out.size() - std::count_if(window, &op, [](const Op &o) { return o.kind != OpKind::Nop; });
    for (const Op *w = window; w != &op; ++w) {
      if (w->kind == OpKind::Nop) {
        wiring.idle[queue.number].words += repeat.count;
        continue;
      }
      Burst &burst = out[word++];
      burst.dispatch.count = static_cast<std::int32_t>(repeat.count) + 1;
      burst.dispatch.interval = repeat.interval;
      burst.alone = repeat.window == 1;
    }
    last += static_cast<Cycle>(repeat.count) * repeat.interval;
  }
  return true;
}

void Timeline::place(const isa::Machine &machine, int queue, const std::vector<Burst> &bursts,
                     const std::vector<Cycle> &cuts, std::vector<Issue> &out) {
  for (const Burst &burst : bursts) {
    const Rule rule = burst.alone ? ruleOf(machine, *burst.dispatch.op) : Rule();
    for (std::int32_t k = 0; k < burst.dispatch.count;) {
      Dispatch part = burst.dispatch.single(k);
      part.interval = burst.dispatch.interval;
      // What is before a cut, in its cycle, and after it do not go together.
      auto cut = std::lower_bound(cuts.begin(), cuts.end(), part.time);
      const Cycle end = std::min(part.time + rule.limit, cut == cuts.end() ? INT64_MAX : *cut);
      while (k + part.count < burst.dispatch.count && part.last() + part.interval < end)
        ++part.count;
      k += part.count;
      out.push_back({part, rule.early ? part.time : part.last(), queue});
    }
  }
}

void Timeline::sortByCycle(const std::vector<Issue> &unsorted) {
  Cycle end = 0;
  for (const Issue &issue : unsorted)
    end = std::max(end, issue.at + 1);
  std::vector<std::uint32_t> start(static_cast<std::size_t>(end) + 1);
  for (const Issue &issue : unsorted)
    ++start[issue.at + 1];
  for (std::size_t t = 1; t < start.size(); ++t)
    start[t] += start[t - 1];
  list.resize(unsorted.size());
  for (const Issue &issue : unsorted)
    list[start[issue.at]++] = issue;
}

} // namespace lpu::sim
