// Sums over planSteps. Decode steps depend on their position alone, so their
// prefix sums answer every length; plans of prompts are kept, since a service
// sees the same lengths again and again.
#include "lpu/serve/Timing.h"

#include "lpu/rt/Encode.h"
#include "lpu/rt/LatencyReport.h"
#include "lpu/rt/StepPlan.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace lpu::serve {
namespace {

constexpr std::int64_t kKHzPerGHz = 1000000;
/// Prompts whose plans are kept; a service with more lengths than that plans anew.
constexpr std::size_t kKeptPlans = 1 << 16;

std::int64_t divideUp(__int128 a, std::int64_t b) { return static_cast<std::int64_t>((a + b - 1) / b); }

std::uint32_t longestSequence(const isa::Program &program) {
  std::uint32_t longest = 0;
  for (const isa::SystemStep &step : program.steps)
    longest = std::max(longest, step.tokens);
  return longest;
}

bool isDecode(const isa::SystemStep &step) { return step.kind == isa::StepKind::Decode && step.tokens == 1; }

/// As the step planner chooses: the smallest context that holds the position, of equal ones the first.
std::size_t smallestDecode(const isa::Program &program, std::uint32_t position) {
  std::size_t best = program.steps.size();
  for (std::size_t i = 0; i < program.steps.size(); ++i)
    if (isDecode(program.steps[i]) && position < program.steps[i].context &&
        (best == program.steps.size() || program.steps[i].context < program.steps[best].context))
      best = i;
  return best;
}

} // namespace

VirtualClock::VirtualClock(double clockGHz) : kHz(std::max<std::int64_t>(1, std::llround(clockGHz * kKHzPerGHz))) {}

std::int64_t VirtualClock::nanoseconds(Cycle cycles) const {
  return divideUp(static_cast<__int128>(cycles) * kKHzPerGHz, kHz);
}

Cycle VirtualClock::cycles(std::int64_t nanoseconds) const {
  return divideUp(static_cast<__int128>(nanoseconds) * kHz, kKHzPerGHz);
}

Timing::Timing(const isa::Program &program) : program(program), virtualClock(program.machine.clockGHz) {
  for (std::size_t i = 0; i < program.steps.size(); ++i) {
    const double host = std::ceil(rt::hostUs(program, i) * program.machine.clockGHz * 1e3);
    withHost.push_back(program.steps[i].predictedCycles + static_cast<Cycle>(host));
  }
  encoder = rt::isEncoder(program);
  if (encoder) {
    limit = longestSequence(program);
    return;
  }
  limit = rt::contextLimit(program);
  userCount = rt::usersOf(program);
  for (std::size_t i = 0; i < program.steps.size(); ++i)
    if (isDecode(program.steps[i])) {
      kinds.push_back({program.steps[i].context, withHost[i]});
      frameCycles = std::max(frameCycles, withHost[i]);
    }
  std::ranges::sort(kinds, {}, &Bucket::context);
  frameStep = smallestDecode(program, limit - 1); // holds every position
  if (userCount > 1)
    kinds = {{limit, frameCycles}};
  sumDecodeSteps();
}

void Timing::sumDecodeSteps() {
  decodeBefore = chipDecodeBefore = {0};
  for (std::uint32_t position = 0; position < limit; ++position) {
    const std::size_t step = userCount > 1 ? frameStep : smallestDecode(program, position);
    decodeBefore.push_back(decodeBefore.back() + (userCount > 1 ? frameCycles : withHost[step]));
    chipDecodeBefore.push_back(chipDecodeBefore.back() + program.steps[step].predictedCycles);
  }
}

Cycle Timing::reloadCycles() const {
  constexpr double kBytesPerUs = 1e3; // of a GB/s
  std::uint64_t most = 0;
  for (const isa::Chip &chip : program.chips)
    most = std::max(most, program.classes[chip.chipClass].imageBytes);
  const double us =
      program.machine.hostLatencyUs + static_cast<double>(most) / (program.machine.hostGBps * kBytesPerUs);
  return static_cast<Cycle>(std::ceil(us * program.machine.clockGHz * 1e3));
}

Status Timing::check(const Work &work) const {
  if (encoder) {
    if (work.prompt == 0 || work.prompt > limit)
      return Error{"", fmt::format("{} tokens; this encoder takes from 1 to {}", work.prompt, limit)};
    if (work.maxTokens != 1)
      return Error{"", fmt::format("{} tokens asked for; an encoder generates none, ask for 1", work.maxTokens)};
    return Ok{};
  }
  if (work.prompt > 0 && work.prompt <= limit && work.maxTokens <= limit - work.prompt + 1)
    return Ok{};
  auto plan = rt::planSteps(program, work.prompt, work.maxTokens);
  return plan ? Status(Ok{}) : Status(plan.error());
}

Timing::PromptPlan Timing::makePlan(std::uint64_t prompt) const {
  PromptPlan made;
  Cycle end = 0, chip = 0;
  auto add = [&](std::size_t step) {
    made.ends.push_back(end += withHost[step]);
    made.chipEnds.push_back(chip += program.steps[step].predictedCycles);
    made.programs.push_back(step);
  };
  if (encoder) {
    std::size_t best = program.steps.size();
    for (std::size_t i = 0; i < program.steps.size(); ++i)
      if (program.steps[i].tokens >= prompt &&
          (best == program.steps.size() || program.steps[i].tokens < program.steps[best].tokens))
        best = i;
    if (best < program.steps.size())
      add(best);
    return made;
  }
  if (userCount > 1) {
    for (std::uint64_t i = 0; i < prompt; ++i) {
      made.ends.push_back(end += frameCycles);
      made.chipEnds.push_back(chip += program.steps[frameStep].predictedCycles);
      made.programs.push_back(frameStep);
    }
    return made;
  }
  if (auto plan = rt::planSteps(program, prompt, 0))
    for (const rt::PlannedStep &step : plan->steps)
      add(step.program);
  return made;
}

const Timing::PromptPlan &Timing::planOf(std::uint64_t prompt) const {
  if (auto found = plans.find(prompt); found != plans.end())
    return found->second;
  if (plans.size() >= kKeptPlans)
    plans.clear();
  return plans.emplace(prompt, makePlan(prompt)).first->second;
}

std::uint64_t Timing::steps(std::uint64_t prompt, std::uint64_t tokens) const {
  return promptSteps(prompt) + (tokens ? tokens - 1 : 0);
}

Cycle Timing::stepEnd(std::uint64_t prompt, std::uint64_t step) const {
  const PromptPlan &plan = planOf(prompt);
  if (step < plan.ends.size())
    return plan.ends[step];
  return plan.ends.back() + decodeBefore[prompt + (step - plan.ends.size() + 1)] - decodeBefore[prompt];
}

Cycle Timing::tokenEnd(std::uint64_t prompt, std::uint64_t index) const {
  return stepEnd(prompt, promptSteps(prompt) - 1 + index);
}

void Timing::countPrograms(std::uint64_t prompt, std::uint64_t tokens, std::vector<std::uint64_t> &counts) const {
  for (const std::size_t step : planOf(prompt).programs)
    ++counts[step];
  for (std::uint64_t position = prompt; position + 1 < prompt + tokens; ++position)
    ++counts[userCount > 1 ? frameStep : smallestDecode(program, static_cast<std::uint32_t>(position))];
}

Cycle Timing::chipCycles(std::uint64_t prompt, std::uint64_t steps) const {
  const PromptPlan &plan = planOf(prompt);
  if (steps == 0)
    return 0;
  if (steps <= plan.chipEnds.size())
    return plan.chipEnds[steps - 1];
  return plan.chipEnds.back() + chipDecodeBefore[prompt + (steps - plan.chipEnds.size())] - chipDecodeBefore[prompt];
}

} // namespace lpu::serve
