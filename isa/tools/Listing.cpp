// Listings that come from the decoded program: summary, timed schedule and the
// legality checker's findings.
#include "Objdump.h"
#include "lpu/isa/Assembler.h"
#include "lpu/isa/Legality.h"
#include "lpu/isa/Provenance.h"

#include <algorithm>
#include <array>
#include <fmt/format.h>
#include <fmt/ranges.h>

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
               stepKindName(step.kind), step.tokens, step.context, s.queues.size(), words, dispatches,
               s.predictedCycles, s.lowerBoundCycles);
  }
}

/// What a program is called: of one class alone its step, else the class too.
std::string title(const Program &program, std::size_t chipClass, std::size_t step) {
  const std::string name = "step " + quote(program.steps[step].name);
  return program.classes.size() == 1 ? name : "class " + quote(program.classes[chipClass].name) + ", " + name;
}

void printStep(const Program &program, std::size_t chipClass, std::size_t number) {
  const StepProgram &step = program.classes[chipClass].programs[number];
  const Expansion expansion = expand(program.machine, step);
  fmt::print("{}: {} dispatches, claims {} cycles\n{:>8}  {:<9}  {}\n", title(program, chipClass, number),
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

/// Chips of several classes, or several chips of one; equal lines once.
void printChips(const Program &program) {
  fmt::print("\n{:<20}  {:>6}  {:>7}  {:>11}  {}\n", "chip class", "chips", "layers", "image",
             "starts of its first chip");
  for (std::size_t c = 0; c < program.classes.size(); ++c) {
    const auto own = [&](const Chip &chip) { return chip.chipClass == c; };
    const auto first = std::ranges::find_if(program.chips, own);
    fmt::print("{:<20}  {:>6}  {:>7}  {:>11}  {}\n", program.classes[c].name, std::ranges::count_if(program.chips, own),
               program.classes[c].layerCount, program.classes[c].imageBytes,
               first == program.chips.end() ? "" : fmt::format("{}", fmt::join(first->start, ", ")));
  }
  fmt::print("\n{:<20}  {:<7}  {:>6}  {:>7}  {:>6}  {:>10}\n", "system step", "kind", "tokens", "context", "users",
             "predicted");
  for (const SystemStep &s : program.steps)
    fmt::print("{:<20}  {:<7}  {:>6}  {:>7}  {:>6}  {:>10}\n", s.name, stepKindName(s.kind), s.tokens, s.context,
               s.users, s.predictedCycles);
}

template <typename Range, typename Name> std::string namesOf(const Range &range, Name name) {
  std::string names;
  for (const auto &item : range)
    names += (names.empty() ? "" : ", ") + name(item);
  return names.empty() ? "none" : names;
}

} // namespace

void printSummary(const Program &program, const std::string &path) {
  const Machine &m = program.machine;
  fmt::print("{}\n", path);
  if (const auto origin = readProvenance(path); origin && !origin->empty())
    fmt::print("origin   {}\n", *origin);
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
  const bool several = program.chips.size() > 1 || program.classes.size() > 1;
  if (several) {
    fmt::print("system   {} chips, tp {}, pp {}, topology {}, {} wires{}\n", program.chips.size(), program.tp,
               program.pp, program.topology.empty() ? "-" : program.topology, program.wires.size(),
               program.hasWeights ? "" : ", without weights");
    printChips(program);
  }
  for (const ChipClass &chip : program.classes) {
    if (several)
      fmt::print("\nclass {}\n", quote(chip.name));
    printRegions(program.machine, chip);
    printSteps(program, chip);
  }
}

Status printSchedule(const Program &program, const std::optional<std::string> &step,
                     const std::optional<std::string> &chipClass) {
  if (step && std::ranges::find(program.steps, *step, &SystemStep::name) == program.steps.end())
    return Error{"", "no step is called '" + *step + "'; the program has " +
                         namesOf(program.steps, [](const SystemStep &s) { return s.name; })};
  if (chipClass && std::ranges::find(program.classes, *chipClass, &ChipClass::name) == program.classes.end())
    return Error{"", "no chip class is called '" + *chipClass + "'; the program has " +
                         namesOf(program.classes, [](const ChipClass &c) { return c.name; })};
  for (std::size_t c = 0; c < program.classes.size(); ++c)
    for (std::size_t i = 0; i < program.steps.size(); ++i)
      if ((!step || program.steps[i].name == *step) && (!chipClass || program.classes[c].name == *chipClass))
        printStep(program, c, i);
  return Ok{};
}

bool printFindings(const Program &program, const std::string &path) {
  std::size_t count = 0;
  for (std::size_t i = 0; i < program.steps.size(); ++i) {
    const SystemLegality report = checkSystem(program, i);
    const auto show = [&](const std::string &where, const std::vector<Finding> &findings) {
      for (const Finding &finding : findings)
        fmt::print("{}: {}: {}\n", path, where, finding.str());
      count += findings.size();
    };
    for (std::size_t c = 0; c < program.classes.size(); ++c) {
      const LegalityReport &own = report.classes[c];
      show(title(program, c, i), own.findings);
      fmt::print("{}: {}: {} dispatches, {} cycles, {} findings\n", path, title(program, c, i), own.dispatches,
                 own.length, own.findings.size());
    }
    const std::string step = "step " + quote(program.steps[i].name);
    show(step, report.findings);
    if (program.chips.size() > 1)
      fmt::print("{}: {}: {} chips, {} cycles, {} findings between them\n", path, step, program.chips.size(),
                 report.length, report.findings.size());
  }
  if (count > 0)
    fmt::print(
        stderr,
        "{}: error: the program is not legal: {} findings, listed on standard output; compile or assemble it anew\n",
        path, count);
  return count == 0;
}

} // namespace lpu::tools
