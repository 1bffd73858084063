// The compiler's report: what the program container claims, as JSON and as a table.

#include "lpu/compiler/Pipelines/Driver.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace lpu::compiler {

namespace {

std::int64_t bytesOf(const isa::Program &program, std::initializer_list<isa::Region::Kind> kinds) {
  std::int64_t bytes = 0;
  for (const isa::Region &region : program.classes.front().regions)
    for (isa::Region::Kind kind : kinds)
      if (region.kind == kind)
        bytes += std::int64_t{region.slices} * region.rows * program.machine.rowBytes();
  return bytes;
}

std::int64_t instructions(const isa::StepProgram &step) {
  std::int64_t count = 0;
  for (const isa::QueueCode &queue : step.queues)
    count += static_cast<std::int64_t>(queue.words.size());
  return count;
}

} // namespace

std::string reportJson(const DriverResult &result) {
  const isa::Program &program = result.program;
  using Kind = isa::Region::Kind;
  nlohmann::ordered_json report;
  report["model"] = program.model.name;
  report["target"] = program.machine.name;
  report["chips"] = 1;
  report["compile_seconds"] = result.compileSeconds;
  report["memory"] = {{"weights_bytes", bytesOf(program, {Kind::Constant})},
                      {"kv_bytes", bytesOf(program, {Kind::Zero})},
                      {"activation_bytes", bytesOf(program, {Kind::Scratch})},
                      {"code_bytes", bytesOf(program, {Kind::Code})},
                      {"capacity_bytes", program.machine.memoryBytes()}};
  report["instruction_delivery"] = program.residentCode ? "resident in the queues, space charged to memory" : "fetched";
  auto &programs = report["programs"] = nlohmann::ordered_json::array();
  for (std::size_t i = 0; i < program.steps.size(); ++i) {
    const isa::SystemStep &system = program.steps[i];
    const isa::StepProgram &step = program.classes.front().programs[i];
    const isa::Utilization &u = step.utilization;
    programs.push_back({{"name", system.name},
                        {"kind", system.kind == isa::StepKind::Prefill ? "prefill" : "decode"},
                        {"context", system.context},
                        {"tokens", system.tokens},
                        {"predicted_cycles", step.predictedCycles},
                        {"weight_stream_bound_cycles", step.weightStreamBoundCycles},
                        {"resource_bound_cycles", step.resourceBoundCycles},
                        {"critical_path_cycles", step.criticalPathCycles},
                        {"lower_bound_cycles", step.lowerBoundCycles},
                        {"instructions", instructions(step)},
                        {"utilization", {{"mxm", u.mxm}, {"vxm", u.vxm}, {"sxm", u.sxm}, {"mem", u.mem}, {"streams", u.streams}}}});
    auto &phases = programs.back()["phases"] = nlohmann::ordered_json::array();
    for (const PhaseReport &phase : result.phases[programs.size() - 1])
      phases.push_back({{"name", phase.name}, {"cycles", phase.cycles}, {"bound", phase.bound}, {"bound_cycles", phase.boundCycles}});
  }
  return report.dump(2) + "\n";
}

std::string reportTable(const isa::Program &program) {
  using Kind = isa::Region::Kind;
  std::string out;
  auto line = [&](const char *what, std::int64_t bytes) {
    out += fmt::format("  {:<22}{:>12} bytes {:>6.2f} %\n", what, bytes, 100.0 * static_cast<double>(bytes) / static_cast<double>(program.machine.memoryBytes()));
  };
  out += fmt::format("{} on one chip of {}, memory of {} bytes:\n", program.model.name, program.machine.name, program.machine.memoryBytes());
  line("weights and tables", bytesOf(program, {Kind::Constant}));
  line("KV cache", bytesOf(program, {Kind::Zero}));
  line("activations", bytesOf(program, {Kind::Scratch}));
  line("instruction text", bytesOf(program, {Kind::Code}));
  out += fmt::format("\n  {:<16}{:>8}{:>8}{:>10}{:>12}{:>10}{:>10}{:>8}{:>8}\n", "program", "tokens", "context", "cycles", "us", "bound", "ratio", "mxm %", "vxm %");
  for (std::size_t i = 0; i < program.steps.size(); ++i) {
    const isa::SystemStep &system = program.steps[i];
    const isa::StepProgram &step = program.classes.front().programs[i];
    out += fmt::format("  {:<16}{:>8}{:>8}{:>10}{:>12.2f}{:>10}{:>10.3f}{:>8.1f}{:>8.1f}\n", system.name, system.tokens, system.context, step.predictedCycles,
                       static_cast<double>(step.predictedCycles) / (program.machine.clockGHz * 1e3), step.lowerBoundCycles,
                       static_cast<double>(step.predictedCycles) / static_cast<double>(std::max<isa::Cycle>(1, step.lowerBoundCycles)),
                       100 * step.utilization.mxm, 100 * step.utilization.vxm);
  }
  return out;
}

} // namespace lpu::compiler
