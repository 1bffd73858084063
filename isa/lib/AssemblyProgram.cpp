// Programs from assembly files: a hand-written one that declares its memory
// itself, or the steps of an existing program replaced.
#include "lpu/isa/Assembler.h"
#include "lpu/isa/Legality.h"

#include <algorithm>

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

/// One image for each class, shared by its chips.
void placeImages(Program &program, const std::vector<std::vector<std::uint8_t>> &images) {
  auto image = std::make_shared<std::vector<std::uint8_t>>();
  std::vector<std::uint64_t> offsets;
  for (std::size_t c = 0; c < images.size(); ++c) {
    offsets.push_back(image->size());
    program.classes[c].imageBytes = images[c].size();
    image->insert(image->end(), images[c].begin(), images[c].end());
  }
  for (Chip &chip : program.chips)
    chip.imageOffset = offsets[chip.chipClass];
  program.image = *image;
  program.imageOwner = image;
}

/// A file goes onto a program that has the same classes and chips.
Status checkSameChips(const Program &program, const AssemblyFile &file, const std::string &fileName) {
  if (!file.hasClasses && program.chips.size() != 1)
    return Error{fileName, "the program given as image has several chips, the file describes one"};
  if (!file.hasClasses)
    return Ok{};
  const auto sameClass = [](const ChipClass &a, const ChipClass &b) { return a.name == b.name; };
  const auto sameChip = [](const Chip &a, const Chip &b) { return a.chipClass == b.chipClass; };
  if (!std::ranges::equal(program.classes, file.classes, sameClass))
    return Error{fileName, "its classes are not those of the program given as image, in their order"};
  if (!std::ranges::equal(program.chips, file.chips, sameChip))
    return Error{fileName, "its chips are not those of the program given as image, in their order"};
  return Ok{};
}

} // namespace

Result<Program> assembleProgram(std::string_view text, const std::string &fileName, const Machine &machine) {
  Result<AssemblyFile> file = parseAssembly(text, fileName, machine);
  if (!file)
    return file.error();
  if (file->hasClasses && file->chips.empty())
    return Error{fileName, "the file has classes and no chip; add a .chip for each chip of the system"};
  Program program;
  program.machine = machine;
  program.machineYaml = writeMachine(machine);
  program.model.name = fileName.substr(fileName.find_last_of('/') + 1);
  program.tokenizer.model = "none";
  program.steps = std::move(file->steps);
  program.classes = std::move(file->classes);
  program.wires = std::move(file->wires);
  program.chips = std::move(file->chips);
  if (!file->hasClasses)
    program.chips = {Chip{0, 0, std::vector<Cycle>(program.steps.size()), 0, 0, 0}};
  program.residentCode = file->residentCode;
  placeImages(program, file->images);
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
  if (Status status = checkSameChips(program, *file, fileName); !status)
    return status.error();
  program.steps = std::move(file->steps);
  for (std::size_t c = 0; c < program.classes.size(); ++c)
    program.classes[c].programs = std::move(file->classes[c].programs);
  for (std::size_t i = 0; i < program.chips.size(); ++i)
    if (file->hasClasses)
      program.chips[i].start = std::move(file->chips[i].start);
    else
      program.chips[i].start.assign(program.steps.size(), 0);
  if (file->hasClasses)
    program.wires = std::move(file->wires);
  claimLengths(program);
  return program;
}

} // namespace lpu::isa
