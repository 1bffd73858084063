// Generation follows a plan made beforehand, so what a token turns out to be
// never changes which program runs next; only an end of all sequences ends it early.
#include "lpu/rt/Generate.h"

#include <fmt/format.h>

#include <algorithm>

namespace lpu::rt {
namespace {

/// Positions that are fed: all of the prompt and of what is generated but the last.
std::size_t fedPositions(const GenerateRequest &request) {
  return request.prompt.size() + (request.count ? request.count - 1 : 0);
}

} // namespace

Result<std::vector<PlannedStep>> planRequests(const isa::Program &program, std::span<const GenerateRequest> requests) {
  if (requests.size() > usersOf(program))
    return Error{"",
                 fmt::format("{} prompts for a program that takes {} at a time; give fewer, or compile the model with "
                             "lpucc --batch={}",
                             requests.size(), usersOf(program), requests.size())};
  std::vector<PlannedStep> longest;
  for (const GenerateRequest &request : requests) {
    auto plan = planSteps(program, request.prompt.size(), request.count);
    if (!plan)
      return plan.error();
    if (plan->steps.size() > longest.size())
      longest = std::move(plan->steps);
  }
  for (PlannedStep &step : longest)
    step.users = static_cast<std::uint32_t>(std::ranges::count_if(
        requests, [&](const GenerateRequest &request) { return step.position < fedPositions(request); }));
  return longest;
}

Status generate(Session &session, std::span<const PlannedStep> plan, std::span<Sequence> sequences,
                const OutputSink &output) {
  std::vector<Sequence *> users;
  for (Sequence &sequence : sequences)
    users.push_back(&sequence);
  for (const PlannedStep &step : plan) {
    if (std::ranges::all_of(sequences, [](const Sequence &sequence) { return sequence.finished().has_value(); }))
      break;
    std::vector<bool> active;
    for (const Sequence &sequence : sequences)
      active.push_back(!sequence.finished());
    auto out = runStep(session, step.program, users);
    if (!out)
      return out.error();
    for (std::size_t user = 0; user < users.size(); ++user)
      if (output && active[user])
        output(user, out->users[user]);
  }
  return Ok{};
}

} // namespace lpu::rt
