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
  for (StepProgram &step : program.steps)
    if (step.predictedCycles == -1)
      step.predictedCycles = checkLegality(program, step, options).length;
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
  program.regions = std::move(file->regions);
  program.steps = std::move(file->steps);
  program.sxmMaps = std::move(file->sxmMaps);
  program.loopbacks = std::move(file->loopbacks);
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
  program.steps = std::move(file->steps);
  claimLengths(program);
  return program;
}

} // namespace lpu::isa
