// All comparisons are of bounds, which hold whatever the sequences before turn out to do.
#include "lpu/serve/Admission.h"

#include <algorithm>

namespace lpu::serve {

Promise promiseOf(const Timing &timing, Cycle arrival, const StartBound &bound, const Work &work) {
  const auto ns = [&](Cycle cycles) { return timing.clock().nanoseconds(cycles); };
  const Cycle wait = bound.start - arrival;
  Promise promise;
  promise.exact = bound.exact;
  promise.queueNs = ns(wait);
  promise.ttftNs = ns(wait + timing.tokenEnd(work.prompt, 0));
  promise.cyclesMax = timing.tokenEnd(work.prompt, work.maxTokens - 1);
  promise.totalNsMax = ns(wait + promise.cyclesMax);
  const std::uint64_t positions = std::min<std::uint64_t>(work.prompt + work.maxTokens - 1, timing.context());
  for (const Timing::Bucket &bucket : timing.buckets())
    if (promise.tokenNs == 0 && bucket.context >= positions)
      promise.tokenNs = ns(bucket.cycles);
  return promise;
}

Admission judge(const Schedule &schedule, const Timing &timing, const AdmissionRules &rules, Cycle arrival,
                const Work &first, std::size_t sequences, std::optional<Cycle> deadline) {
  using Verdict = Admission::Verdict;
  const StartBound bound = schedule.bound(arrival);
  const Cycle wait = bound.start - arrival, length = timing.tokenEnd(first.prompt, first.maxTokens - 1);
  Admission out{Verdict::Admitted, promiseOf(timing, arrival, bound, first), 0, schedule.waiting(arrival)};
  if (wait > 0 && out.waiting + sequences > rules.queue)
    out.verdict = Verdict::QueueFull, out.retry = wait;
  else if (rules.maxWait && wait > *rules.maxWait)
    out.verdict = Verdict::WaitTooLong, out.retry = wait - *rules.maxWait;
  else if (deadline && length > *deadline)
    out.verdict = Verdict::DeadlineImpossible;
  else if (deadline && wait + length > *deadline)
    out.verdict = Verdict::DeadlineMissed, out.retry = wait + length - *deadline;
  return out;
}

} // namespace lpu::serve
