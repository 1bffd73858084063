// Reading checks the container (isa); here we check that its programs speak the
// session's protocol, so that the session itself needs no checks.
#include "lpu/rt/Loader.h"

#include "lpu/rt/StepPlan.h"

#include <fmt/format.h>

namespace lpu::rt {
namespace {

Status checkBinding(const isa::SystemStep &step, const isa::Binding *binding, const std::string &place,
                    const char *name, std::uint32_t elements) {
  if (!binding)
    return Error{place, fmt::format("program '{}' has no binding '{}'; compile the model again", step.name, name)};
  if (binding->width != 4 || binding->items != step.tokens || binding->elements != elements)
    return Error{
        place, fmt::format("program '{}', binding '{}': {} items of {} elements of {} bytes instead of {} of {} of 4; "
                           "compile the model again",
                           step.name, name, binding->items, binding->elements, binding->width, step.tokens, elements)};
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
  if (!program.tokenizer.tokens.empty() && program.tokenizer.tokens.size() > model.vocabulary)
    return Error{path, fmt::format("the tokenizer has {} tokens, the model only {}; compile the model again",
                                   program.tokenizer.tokens.size(), model.vocabulary)};
  for (std::size_t i = 0; i < program.steps.size(); ++i) {
    const isa::SystemStep &step = program.steps[i];
    const isa::StepProgram &chip = program.classes[0].programs[i];
    if (step.tokens == 0 || step.tokens > step.context)
      return Error{path, fmt::format("program '{}' feeds {} tokens into a context of {}; compile the model again",
                                     step.name, step.tokens, step.context)};
    for (const char *name : {"token", "position"})
      if (Status s = checkBinding(step, findBinding(chip.inputs, name), path, name, 1); !s)
        return s;
    if (Status s = checkBinding(step, findBinding(chip.outputs, "logits"), path, "logits", model.vocabulary); !s)
      return s;
  }
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
