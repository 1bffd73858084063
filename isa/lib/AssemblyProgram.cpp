// Programs from assembly files: a hand-written one that declares its memory
// itself, or the steps of an existing program replaced.
#include "lpu/isa/Assembler.h"
#include "lpu/isa/Legality.h"

namespace lpu::isa {
namespace {

/// A step that claims nothing claims what the legality checker computes.
void claimLengths(Program &program) {
  LegalityOptions options;
  options.checkClaim = false;
  for (std::size_t c = 0; c < program.classes.size(); ++c)
    for (std::size_t i = 0; i < program.steps.size(); ++i)
      if (Cycle &claim = program.classes[c].programs[i].predictedCycles; claim == -1)
        claim = checkLegality(program, c, i, options).length;
  for (std::size_t i = 0; i < program.steps.size(); ++i)
    if (Cycle &claim = program.steps[i].predictedCycles; claim == -1)
      claim = predictedLength(program, i);
}

} // namespace

Result<Program> assembleProgram(std::string_view text, const std::string &fileName, const Machine &machine) {
  Result<AssemblyFile> file = parseAssembly(text, fileName, machine);
  if (!file)
    return file.error();
  Program program;
  program.machine = machine;
  program.machineYaml = writeMachine(machine);
  program.model.name = fileName.substr(fileName.find_last_of('/') + 1);
  program.tokenizer.model = "none";
  program.steps = std::move(file->steps);
  program.chips = {Chip{0, 0, std::vector<Cycle>(program.steps.size()), 0, 0, 0}};
  program.wires = std::move(file->wires);
  file->chip.imageBytes = file->image.size();
  program.classes = {std::move(file->chip)};
  program.residentCode = file->residentCode;
  auto image = std::make_shared<std::vector<std::uint8_t>>(std::move(file->image));
  program.image = *image;
  program.imageOwner = image;
  claimLengths(program);
  return program;
}

Result<Program> assembleOnto(Program program, std::string_view text, const std::string &fileName) {
  Result<AssemblyFile> file = parseAssembly(text, fileName, program.machine);
  if (!file)
    return file.error();
  if (file->firstDeclaration != 0)
    return Error{fileName + ":" + std::to_string(file->firstDeclaration),
                 "this directive declares memory, maps or links, but they come from the program given as image; "
                 "remove it, or assemble with a machine instead"};
  if (program.chips.size() != 1)
    return Error{fileName, "the program given as image has several chips, the file describes one"};
  program.steps = std::move(file->steps);
  program.classes[0].programs = std::move(file->chip.programs);
  program.chips[0].start.resize(program.steps.size());
  claimLengths(program);
  return program;
}

} // namespace lpu::isa
