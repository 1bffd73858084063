// One step: token ids and positions in, run, logits out. This is all the host
// does; every value of the model is computed by the chip's instructions.
#include "lpu/rt/Session.h"

#include <algorithm>
#include <cstring>

namespace lpu::rt {

Session::Session(const isa::Program &program, sim::Simulator &simulator, sim::Mode mode, Observer observer)
    : program(program), simulator(simulator), mode(mode), observer(std::move(observer)) {}

void Session::write(std::size_t step, const char *name, const std::vector<std::int32_t> &values) {
  auto bytes = std::as_bytes(std::span(values));
  simulator.writeInput(step, name, {reinterpret_cast<const std::uint8_t *>(bytes.data()), bytes.size()});
}

Result<std::vector<float>> Session::run(const PlannedStep &step, std::span<const TokenId> tokens) {
  const isa::SystemStep &target = program.steps[step.program];
  std::vector<std::int32_t> ids, positions; // of several users all feed the same
  for (std::uint32_t user = 0; user < target.users; ++user)
    for (std::uint32_t i = 0; i < target.tokens; ++i) {
      ids.push_back(i < tokens.size() ? tokens[i] : 0);
      positions.push_back(static_cast<std::int32_t>(step.position + i));
    }
  const Clock::time_point begin = Clock::now();
  write(step.program, "token", ids);
  write(step.program, "position", positions);
  sim::StepResult result = simulator.run(step.program);
  if (result.violation) {
    broken = result.violation;
    return Error{target.name, broken->str()};
  }
  std::vector<float> rows = functional() ? readLogits(step) : std::vector<float>();
  lastEnd = Clock::now();
  if (steps.empty())
    firstStart = begin;
  record(step, result);
  return rows;
}

void Session::record(const PlannedStep &step, const sim::StepResult &result) {
  StepRecord made{step, program.steps[step.program].predictedCycles, result.cycles, {}};
  made.classCycles.resize(program.classes.size());
  for (std::size_t i = 0; i < result.chipCycles.size(); ++i)
    if (result.chipCycles[i] > 0) {
      isa::Cycle &longest = made.classCycles[program.chips[i].chipClass];
      longest = std::max(longest, result.chipCycles[i] - program.chips[i].start[step.program]);
    }
  steps.push_back(std::move(made));
  if (observer)
    observer(steps.back());
}

/// Chips may hold more rows of a padded vocabulary than there are tokens.
std::vector<float> Session::readLogits(const PlannedStep &step) const {
  const isa::SystemStep &target = program.steps[step.program];
  const std::vector<std::uint8_t> raw = simulator.readOutput(step.program, "logits");
  const std::size_t items = std::size_t{target.tokens} * target.users, vocabulary = program.model.vocabulary;
  const std::size_t width = raw.size() / sizeof(float) / items;
  std::vector<float> rows(step.tokens * vocabulary);
  for (std::size_t i = 0; i < step.tokens; ++i)
    std::memcpy(&rows[i * vocabulary], &raw[i * width * sizeof(float)], vocabulary * sizeof(float));
  return rows;
}

const StepRecord *Session::firstMismatch() const {
  for (const StepRecord &r : steps)
    if (r.predictedCycles != r.simulatedCycles)
      return &r;
  return nullptr;
}

} // namespace lpu::rt
