// The step planner. Padding is safe because a padded row's logits are ignored
// and its KV rows are overwritten by the step that feeds that position for good,
// before any step attends to it; it may only not run over the program's context.
#include "lpu/rt/StepPlan.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

namespace lpu::rt {
namespace {

using Kind = isa::StepProgram::Kind;

class Planner {
public:
  explicit Planner(std::span<const isa::StepProgram> programs) : programs(programs) {}

  std::vector<PlannedStep> prompt(std::uint32_t count) const {
    std::vector<PlannedStep> steps;
    for (std::uint32_t at = 0; at < count; at += steps.back().tokens)
      steps.push_back(promptStep(at, count - at));
    return steps;
  }

  PlannedStep decode(std::uint32_t position) const {
    return {*smallest(Kind::Decode, 1, position), position, 1};
  }

private:
  PlannedStep promptStep(std::uint32_t at, std::uint32_t remaining) const {
    if (remaining == 1)
      return decode(at);
    if (auto full = prefill(at, remaining, /*padded=*/false))
      return {*full, at, programs[*full].tokens};
    if (auto padded = prefill(at, remaining, /*padded=*/true); padded && worthPadding(*padded, at, remaining))
      return {*padded, at, remaining};
    return decode(at);
  }

  /// Full: the most tokens not above `remaining`. Padded: the fewest above it.
  std::optional<std::size_t> prefill(std::uint32_t at, std::uint32_t remaining, bool padded) const {
    std::optional<std::size_t> best;
    for (const isa::StepProgram &p : programs) {
      if (p.kind != Kind::Prefill || (p.tokens > remaining) != padded)
        continue;
      auto found = smallest(Kind::Prefill, p.tokens, at);
      if (found && (!best || (padded ? p.tokens < programs[*best].tokens : p.tokens > programs[*best].tokens)))
        best = found;
    }
    return best;
  }

  /// The program of this kind and size with the smallest context that fits at a position.
  std::optional<std::size_t> smallest(Kind kind, std::uint32_t tokens, std::uint32_t position) const {
    std::optional<std::size_t> best;
    for (std::size_t i = 0; i < programs.size(); ++i) {
      const isa::StepProgram &p = programs[i];
      if (p.kind == kind && p.tokens == tokens && std::uint64_t{position} + tokens <= p.context &&
          (!best || p.context < programs[*best].context))
        best = i;
    }
    return best;
  }

  bool worthPadding(std::size_t padded, std::uint32_t at, std::uint32_t remaining) const {
    isa::Cycle decodes = 0;
    for (std::uint32_t i = 0; i < remaining; ++i)
      decodes += programs[decode(at + i).program].predictedCycles;
    return programs[padded].predictedCycles <= decodes;
  }

  std::span<const isa::StepProgram> programs;
};

} // namespace

std::uint32_t contextLimit(const isa::Program &program) {
  std::uint32_t limit = 0;
  for (const isa::StepProgram &p : program.steps)
    if (p.kind == Kind::Decode && p.tokens == 1)
      limit = std::max(limit, p.context);
  return program.model.maxContext ? std::min(limit, program.model.maxContext) : limit;
}

Result<StepPlan> planSteps(const isa::Program &program, std::uint64_t prompt, std::uint64_t generated) {
  std::uint64_t limit = contextLimit(program), fed = prompt + (generated ? generated - 1 : 0);
  if (limit == 0)
    return Error{"", "the program has no decode step of one token; compile the model again"};
  if (prompt == 0)
    return Error{"", "the prompt has no tokens; give at least one"};
  if (prompt > limit)
    return Error{"", fmt::format("the prompt's {} tokens exceed the context of {} positions; shorten it, or recompile with "
                                 "lpucc --max-context={} or more", prompt, limit, prompt)};
  if (fed > limit)
    return Error{"", fmt::format("a prompt of {} tokens and {} generated ones (the last is not fed) need {} positions, the "
                                 "context has {}; use -n {} or less, or recompile with lpucc --max-context={} or more",
                                 prompt, generated, fed, limit, limit - prompt + 1, fed)};
  Planner planner(program.steps);
  StepPlan plan;
  plan.steps = planner.prompt(static_cast<std::uint32_t>(prompt));
  plan.promptSteps = plan.steps.size();
  for (std::uint64_t position = prompt; position < fed; ++position)
    plan.steps.push_back(planner.decode(static_cast<std::uint32_t>(position)));
  return plan;
}

} // namespace lpu::rt
