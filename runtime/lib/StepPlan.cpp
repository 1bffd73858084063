// The step planner. Padding is safe because a padded row's logits are ignored
// and its KV rows are overwritten by the step that feeds that position for good,
// before any step attends to it; it may only not run over the program's context.
#include "lpu/rt/StepPlan.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <set>

namespace lpu::rt {
namespace {

using Kind = isa::StepKind;

class Planner {
public:
  explicit Planner(std::span<const isa::SystemStep> programs) : programs(programs) {
    for (const isa::SystemStep &p : programs)
      if (p.kind == Kind::Prefill)
        chunkSizes.insert(p.tokens);
  }

  /// The cheapest way from each position to the prompt's end, from the end back.
  std::vector<PlannedStep> prompt(std::uint32_t count) const {
    std::vector<PlannedStep> best(count);
    std::vector<isa::Cycle> cost(count + 1, 0);
    for (std::uint32_t at = count; at-- > 0;) {
      auto costOf = [&](const PlannedStep &s) { return programs[s.program].predictedCycles + cost[at + s.tokens]; };
      best[at] = decode(at);
      for (std::uint32_t size : chunkSizes) // ascending: the larger chunk wins a tie
        if (auto chunk = prefill(at, size, count - at); chunk && costOf(*chunk) <= costOf(best[at]))
          best[at] = *chunk;
      cost[at] = costOf(best[at]);
    }
    std::vector<PlannedStep> steps;
    for (std::uint32_t at = 0; at < count; at += steps.back().tokens)
      steps.push_back(best[at]);
    return steps;
  }

  PlannedStep decode(std::uint32_t position) const { return {*smallest(Kind::Decode, 1, position), position, 1, 1}; }

private:
  /// A chunk at a position, padded if fewer than `size` tokens remain; not for a single one.
  std::optional<PlannedStep> prefill(std::uint32_t at, std::uint32_t size, std::uint32_t remaining) const {
    auto program = smallest(Kind::Prefill, size, at);
    if (!program || remaining == 1)
      return std::nullopt;
    return PlannedStep{*program, at, std::min(size, remaining), 1};
  }

  /// The program of this kind and size with the smallest context that fits at a position.
  std::optional<std::size_t> smallest(Kind kind, std::uint32_t tokens, std::uint32_t position) const {
    std::optional<std::size_t> best;
    for (std::size_t i = 0; i < programs.size(); ++i) {
      const isa::SystemStep &p = programs[i];
      if (p.kind == kind && p.tokens == tokens && std::uint64_t{position} + tokens <= p.context &&
          (!best || p.context < programs[*best].context))
        best = i;
    }
    return best;
  }

  std::span<const isa::SystemStep> programs;
  std::set<std::uint32_t> chunkSizes;
};

} // namespace

std::uint32_t contextLimit(const isa::Program &program) {
  std::uint32_t limit = 0;
  for (const isa::SystemStep &p : program.steps)
    if (p.kind == Kind::Decode && p.tokens == 1)
      limit = std::max(limit, p.context);
  return program.model.maxContext ? std::min(limit, program.model.maxContext) : limit;
}

std::string longerContext(std::uint64_t positions) {
  return fmt::format("; a model that has so many positions can be recompiled with lpucc --max-context={}", positions);
}

std::uint32_t usersOf(const isa::Program &program) {
  std::uint32_t users = 1;
  for (const isa::SystemStep &p : program.steps)
    if (p.kind == Kind::Decode)
      users = std::max(users, p.users);
  return users;
}

Result<StepPlan> planSteps(const isa::Program &program, std::uint64_t prompt, std::uint64_t generated) {
  std::uint64_t limit = contextLimit(program), later = generated ? generated - 1 : 0;
  if (limit == 0)
    return Error{"", "the program has no decode step of one token; compile the model again"};
  if (prompt == 0)
    return Error{"", "the prompt has no tokens; give at least one"};
  if (prompt > limit)
    return Error{"", fmt::format("the prompt's {} tokens exceed the context of {} positions; shorten it{}", prompt,
                                 limit, longerContext(prompt))};
  if (later > limit - prompt)
    return Error{
        "",
        fmt::format("a prompt of {} tokens leaves room to generate {} in a context of {} positions (the last is not "
                    "fed), not {}; use -n {}{}",
                    prompt, limit - prompt + 1, limit, generated, limit - prompt + 1, longerContext(prompt + later))};
  Planner planner(program.steps);
  StepPlan plan;
  plan.steps = planner.prompt(static_cast<std::uint32_t>(prompt));
  plan.promptSteps = plan.steps.size();
  for (std::uint64_t position = prompt; position < prompt + later; ++position)
    plan.steps.push_back(planner.decode(static_cast<std::uint32_t>(position)));
  return plan;
}

} // namespace lpu::rt
