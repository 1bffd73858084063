// A context beyond the machine's limits is told before anything is lowered, with one that works: the limit itself where
// more chips can make room for it, else what a search on one chip finds.

#include "DriverContext.h"

#include "lpu/compiler/Conversion/ContextLimit.h"
#include "lpu/compiler/Dialect/LLM/Context.h"
#include "lpu/compiler/Dialect/LLM/LLM.h"
#include "lpu/compiler/Pipelines/ContextSearch.h"

#include <fmt/format.h>

#include <algorithm>

namespace lpu::compiler {

namespace {

std::int64_t contextOf(mlir::ModuleOp planned) {
  std::int64_t context = 0;
  for (auto step : planned.getOps<llm::StepOp>())
    context = std::max(context, static_cast<std::int64_t>(step.getContext()));
  return context;
}

/// Whether the planner finds chips enough for a context.
bool findsRoom(mlir::ModuleOp planned, std::int64_t context, const DriverOptions &options,
               const isa::Machine &machine) {
  ModelSize size = modelSize(planned);
  size.context = context;
  auto found = partitionsToTry(size, options.partition, machine, machine.memoryBytes());
  return found && (options.partition.chips != 1 || found->front().chips() == 1);
}

} // namespace

std::string noteOfContext(mlir::ModuleOp unplanned, std::uint64_t asked) {
  std::uint64_t own = llm::ownContext(unplanned), planned = llm::contextToPlan(unplanned, asked);
  if (asked != llm::kUsualContext || llm::isEncoder(unplanned) || planned >= own)
    return "";
  return fmt::format("context of {} positions, the model has {} (--max-context=N or --max-context=model)", planned,
                     own);
}

std::optional<std::string> contextProblem(mlir::ModuleOp planned, const DriverOptions &options,
                                          const isa::Machine &machine) {
  ContextLimit limit = contextLimit(machine, planned);
  std::int64_t context = contextOf(planned);
  if (context <= limit.positions)
    return std::nullopt;
  std::string problem = fmt::format("a context of {} positions is more than the {} that machine '{}' can have here: {}",
                                    context, limit.positions, machine.name, limit.reason);
  bool onChips = !llm::isEncoder(planned) && options.partition.chips != 1 && machine.c2cLinks > 0;
  if (onChips && findsRoom(planned, limit.positions, options, machine))
    return problem + fmt::format("; take --max-context={}", limit.positions);
  options.progress("looking for the largest context that fits");
  FittingContext found = largestFittingContext(planned, options.pipeline, limit.positions);
  if (found.context == 0)
    return problem + "; no --max-context is small enough for one chip";
  return problem + fmt::format("; {} on one chip is {} (--max-context={})",
                               found.isLargest ? "the largest that fits" : "one that fits", found.context,
                               found.context);
}

} // namespace lpu::compiler
