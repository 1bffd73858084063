// All comparisons are of bounds, which hold whatever the sequences before turn out to do.
#include "lpu/serve/Admission.h"

#include <algorithm>

namespace lpu::serve {
namespace {

Cycle lengthOf(const Timing &timing, const Work &work) { return timing.tokenEnd(work.prompt, work.maxTokens - 1); }

/// When the last token of all is there, at the latest.
Cycle endOf(const Timing &timing, std::span<const StartBound> bounds, std::span<const Work> works) {
  Cycle end = 0;
  for (std::size_t i = 0; i < works.size(); ++i)
    end = std::max(end, bounds[i].start + lengthOf(timing, works[i]));
  return end;
}

/// The longest that one after the other could take: the slot of the first one is there for the others.
Cycle inTurn(const Timing &timing, std::span<const Work> works) {
  Cycle sum = 0;
  for (const Work &work : works)
    sum += lengthOf(timing, work);
  return sum;
}

/// A later token at the largest context that the sequence can reach.
Cycle tokenCycles(const Timing &timing, const Work &work) {
  const std::uint64_t positions = std::min<std::uint64_t>(work.prompt + work.maxTokens - 1, timing.context());
  for (const Timing::Bucket &bucket : timing.buckets())
    if (bucket.context >= positions)
      return bucket.cycles;
  return 0;
}

Cycle aloneOf(const Schedule &schedule, const Timing &timing, std::span<const Work> works) {
  return endOf(timing, createSchedule(timing, schedule.systems())->bounds(0, works), works);
}

/// From when on the queue holds the request, if nobody comes before it: it has one waiting less with each start, and
/// none once the slots are free that the request needs at once.
Cycle roomAt(const Schedule &schedule, const AdmissionRules &rules, Cycle arrival, std::span<const Work> works,
             unsigned needed) {
  const Tier tier = works.front().tier;
  const std::vector<Cycle> starts = schedule.waitingStarts(arrival);
  std::vector<Cycle> times = starts;
  for (unsigned count = 1; count <= std::min<std::size_t>(works.size(), schedule.slots(tier)); ++count)
    times.push_back(schedule.freeBy(arrival, count, tier));
  std::ranges::sort(times);
  const auto holds = [&](Cycle time) {
    const auto waiting = static_cast<std::size_t>(starts.end() - std::ranges::upper_bound(starts, time));
    const std::vector<StartBound> bounds = schedule.bounds(time, works);
    const std::size_t delayed =
        std::ranges::count_if(bounds, [&](const StartBound &bound) { return bound.start > time; });
    return delayed == 0 || waiting + delayed <= rules.queue;
  };
  // Who waits gets fewer with time, and so do those of the request that would have to.
  const auto first = std::ranges::partition_point(times, [&](Cycle time) { return !holds(time); });
  return first == times.end() ? schedule.freeBy(arrival, needed, tier) : *first;
}

} // namespace

Promise promiseOf(const Timing &timing, Cycle arrival, std::span<const StartBound> bounds,
                  std::span<const Work> works) {
  const auto ns = [&](Cycle cycles) { return timing.clock().nanoseconds(cycles); };
  const StartBound &first = bounds.front();
  const Cycle wait = first.start - arrival, end = endOf(timing, bounds, works);
  Promise promise;
  promise.exact = first.exact;
  promise.queueNs = ns(wait);
  promise.ttftNs = ns(wait + timing.tokenEnd(works.front().prompt, 0));
  promise.totalNsMax = ns(end - arrival);
  // An earlier start than the bound need not bring the end forward as much.
  promise.cyclesMax = first.exact ? end - first.start : std::min(end - arrival, inTurn(timing, works));
  for (const Work &work : works)
    promise.tokenNs = std::max(promise.tokenNs, ns(tokenCycles(timing, work)));
  return promise;
}

Admission judge(const Schedule &schedule, const Timing &timing, const AdmissionRules &rules, Cycle arrival,
                std::span<const Work> works, std::optional<Cycle> deadline) {
  using Verdict = Admission::Verdict;
  const std::vector<StartBound> bounds = schedule.bounds(arrival, works);
  const Cycle wait = bounds.front().start - arrival, total = endOf(timing, bounds, works) - arrival;
  Admission out{Verdict::Admitted, promiseOf(timing, arrival, bounds, works), 0, schedule.waiting(arrival), 0, 0};
  out.delayed = std::ranges::count_if(bounds, [&](const StartBound &bound) { return bound.start > arrival; });
  const Tier tier = works.front().tier;
  const std::size_t slots = schedule.slots(tier);
  const std::size_t needed = works.size() > rules.queue ? works.size() - rules.queue : 1; // slots, at once
  if (deadline)
    out.alone = aloneOf(schedule, timing, works);
  // Several may find less room between others later: then only all of it is sure.
  const Cycle inTime = !deadline           ? 0
                       : works.size() == 1 ? total - *deadline
                                           : schedule.freeBy(arrival, static_cast<unsigned>(slots), tier) - arrival;
  const Cycle inPatience = rules.maxWait ? wait - *rules.maxWait : 0;
  if (needed > slots || (tier == Tier::Leftover && works.size() > slots)) {
    out.verdict = Verdict::TooManySequences;
  } else if (tier == Tier::Leftover && out.delayed > 0) {
    out.verdict = Verdict::NothingLeft;
    out.retry = schedule.freeBy(arrival, static_cast<unsigned>(works.size()), tier) - arrival;
  } else if (out.delayed > 0 && out.waiting + out.delayed > rules.queue) {
    const Cycle room = roomAt(schedule, rules, arrival, works, static_cast<unsigned>(needed)) - arrival;
    out.verdict = Verdict::QueueFull,
    out.retry = std::max({room, inPatience, total > deadline.value_or(total) ? inTime : 0});
  } else if (rules.maxWait && wait > *rules.maxWait) {
    out.verdict = Verdict::WaitTooLong, out.retry = inPatience;
  } else if (deadline && out.alone > *deadline) {
    out.verdict = Verdict::DeadlineImpossible;
  } else if (deadline && total > *deadline) {
    out.verdict = Verdict::DeadlineMissed, out.retry = inTime;
  }
  return out;
}

} // namespace lpu::serve
