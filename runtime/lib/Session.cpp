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
  const Feed feed{step.position, tokens};
  return run(step, std::span(&feed, 1));
}

Result<std::vector<float>> Session::run(const PlannedStep &step, std::span<const Feed> feeds) {
  const isa::SystemStep &target = program.steps[step.program];
  std::vector<std::int32_t> ids, positions;
  for (std::uint32_t user = 0; user < target.users; ++user) {
    const Feed feed = user < feeds.size() ? feeds[user] : Feed{};
    for (std::uint32_t i = 0; i < target.tokens; ++i) {
      ids.push_back(i < feed.tokens.size() ? feed.tokens[i] : 0);
      positions.push_back(static_cast<std::int32_t>(feed.position + i));
    }
  }
  const Clock::time_point begin = Clock::now();
  write(step.program, "token", ids);
  write(step.program, "position", positions);
  sim::StepResult result = simulator.run(step.program);
  if (result.violation) {
    broken = result.violation;
    return Error{target.name, broken->str()};
  }
  std::vector<float> rows = functional() ? readLogits(step.program, feeds) : std::vector<float>();
  lastEnd = Clock::now();
  if (steps.empty())
    firstStart = begin;
  record(step, result);
  return rows;
}

void Session::record(const PlannedStep &step, const sim::StepResult &result) {
  StepRecord made{step, program.steps[step.program].predictedCycles, result.cycles, {}, result.counts};
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
std::vector<float> Session::readLogits(std::size_t step, std::span<const Feed> feeds) const {
  const isa::SystemStep &target = program.steps[step];
  const std::vector<std::uint8_t> raw = simulator.readOutput(step, "logits");
  const std::size_t items = std::size_t{target.tokens} * target.users, vocabulary = program.model.vocabulary;
  const std::size_t width = raw.size() / sizeof(float) / items;
  std::vector<float> rows;
  for (std::size_t user = 0; user < feeds.size(); ++user)
    for (std::size_t i = 0; i < feeds[user].tokens.size(); ++i) {
      rows.resize(rows.size() + vocabulary);
      std::memcpy(&rows[rows.size() - vocabulary], &raw[(user * target.tokens + i) * width * sizeof(float)],
                  vocabulary * sizeof(float));
    }
  return rows;
}

const StepRecord *Session::firstMismatch() const {
  for (const StepRecord &r : steps)
    if (r.predictedCycles != r.simulatedCycles)
      return &r;
  return nullptr;
}

} // namespace lpu::rt
