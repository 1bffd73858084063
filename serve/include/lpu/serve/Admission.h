// Whether a request is admitted, and what it is promised: one pure function for the server, quotes and load studies.
#pragma once

#include "lpu/serve/Outcome.h"
#include "lpu/serve/Schedule.h"

#include <optional>
#include <span>

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
    DeadlineMissed,     ///< it would be met later
    DeadlineImpossible, ///< it is not even met where nobody else is
    TooManySequences,   ///< more than all slots and the queue together
    NothingLeft         ///< Tier::Leftover: not all of it would start at once
  };
  Verdict verdict = Verdict::Admitted;
  Promise promise;
  /// Cycles after which the same request is admitted, if nobody comes before it and those before it take as long as
  /// they may: of one sequence not a cycle earlier.
  Cycle retry = 0;
  std::size_t waiting = 0; ///< sequences before it
  std::size_t delayed = 0; ///< sequences of its own that may have to wait
  Cycle alone = 0;         ///< what it takes at most where nobody else is; only with a deadline
};

/// What a request is promised whose sequences, one at least, start as `bounds` says. Its queue and first token are
/// those of its first sequence, its end is that of the last one.
Promise promiseOf(const Timing &timing, Cycle arrival, std::span<const StartBound> bounds, std::span<const Work> works);

/// Judges a request of these sequences, one at least and of one tier, that arrives at `arrival` (not before the one
/// admitted last). `deadline`: of its last token, from the arrival.
Admission judge(const Schedule &schedule, const Timing &timing, const AdmissionRules &rules, Cycle arrival,
                std::span<const Work> works, std::optional<Cycle> deadline = {});

} // namespace lpu::serve
