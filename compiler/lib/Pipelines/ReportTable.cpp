// The report for eyes: memory, the programs of each class of chips, the system.

#include "lpu/compiler/Pipelines/Driver.h"
#include "lpu/compiler/System/Figures.h"

#include <fmt/format.h>

#include <algorithm>

namespace lpu::compiler {

namespace {

double us(const isa::Program &program, isa::Cycle cycles) {
  return static_cast<double>(cycles) / (program.machine.clockGHz * 1e3);
}

std::string memoryTable(const isa::Program &program) {
  MemoryUse total, worst;
  for (const isa::Chip &chip : program.chips) {
    MemoryUse use = memoryOf(program.machine, program.classes[chip.chipClass]);
    total.add(use, 1);
    if (use.used() > worst.used())
      worst = use;
  }
  bool many = program.chips.size() > 1;
  std::string out;
  auto line = [&](const char *what, std::int64_t all, std::int64_t most) {
    out += fmt::format("  {:<22}{:>15} bytes {:>6.2f} %", what, all,
                       100.0 * static_cast<double>(all) / static_cast<double>(total.capacity));
    out += many ? fmt::format("   fullest chip {:>12} bytes {:>6.2f} %\n", most,
                              100.0 * static_cast<double>(most) / static_cast<double>(worst.capacity))
                : "\n";
  };
  line("weights and tables", total.weights, worst.weights);
  line("KV cache", total.kv, worst.kv);
  line("activations", total.activations, worst.activations);
  line("instruction text", total.code, worst.code);
  return out;
}

std::string programTable(const isa::Program &program) {
  std::string out =
      fmt::format("\n  {:<16}{:<24}{:>8}{:>8}{:>8}{:>10}{:>12}{:>10}{:>8}{:>8}{:>8}\n", "program", "chip class",
                  "chips", "tokens", "context", "cycles", "us", "bound", "ratio", "mxm %", "vxm %");
  for (std::size_t c = 0; c < program.classes.size(); ++c) {
    auto chips = std::count_if(program.chips.begin(), program.chips.end(),
                               [&](const isa::Chip &chip) { return chip.chipClass == c; });
    for (std::size_t s = 0; s < program.steps.size(); ++s) {
      const isa::StepProgram &code = program.classes[c].programs[s];
      out += fmt::format("  {:<16}{:<24}{:>8}{:>8}{:>8}{:>10}{:>12.2f}{:>10}{:>8.3f}{:>8.1f}{:>8.1f}\n",
                         program.steps[s].name, program.classes[c].name, chips, program.steps[s].tokens,
                         program.steps[s].context, code.predictedCycles, us(program, code.predictedCycles),
                         code.lowerBoundCycles,
                         static_cast<double>(code.predictedCycles) /
                             static_cast<double>(std::max<isa::Cycle>(1, code.lowerBoundCycles)),
                         100 * code.utilization.mxm, 100 * code.utilization.vxm);
    }
  }
  return out;
}

/// Nothing for the default alone.
std::string precisionTable(const std::vector<llm::LinearPrecision> &precisions) {
  std::vector<std::pair<std::string, std::vector<std::string>>>
      kinds; ///< in order of appearance: precision, its linears
  for (const llm::LinearPrecision &p : precisions) {
    std::string kind = p.weights + "/" + p.activations;
    auto known = std::ranges::find(kinds, kind, [](const auto &k) { return k.first; });
    if (known == kinds.end())
      known = kinds.insert(known, {kind, {}});
    known->second.push_back(p.tensor);
  }
  std::string out;
  if (kinds.size() > 1 || (kinds.size() == 1 && kinds[0].first != "int8/a16"))
    for (const auto &[kind, tensors] : kinds)
      out += fmt::format("  {:<22}{:>15} linears, {}{}\n", kind, tensors.size(), tensors.front(),
                         tensors.size() > 1 ? " the first" : "");
  return out;
}

std::string systemTable(const isa::Program &program, std::uint32_t promptTokens) {
  if (program.steps.front().kind == isa::StepKind::Encode)
    return ""; // the latencies of an encoder are those of its programs
  SystemFigures figures = figuresOf(program, promptTokens);
  std::string out = "\n";
  if (program.chips.size() > 1)
    for (std::size_t s = 0; s < program.steps.size(); ++s)
      out += fmt::format("  {:<16}{:>8} tokens{:>8} context{:>12} cycles{:>12.2f} us{:>12} bound, all chips\n",
                         program.steps[s].name, program.steps[s].tokens, program.steps[s].context,
                         program.steps[s].predictedCycles, us(program, program.steps[s].predictedCycles),
                         lowerBoundOf(program, s));
  out += fmt::format("  one user   {:>12.1f} tokens/s ({:.1f} with the host), {} cycles a token\n",
                     figures.tokensPerSecondPerUser, figures.tokensPerSecondWithHost, figures.tokenLatencyCycles);
  if (figures.users > 1)
    out += fmt::format("  {:<3} users  {:>12.1f} tokens/s\n", figures.users, figures.throughputTokensPerSecond);
  out += fmt::format("  first token{:>12.1f} us after a prompt of {} tokens ({:.1f} with the host)\n", figures.ttftUs,
                     figures.promptTokens, figures.ttftWithHostUs);
  if (const PipelineBound &bound = figures.pipeline; bound.users > figures.users)
    out += fmt::format("  bound      {:>12.1f} tokens/s of {} users that keep the busiest chip busy; their caches, {} "
                       "bytes a chip, {}\n",
                       bound.tokensPerSecond, bound.users, bound.kvBytesPerChip, bound.fits ? "fit" : "do not fit");
  return out;
}

} // namespace

std::string reportTable(const DriverResult &result) {
  const isa::Program &program = result.program;
  std::string out;
  if (program.chips.size() == 1)
    out = fmt::format("{} on one chip of {}, memory of {} bytes:\n", program.model.name, program.machine.name,
                      program.machine.memoryBytes());
  else
    out = fmt::format("{} on {} chips of {} (tp {}, pp {}, topology {}), memory of {} bytes each:\n",
                      program.model.name, program.chips.size(), program.machine.name, program.tp, program.pp,
                      program.topology, program.machine.memoryBytes());
  return out + memoryTable(program) + precisionTable(result.precisions) + programTable(program) +
         systemTable(program, result.promptTokens);
}

} // namespace lpu::compiler
