// Whether a request is admitted, and what it is promised: one pure function for the server, quotes and load studies.
#pragma once

#include "lpu/serve/Outcome.h"
#include "lpu/serve/Schedule.h"

#include <optional>

namespace lpu::serve {

struct AdmissionRules {
  std::size_t queue = 256;      ///< sequences that may wait
  std::optional<Cycle> maxWait; ///< a start that may come later than that is refused
};

struct Admission {
  enum class Verdict {
    Admitted,
    QueueFull,
    WaitTooLong,
    DeadlineMissed,    ///< it would be met later
    DeadlineImpossible ///< it is not even met without waiting
  };
  Verdict verdict = Verdict::Admitted;
  Promise promise;
  Cycle retry = 0;         ///< cycles after which the same request is admitted, if nobody comes before it
  std::size_t waiting = 0; ///< sequences before it
};

/// What a sequence is promised that starts as `bound` says.
Promise promiseOf(const Timing &timing, Cycle arrival, const StartBound &bound, const Work &work);

/// Judges a request of `sequences` sequences, the first of which is `first`, that arrives at `arrival` (not before the
/// one admitted last). `deadline`: of its last token, from the arrival.
Admission judge(const Schedule &schedule, const Timing &timing, const AdmissionRules &rules, Cycle arrival,
                const Work &first, std::size_t sequences = 1, std::optional<Cycle> deadline = {});

} // namespace lpu::serve
