// Steps are independent of each other but for the memory they share, so what is left
// out is not scheduled and costs nothing.

#include "lpu/compiler/Pipelines/StepSelection.h"

#include "lpu/compiler/Dialect/LLM/Chips.h"
#include "lpu/compiler/Dialect/LLM/LLM.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

namespace lpu::compiler {

static bool isNamed(llm::StepOp step, const std::string &word) {
  return step.getSymName() == word || llm::stringifyStepKind(step.getKind()) == word;
}

Status keepSteps(mlir::ModuleOp module, const std::vector<std::string> &wanted) {
  if (wanted.empty())
    return Ok{};
  std::set<std::string> unused(wanted.begin(), wanted.end());
  std::vector<std::string> names;
  for (mlir::ModuleOp chipClass : llm::classModules(module)) {
    names.clear(); // every class has the same ones
    for (llm::StepOp step : llvm::make_early_inc_range(chipClass.getOps<llm::StepOp>())) {
      names.push_back(step.getSymName().str());
      auto named = [&](const std::string &word) { return isNamed(step, word); };
      std::erase_if(unused, named);
      if (std::ranges::none_of(wanted, named))
        step.erase();
    }
  }
  if (unused.empty())
    return Ok{};
  return Error{"", fmt::format("has no step '{}' to compile (--steps); its steps are {}", *unused.begin(),
                               fmt::join(names, ", "))};
}

} // namespace lpu::compiler
