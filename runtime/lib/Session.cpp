// One step: token ids and positions in, run, logits out. This is all the host
// does; every value of the model is computed by the chip's instructions.
#include "lpu/rt/Session.h"

#include "lpu/rt/Loader.h"

#include <cstring>

namespace lpu::rt {

Session::Session(const isa::Program &program, sim::Simulator &simulator, sim::Mode mode, Observer observer)
    : program(program), simulator(simulator), mode(mode), observer(std::move(observer)) {}

void Session::write(const isa::StepProgram &target, const char *name, std::span<const std::int32_t> values) {
  auto bytes = std::as_bytes(values);
  simulator.writeInput(*findBinding(target.inputs, name),
                       {reinterpret_cast<const std::uint8_t *>(bytes.data()), bytes.size()});
}

Result<std::vector<float>> Session::run(const PlannedStep &step, std::span<const TokenId> tokens) {
  const isa::SystemStep &target = program.steps[step.program];
  const isa::StepProgram &chip = program.classes[0].programs[step.program];
  std::vector<std::int32_t> ids(tokens.begin(), tokens.end()), positions;
  ids.resize(target.tokens, 0);
  for (std::uint32_t i = 0; i < target.tokens; ++i)
    positions.push_back(static_cast<std::int32_t>(step.position + i));
  write(chip, "token", ids);
  write(chip, "position", positions);

  sim::StepResult result = simulator.run(step.program);
  if (result.violation) {
    broken = result.violation;
    return Error{target.name, broken->str()};
  }
  steps.push_back({step, target.predictedCycles, result.cycles});
  if (observer)
    observer(steps.back());
  std::vector<float> rows;
  if (functional()) {
    std::vector<std::uint8_t> raw = simulator.readOutput(*findBinding(chip.outputs, "logits"));
    rows.resize(std::size_t{step.tokens} * program.model.vocabulary);
    std::memcpy(rows.data(), raw.data(), std::min(raw.size(), rows.size() * sizeof(float)));
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
