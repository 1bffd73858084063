// Reading checks the container (isa); here we check that its programs speak the
// session's protocol, so that the session itself needs no checks.
#include "lpu/rt/Loader.h"

#include "lpu/rt/Encode.h"

#include "lpu/rt/StepPlan.h"

#include <fmt/format.h>

namespace lpu::rt {
namespace {

Error bad(const std::string &place, const isa::SystemStep &step, const char *name, const std::string &what) {
  return {place, fmt::format("program '{}', binding '{}': {}; compile the model again", step.name, name, what)};
}

/// Every chip's inputs or outputs of this name must hold an item per token and user; how many chips have one.
Result<std::uint64_t> countElements(const isa::Program &program, std::size_t number, bool input, const char *name,
                                    const std::string &place) {
  const isa::SystemStep &step = program.steps[number];
  const std::uint64_t items = std::uint64_t{step.tokens} * step.users;
  std::uint64_t elements = 0;
  for (const isa::Chip &chip : program.chips) {
    const isa::StepProgram &own = program.classes[chip.chipClass].programs[number];
    const isa::Binding *binding = findBinding(input ? own.inputs : own.outputs, name);
    if (!binding)
      continue;
    if (binding->width != 4 || binding->items != items)
      return bad(place, step, name,
                 fmt::format("{} items of {} bytes instead of {} of 4", binding->items, binding->width, items));
    if (input && binding->elements != 1)
      return bad(place, step, name, fmt::format("{} elements an item instead of 1", binding->elements));
    elements += binding->elements;
  }
  if (elements == 0)
    return bad(place, step, name, "no chip has it");
  return elements;
}

Status checkStep(const isa::Program &program, std::size_t number, const std::string &path) {
  const isa::SystemStep &step = program.steps[number];
  if (step.tokens == 0 || step.tokens > step.context)
    return Error{path, fmt::format("program '{}' feeds {} tokens into a context of {}; compile the model again",
                                   step.name, step.tokens, step.context)};
  for (const char *name : {"token", "position"})
    if (auto count = countElements(program, number, true, name, path); !count)
      return count.error();
  auto logits = countElements(program, number, false, "logits", path);
  if (!logits)
    return logits.error();
  if (*logits < program.model.vocabulary || (program.chips.size() == 1 && *logits != program.model.vocabulary))
    return bad(path, step, "logits",
               fmt::format("{} elements for a vocabulary of {}", *logits, program.model.vocabulary));
  return Ok{};
}

} // namespace

const isa::Binding *findBinding(const std::vector<isa::Binding> &bindings, std::string_view name) {
  for (const isa::Binding &b : bindings)
    if (b.name == name)
      return &b;
  return nullptr;
}

Status checkRunnable(const isa::Program &program, const std::string &path) {
  const isa::ModelInfo &model = program.model;
  if (model.vocabulary == 0)
    return Error{path, "the program names no vocabulary size; compile the model again"};
  if (isEncoder(program))
    return checkEncoder(program, path);
  for (std::size_t i = 0; i < program.steps.size(); ++i)
    if (Status status = checkStep(program, i, path); !status)
      return status;
  if (contextLimit(program) == 0)
    return Error{path, "the program has no decode step of one token; compile the model again"};
  return Ok{};
}

Result<isa::Program> loadProgram(const std::string &path) {
  auto program = isa::readProgram(path);
  if (program)
    if (Status status = checkRunnable(*program, path); !status)
      return status.error();
  return program;
}

} // namespace lpu::rt
