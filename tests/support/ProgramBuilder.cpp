// Test programs. Mistakes in a test's text throw: they are bugs of the test.
#include "ProgramBuilder.h"

#include "lpu/isa/Assembler.h"

#include <algorithm>
#include <stdexcept>

namespace lpu::test {

namespace {
constexpr isa::Cycle kLongestNop = 65535;
} // namespace

ProgramBuilder::ProgramBuilder(const std::string &preset) {
  auto loaded = isa::loadMachine(preset);
  if (!loaded)
    throw std::runtime_error(loaded.error().str());
  machine = *loaded;
  program.classes.push_back({"all", {}, 0, {}, {}, 0});
  program.chips.emplace_back();
}

isa::Word ProgramBuilder::word(const std::string &text) {
  auto instruction = isa::assembleInstruction(text);
  if (!instruction)
    throw std::runtime_error(text + ": " + instruction.error().str());
  auto encoded = isa::encode(*instruction);
  if (!encoded)
    throw std::runtime_error(text + ": " + encoded.error().str());
  return *encoded;
}

void ProgramBuilder::add(Text &text, const std::string &instruction) {
  text.words.push_back(word(instruction));
  text.labels.push_back(currentLabel);
}

ProgramBuilder &ProgramBuilder::at(isa::Cycle cycle, const std::string &queue, const std::string &instruction) {
  Text &text = queues[queue];
  if (cycle < text.next)
    throw std::runtime_error(queue + ": cycle " + std::to_string(cycle) + " is already past");
  while (text.next < cycle) {
    isa::Cycle n = std::min(cycle - text.next, kLongestNop);
    add(text, "nop " + std::to_string(n));
    text.next += n;
  }
  add(text, instruction);
  ++text.next;
  return *this;
}

ProgramBuilder &ProgramBuilder::append(const std::string &queue, const std::vector<std::string> &instructions,
                                       isa::Cycle next) {
  Text &text = queues[queue];
  for (const std::string &instruction : instructions)
    add(text, instruction);
  text.next = next;
  return *this;
}

ProgramBuilder &ProgramBuilder::label(const std::string &name) {
  currentLabel = static_cast<std::uint16_t>(labels.size());
  labels.push_back(name);
  return *this;
}

ProgramBuilder &ProgramBuilder::bare() {
  isBare = true;
  return *this;
}

ProgramBuilder &ProgramBuilder::nextStep() {
  closeStep();
  return *this;
}

void ProgramBuilder::closeStep() {
  isa::StepProgram step;
  step.labels = labels;
  bool notified = isBare;
  for (auto &[name, text] : queues) {
    auto queue = isa::parseQueueName(name);
    if (!queue)
      throw std::runtime_error(queue.error().str());
    isa::QueueCode code{*queue, {}, {}};
    if (!notified)
      code.words.push_back(word("notify"));
    if (!isBare)
      code.words.push_back(word("sync"));
    notified = true;
    code.labels.assign(code.words.size(), 0);
    code.words.insert(code.words.end(), text.words.begin(), text.words.end());
    code.labels.insert(code.labels.end(), text.labels.begin(), text.labels.end());
    step.queues.push_back(std::move(code));
  }
  isa::SystemStep system;
  system.name = "step" + std::to_string(program.steps.size());
  program.steps.push_back(std::move(system));
  chip().programs.push_back(std::move(step));
  program.chips[0].start.push_back(0);
  queues.clear();
}

ProgramBuilder &ProgramBuilder::constant(isa::Side side, int slice, int bank, int row, const Row &bytes) {
  region(isa::Region::Kind::Constant, side, slice, bank, row);
  chip().regions.back().imageOffset = image.size();
  image.insert(image.end(), bytes.begin(), bytes.end());
  return *this;
}

ProgramBuilder &ProgramBuilder::region(isa::Region::Kind kind, isa::Side side, int slice, int bank, int row, int rows) {
  isa::Region r;
  r.name = "region" + std::to_string(chip().regions.size());
  r.kind = kind;
  r.side = side;
  r.slice0 = static_cast<std::uint16_t>(slice);
  r.bank = static_cast<std::uint8_t>(bank);
  r.row0 = static_cast<std::uint16_t>(row);
  r.rows = static_cast<std::uint16_t>(rows);
  chip().regions.push_back(r);
  return *this;
}

isa::Program ProgramBuilder::finish() {
  closeStep();
  chip().imageBytes = image.size();
  auto owner = std::make_shared<std::vector<std::uint8_t>>(std::move(image));
  program.image = *owner;
  program.imageOwner = owner;
  return program;
}

} // namespace lpu::test
