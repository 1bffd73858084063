// Requests that begin together, run to their ends: what lpu-run does with a session.
#pragma once

#include "lpu/rt/Sequence.h"

#include <functional>
#include <span>
#include <vector>

namespace lpu::rt {

/// The steps that `requests` take, one for each of the program's first users, should nobody end early. A program of one
/// user: those of planSteps. Else everyone goes in step: step i feeds token i of each sequence, which is the prompt and
/// then what was generated; who has ended is idle. Errors besides those of planSteps: more requests than users.
Result<std::vector<PlannedStep>> planRequests(const isa::Program &program, std::span<const GenerateRequest> requests);

/// Hears what a step brought one of the users.
using OutputSink = std::function<void(std::size_t user, const SequenceOutput &)>;

/// Runs `plan` until all sequences have ended. So everyone gets the tokens of a run of their own; and in timing mode,
/// where nobody ends early, all steps are run. Error: a violation, see Session::violation().
Status generate(Session &session, std::span<const PlannedStep> plan, std::span<Sequence> sequences,
                const OutputSink &output);

} // namespace lpu::rt
