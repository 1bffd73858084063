// What a program must hold for the simulator to build its chips. A container has
// passed all this when it was read; programs made by hand have not.
#include "CheckProgram.h"

#include <fmt/format.h>

namespace lpu::sim {

namespace {

using isa::Binding;
using isa::Program;

Status checkBinding(const isa::Machine &m, const std::string &step, const Binding &b) {
  bool fits =
      b.width >= 1 && b.slice0 + b.width <= m.memSlicesPerSide && b.bank < m.memBanks &&
      std::uint64_t{b.row0} + std::uint64_t{b.items} * b.vectors <= static_cast<std::uint64_t>(m.memRowsPerBank);
  bool lanes = b.lanesUsed <= static_cast<std::uint32_t>(m.lanes()) &&
               (b.elements <= 1 || (b.lanesUsed > 0 && b.elements <= std::uint64_t{b.vectors} * b.lanesUsed));
  if (fits && lanes)
    return Ok();
  return Error{step,
               fmt::format("binding '{}' lies outside of the machine's memory; compile for this machine", b.name)};
}

Status checkStep(const isa::Machine &m, const std::string &name, const isa::StepProgram &step) {
  std::vector<bool> seen(isa::queueCount(m));
  for (const isa::QueueCode &code : step.queues) {
    int number = isa::queueNumber(m, code.queue);
    if (number < 0 || number >= isa::queueCount(m) || isa::queueAt(m, number) != code.queue)
      return Error{name,
                   fmt::format("the machine has no queue {}; compile for this machine", isa::queueName(code.queue))};
    if (seen[number])
      return Error{name, fmt::format("queue {} has code twice; compile again", isa::queueName(code.queue))};
    seen[number] = true;
  }
  for (const auto *bindings : {&step.inputs, &step.outputs})
    for (const Binding &binding : *bindings)
      if (Status status = checkBinding(m, name, binding); !status)
        return status;
  return Ok();
}

Status checkWires(const Program &program) {
  const int links = program.machine.c2cLinks;
  std::vector<bool> wired(program.chips.size() * links);
  const auto plug = [&](std::size_t chip, int link) {
    if (chip >= program.chips.size() || link >= links || wired[chip * links + link])
      return false;
    wired[chip * links + link] = true;
    return true;
  };
  for (const isa::Wire &w : program.wires)
    if (!plug(w.chipA, w.linkA) || ((w.chipA != w.chipB || w.linkA != w.linkB) && !plug(w.chipB, w.linkB)))
      return Error{
          "", fmt::format("wire from chip {}, link {} to chip {}, link {}: no such link, or one wired twice; chips "
                          "are 0..{}, links 0..{}",
                          w.chipA, w.linkA, w.chipB, w.linkB, program.chips.size() - 1, links - 1)};
  return Ok();
}

} // namespace

Status checkProgram(const Program &program) {
  for (const isa::Chip &chip : program.chips)
    if (chip.chipClass >= program.classes.size() || chip.start.size() != program.steps.size())
      return Error{"", "a chip has no class, or not one start for each step; compile again"};
  for (const isa::Chip &chip : program.chips)
    if (const std::uint64_t bytes = program.classes[chip.chipClass].imageBytes, size = program.image.size();
        program.hasWeights && (chip.imageOffset > size || bytes > size - chip.imageOffset))
      return Error{"", "a chip's constants are outside of the image; compile again"};
  for (const isa::ChipClass &own : program.classes) {
    if (own.programs.size() != program.steps.size())
      return Error{own.name, "the chip class has not one program for each step; compile again"};
    for (std::size_t i = 0; i < program.steps.size(); ++i)
      if (Status status = checkStep(program.machine, program.steps[i].name, own.programs[i]); !status)
        return status;
  }
  if (program.chips.empty())
    return Error{"", "the program has no chips; compile again"};
  return checkWires(program);
}

} // namespace lpu::sim
