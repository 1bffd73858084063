// All figures are sums over the steps that ran; nothing is extrapolated. They
// depend on the program and the counts alone, so they repeat exactly.
#include "lpu/rt/LatencyReport.h"

#include "lpu/rt/Loader.h"

#include <algorithm>

namespace lpu::rt {
namespace {

double bytesOf(const isa::Binding *binding) {
  return binding ? double{1} * binding->width * binding->items * binding->elements : 0;
}

} // namespace

double chipUs(const StepRecord &record, const isa::Machine &machine) {
  return static_cast<double>(record.simulatedCycles) / (machine.clockGHz * 1e3);
}

double hostUs(const isa::Program &program, std::size_t step) {
  const isa::Machine &machine = program.machine;
  double in = 0, out = 0;
  for (const isa::ChipClass &chip : program.classes) {
    const isa::StepProgram &own = chip.programs[step];
    if (program.steps[step].kind == isa::StepKind::Encode) {
      for (const isa::Binding &binding : own.inputs)
        in += bytesOf(&binding);
      for (const isa::Binding &binding : own.outputs)
        out += bytesOf(&binding);
      continue;
    }
    in = std::max(in, bytesOf(findBinding(own.inputs, "token")) + bytesOf(findBinding(own.inputs, "position")));
    out = std::max(out, bytesOf(findBinding(own.outputs, "logits")));
  }
  return 2 * machine.hostLatencyUs + (in + out) / (machine.hostGBps * 1e3);
}

Latency summarize(std::span<const StepRecord> records, std::optional<std::size_t> firstTokenStep,
                  const isa::Program &program, bool withHost) {
  Latency out;
  if (!firstTokenStep || *firstTokenStep >= records.size())
    return out;
  double first = 0, later = 0;
  for (std::size_t i = 0; i < records.size(); ++i) {
    double us = chipUs(records[i], program.machine);
    if (withHost)
      us += hostUs(program, records[i].step.program);
    (i <= *firstTokenStep ? first : later) += us;
  }
  out.ttftUs = first;
  std::size_t laterSteps = records.size() - 1 - *firstTokenStep;
  if (laterSteps == 0)
    return out;
  out.tpotUs = later / static_cast<double>(laterSteps);
  if (later > 0)
    out.tokensPerSecond = 1e6 / *out.tpotUs;
  return out;
}

} // namespace lpu::rt
