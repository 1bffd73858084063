// Listings that come from the decoded program: summary, timed schedule and the
// legality checker's findings.
#include "Objdump.h"
#include "lpu/isa/Assembler.h"
#include "lpu/isa/Legality.h"

#include <algorithm>
#include <array>
#include <fmt/format.h>

namespace lpu::tools {

using namespace isa;

namespace {

const char *kindName(Region::Kind kind) {
  constexpr std::array names{"constant", "zero", "scratch", "code"};
  return names[static_cast<std::size_t>(kind)];
}

char sideLetter(Side side) { return side == Side::East ? 'e' : 'w'; }

void printRegions(const Machine &machine, const ChipClass &chip) {
  const auto rowBytes = static_cast<std::uint64_t>(machine.rowBytes());
  std::array<std::uint64_t, 4> bytes{};
  std::size_t nameWidth = 6;
  for (const Region &r : chip.regions) {
    bytes[static_cast<std::size_t>(r.kind)] += std::uint64_t{r.rows} * r.slices * rowBytes;
    nameWidth = std::max(nameWidth, r.name.size());
  }
  const auto capacity = static_cast<double>(machine.memoryBytes());
  fmt::print("\nmemory {} bytes\n", machine.memoryBytes());
  for (std::size_t k = 0; k < bytes.size(); ++k)
    fmt::print("  {:<9} {:>12} bytes {:>6.2f} %\n", kindName(static_cast<Region::Kind>(k)), bytes[k],
               100.0 * static_cast<double>(bytes[k]) / capacity);
  if (chip.regions.empty())
    return;
  fmt::print("\n{:<{}}  {:<8}  {:<10}  bank  {:<12}  {:>12}\n", "region", nameWidth, "kind", "slices", "rows", "bytes");
  for (const Region &r : chip.regions) {
    const char side = sideLetter(r.side);
    const std::string slices = r.slices == 1 ? fmt::format("{}{}", side, r.slice0)
                                             : fmt::format("{}{}..{}{}", side, r.slice0, side, r.slice0 + r.slices - 1);
    const std::string rows = fmt::format("{}..{}", r.row0, r.row0 + r.rows - 1);
    fmt::print("{:<{}}  {:<8}  {:<10}  {:>4}  {:<12}  {:>12}\n", r.name, nameWidth, kindName(r.kind), slices, r.bank,
               rows, std::uint64_t{r.rows} * r.slices * rowBytes);
  }
}

void printSteps(const Program &program, const ChipClass &chip) {
  fmt::print("\n{:<20}  {:<7}  {:>6}  {:>7}  {:>6}  {:>9}  {:>11}  {:>10}  {:>10}\n", "step", "kind", "tokens",
             "context", "queues", "words", "dispatches", "predicted", "bound");
  for (std::size_t i = 0; i < program.steps.size(); ++i) {
    const SystemStep &step = program.steps[i];
    const StepProgram &s = chip.programs[i];
    std::size_t words = 0;
    for (const QueueCode &code : s.queues)
      words += code.words.size();
    const std::size_t dispatches = expand(program.machine, s).dispatches.size();
    fmt::print("{:<20}  {:<7}  {:>6}  {:>7}  {:>6}  {:>9}  {:>11}  {:>10}  {:>10}\n", step.name,
               step.kind == StepKind::Prefill ? "prefill" : "decode", step.tokens, step.context, s.queues.size(),
               words, dispatches, s.predictedCycles, s.lowerBoundCycles);
  }
}

void printStep(const Program &program, const std::string &name, const StepProgram &step) {
  const Expansion expansion = expand(program.machine, step);
  fmt::print("step {}: {} dispatches, claims {} cycles\n{:>8}  {:<9}  {}\n", quote(name),
             expansion.dispatches.size(), step.predictedCycles, "cycle", "queue", "instruction");
  for (const Finding &finding : expansion.findings)
    fmt::print("# {}\n", finding.str());
  for (const Dispatch &d : expansion.dispatches) {
    const QueueCode &code = step.queues[d.queue];
    const std::uint16_t label = code.labels[d.word];
    fmt::print("{:>8}  {:<9}  {}", d.cycle, queueName(code.queue),
               disassemble(reissued(expansion.instruction(d), d.reissue, program.machine)));
    if (d.reissue != 0)
      fmt::print("  (reissue {})", d.reissue);
    if (label != 0)
      fmt::print("  # {}", step.labels[label]);
    fmt::print("\n");
  }
}

} // namespace

void printSummary(const Program &program, const std::string &path) {
  const Machine &m = program.machine;
  fmt::print("{}\n", path);
  fmt::print("machine  {}: {} lanes, {} slices, {} ALUs, {} MXM planes, {} queues, {} GHz\n", m.name, m.lanes(),
             2 * m.memSlicesPerSide, m.vxmAlus, 2 * m.mxmPlanesPerSide, queueCount(m), m.clockGHz);
  fmt::print("model    {} ({}), {} layers, vocabulary {}, context {}\n",
             program.model.name.empty() ? "-" : program.model.name,
             program.model.architecture.empty() ? "-" : program.model.architecture, program.model.layers,
             program.model.vocabulary, program.model.maxContext);
  fmt::print("text     {}; tokenizer {}, {} tokens; {} SXM maps; image {} bytes\n",
             program.residentCode ? "resident in the queues" : "fetched by ifetch",
             program.tokenizer.model.empty() ? "none" : program.tokenizer.model, program.tokenizer.tokens.size(),
             program.classes[0].sxmMaps.size(), program.image.size());
  for (const ChipClass &chip : program.classes) {
    printRegions(program.machine, chip);
    printSteps(program, chip);
  }
}

Status printSchedule(const Program &program, const std::optional<std::string> &name) {
  bool found = false;
  for (std::size_t i = 0; i < program.steps.size(); ++i) {
    if (name && program.steps[i].name != *name)
      continue;
    found = true;
    printStep(program, program.steps[i].name, program.classes[0].programs[i]);
  }
  if (!found && name) {
    std::string names;
    for (const SystemStep &step : program.steps)
      names += (names.empty() ? "" : ", ") + step.name;
    return Error{"", "no step is called '" + *name + "'; the program has " + (names.empty() ? "none" : names)};
  }
  return Ok{};
}

bool printFindings(const Program &program, const std::string &path) {
  std::size_t count = 0;
  for (std::size_t i = 0; i < program.steps.size(); ++i) {
    const std::string name = quote(program.steps[i].name);
    const LegalityReport report = checkLegality(program, 0, i);
    for (const Finding &finding : report.findings)
      fmt::print("{}: step {}: {}\n", path, name, finding.str());
    count += report.findings.size();
    fmt::print("{}: step {}: {} dispatches, {} cycles, {} findings\n", path, name, report.dispatches, report.length,
               report.findings.size());
  }
  if (count > 0)
    fmt::print(stderr, "{}: error: the program is not legal: {} findings, listed on standard output; compile or assemble it anew\n", path, count);
  return count == 0;
}

} // namespace lpu::tools
