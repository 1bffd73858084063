// Memory and latency of a compiled system. The time to the first token repeats the
// runtime's choice of steps: the mix of fewest cycles, the last chunk padded.

#include "lpu/compiler/System/Figures.h"

#include <algorithm>
#include <limits>
#include <optional>
#include <vector>

namespace lpu::compiler {

namespace {

double seconds(const isa::Machine &machine, isa::Cycle cycles) {
  return static_cast<double>(cycles) / (machine.clockGHz * 1e9);
}

/// Both directions of one step: tokens and positions in, logits out, as 4-byte values.
double hostUs(const isa::Program &program, const isa::SystemStep &step) {
  double rows = static_cast<double>(step.tokens) * step.users, bytes = rows * 4 * (2.0 + program.model.vocabulary);
  return 2 * program.machine.hostLatencyUs + bytes / (program.machine.hostGBps * 1e3);
}

const isa::SystemStep *lastDecode(const isa::Program &program) {
  const isa::SystemStep *last = nullptr;
  for (const isa::SystemStep &step : program.steps)
    if (step.kind == isa::StepKind::Decode && (!last || step.context > last->context))
      last = &step;
  return last;
}

/// The steps that feed a prompt.
class PromptPlan {
public:
  PromptPlan(const isa::Program &program, std::uint32_t count)
      : program(program), cost(count + 1, 0), first(count, nullptr) {
    for (std::uint32_t at = count; at-- > 0;)
      plan(at, count);
    for (std::uint32_t at = 0; at < count && first[at]; at += std::min(first[at]->tokens, count - at))
      steps.push_back(first[at]);
  }
  std::vector<const isa::SystemStep *> steps;
  isa::Cycle cycles() const { return cost.front(); }

private:
  void plan(std::uint32_t at, std::uint32_t count) {
    std::map<std::uint32_t, const isa::SystemStep *> smallest; // per number of tokens, the tightest context
    for (const isa::SystemStep &step : program.steps)
      if (std::uint64_t{at} + step.tokens <= step.context && (step.kind == isa::StepKind::Decode || count - at > 1))
        if (auto &best = smallest[step.tokens]; !best || step.context < best->context)
          best = &step;
    for (auto [tokens, step] : smallest)
      if (isa::Cycle total = step->predictedCycles + cost[at + std::min(tokens, count - at)];
          !first[at] || total <= cost[at])
        first[at] = step, cost[at] = total;
  }

  const isa::Program &program;
  std::vector<isa::Cycle> cost;
  std::vector<const isa::SystemStep *> first;
};

/// As many steps are on their way at once as times the busiest chip fits into a step.
PipelineBound pipelineBound(const isa::Program &program, const isa::SystemStep &decode, isa::Cycle interval) {
  PipelineBound bound;
  if (interval <= 0)
    return bound;
  std::int64_t steps = (decode.predictedCycles + interval - 1) / interval;
  bound.users = steps * decode.users;
  bound.tokensPerSecond = decode.users / seconds(program.machine, interval);
  bound.fits = true;
  for (const isa::ChipClass &chip : program.classes) {
    MemoryUse use = memoryOf(program.machine, chip);
    bound.kvBytesPerChip = std::max(bound.kvBytesPerChip, steps * use.kv);
    bound.fits &= use.used() + (steps - 1) * use.kv <= use.capacity;
  }
  return bound;
}

} // namespace

void MemoryUse::add(const MemoryUse &other, std::int64_t chips) {
  weights += chips * other.weights, kv += chips * other.kv, activations += chips * other.activations;
  code += chips * other.code, capacity += chips * other.capacity;
}

MemoryUse memoryOf(const isa::Machine &machine, const isa::ChipClass &chip) {
  MemoryUse use;
  use.capacity = machine.memoryBytes();
  for (const isa::Region &region : chip.regions) {
    std::int64_t bytes = std::int64_t{region.slices} * region.rows * machine.rowBytes();
    using Kind = isa::Region::Kind;
    (region.kind == Kind::Constant ? use.weights
     : region.kind == Kind::Zero   ? use.kv
     : region.kind == Kind::Code   ? use.code
                                   : use.activations) += bytes;
  }
  return use;
}

SystemFigures figuresOf(const isa::Program &program, std::uint32_t promptTokens) {
  SystemFigures figures;
  const isa::SystemStep *decode = lastDecode(program);
  if (!decode)
    return figures;
  auto number = static_cast<std::size_t>(decode - program.steps.data());
  figures.tokenLatencyCycles = decode->predictedCycles;
  for (const isa::Chip &chip : program.chips)
    figures.initiationIntervalCycles =
        std::max(figures.initiationIntervalCycles, program.classes[chip.chipClass].programs[number].predictedCycles);
  double latency = seconds(program.machine, figures.tokenLatencyCycles);
  figures.tokensPerSecondPerUser = 1 / latency;
  figures.users = decode->users;
  figures.throughputTokensPerSecond = decode->users / latency;
  figures.pipeline = pipelineBound(program, *decode, figures.initiationIntervalCycles);
  figures.tokensPerSecondWithHost = 1 / (latency + hostUs(program, *decode) * 1e-6);

  figures.promptTokens = std::min(promptTokens, decode->context);
  PromptPlan plan(program, figures.promptTokens);
  figures.promptCycles = plan.cycles(), figures.promptSteps = static_cast<std::int64_t>(plan.steps.size());
  figures.ttftUs = figures.ttftWithHostUs = seconds(program.machine, figures.promptCycles) * 1e6;
  for (const isa::SystemStep *step : plan.steps)
    figures.ttftWithHostUs += hostUs(program, *step);
  figures.prefillTokensPerSecond = figures.promptTokens / (figures.ttftUs * 1e-6);
  figures.prefillTokensPerSecondWithHost = figures.promptTokens / (figures.ttftWithHostUs * 1e-6);
  return figures;
}

isa::Cycle lowerBoundOf(const isa::Program &program, std::size_t step) {
  std::map<std::uint32_t, isa::Cycle> stages;
  for (const isa::Chip &chip : program.chips) {
    isa::Cycle &bound = stages[chip.stage];
    bound = std::max(bound, program.classes[chip.chipClass].programs[step].lowerBoundCycles);
  }
  isa::Cycle sum = 0;
  for (auto [stage, bound] : stages)
    sum += bound;
  return sum;
}

} // namespace lpu::compiler
