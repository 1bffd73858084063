// Bisection over the context with memory allocation alone, on the programs of the
// largest bucket, which use every object at its full size; then, if instruction
// text has no room beside that, with whole compilations. A model that takes long
// gets an answer that is near the largest and says so.

#include "lpu/compiler/Pipelines/ContextSearch.h"

#include "lpu/compiler/Conversion/Passes.h"
#include "lpu/compiler/Dialect/LLM/LLM.h"
#include "lpu/compiler/Dialect/LLM/Passes.h"

#include <chrono>

namespace lpu::compiler {

namespace {

using Clock = std::chrono::steady_clock;
constexpr auto kPatience = std::chrono::seconds(20); // a user waits for an error message

class Search {
public:
  Search(mlir::ModuleOp planned, const PipelineOptions &options) : planned(planned), options(options) {
    for (auto step : planned.getOps<llm::StepOp>())
      capacity = std::max(capacity, static_cast<std::int64_t>(step.getContext())),
      tokens = std::max<std::uint64_t>(tokens, step.getTokens()),
      users = std::max<std::uint64_t>(users, step.getUsers().value_or(1));
  }

  FittingContext run(std::int64_t most) {
    if (most > 0 && fits(most) && compiles(most))
      return {most, true};
    capacity = most > 0 ? most : capacity;
    std::int64_t allocated = bisect(capacity, [&](std::int64_t context) { return fits(context); });
    if (allocated > 0 && !compiles(allocated))
      allocated = bisect(allocated, [&](std::int64_t context) { return compiles(context); });
    return {allocated, exact};
  }

private:
  /// The largest number below `bad` for which `holds`, 0 if none; when time is up, one that is within an eighth of it.
  std::int64_t bisect(std::int64_t bad, llvm::function_ref<bool(std::int64_t)> holds) {
    std::int64_t good = 0;
    while (bad - good > 1) {
      if (Clock::now() > deadline && good > 0 && bad - good <= std::max<std::int64_t>(1, good / 8)) {
        exact = false;
        break;
      }
      std::int64_t middle = (good + bad) / 2;
      (holds(middle) ? good : bad) = middle;
    }
    return good;
  }

  mlir::OwningOpRef<mlir::ModuleOp> planFor(std::int64_t context) {
    mlir::OwningOpRef<mlir::ModuleOp> trial = planned.clone();
    mlir::PassManager passes(planned.getContext());
    passes.addPass(
        llm::createPlanSteps({.maxContext = static_cast<std::uint64_t>(context), .maxTokens = tokens, .batch = users}));
    return mlir::succeeded(passes.run(*trial)) ? std::move(trial) : nullptr;
  }

  bool fits(std::int64_t context) {
    mlir::OwningOpRef<mlir::ModuleOp> trial = planFor(context);
    if (!trial)
      return false;
    for (auto step : llvm::make_early_inc_range(trial->getOps<llm::StepOp>()))
      if (static_cast<std::int64_t>(step.getContext()) != context)
        step.erase();
    mlir::PassManager passes(planned.getContext());
    passes.enableVerifier(false); // only whether it fits is asked
    addStreamPhase(passes, options);
    return mlir::succeeded(passes.run(*trial));
  }

  bool compiles(std::int64_t context) {
    mlir::OwningOpRef<mlir::ModuleOp> trial = planFor(context);
    mlir::PassManager passes(planned.getContext());
    passes.enableVerifier(false); // only whether it fits is asked
    addStreamPhase(passes, options);
    passes.addPass(createConvertStreamToLpu({options.target}));
    passes.addPass(createAllocateCode({options.target}));
    return trial && mlir::succeeded(passes.run(*trial));
  }

  mlir::ModuleOp planned;
  const PipelineOptions &options;
  Clock::time_point deadline = Clock::now() + kPatience;
  bool exact = true;
  std::int64_t capacity = 0; ///< positions that were planned for
  std::uint64_t tokens = 1, users = 1;
};

} // namespace

FittingContext largestFittingContext(mlir::ModuleOp planned, const PipelineOptions &options, std::int64_t most) {
  return Search(planned, options).run(most);
}

} // namespace lpu::compiler
