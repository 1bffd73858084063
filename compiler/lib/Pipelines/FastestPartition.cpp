// The fastest partition by compilation: estimates say which shapes are worth a look,
// the decode program of the largest context says how long a token takes. A token
// passes the stages one after the other, so their lengths add up; hand-overs overlap
// a little, equally in all shapes.

#include "lpu/compiler/Dialect/LLM/Chips.h"
#include "lpu/compiler/Dialect/LLM/LLM.h"
#include "lpu/compiler/Dialect/Lpu/Lpu.h"
#include "lpu/compiler/Pipelines/PartitionModel.h"

#include "mlir/Pass/PassManager.h"

#include <algorithm>
#include <chrono>
#include <map>
#include <set>

namespace lpu::compiler {

namespace {

using Clock = std::chrono::steady_clock;
constexpr auto kPatience = std::chrono::seconds(30);
constexpr std::size_t kMostShapes = 4;

/// A copy that decodes in the largest context and does nothing else.
mlir::OwningOpRef<mlir::ModuleOp> decodeOnly(mlir::ModuleOp planned) {
  mlir::OwningOpRef<mlir::ModuleOp> module = planned.clone();
  auto context = static_cast<std::uint64_t>(modelSize(planned).context);
  for (auto step : llvm::make_early_inc_range(module->getOps<llm::StepOp>()))
    if (step.getKind() != llm::StepKind::Decode || step.getContext() != context)
      step.erase();
  return module;
}

/// Cycles of one stage after the other; nothing when the partition does not compile.
std::optional<std::int64_t> compiledCycles(mlir::ModuleOp decode, const Partition &partition,
                                           const isa::Machine &machine, const PipelineOptions &options) {
  mlir::OwningOpRef<mlir::ModuleOp> module = partitionModel(decode, partition, machine, options.target);
  if (!module)
    return std::nullopt;
  mlir::PassManager passes(module->getContext());
  mlir::OpPassManager &nested = llm::isPartitioned(*module) ? passes.nest<mlir::ModuleOp>() : passes;
  addStreamPhase(nested, options);
  addLpuPhase(nested, options);
  if (mlir::failed(passes.run(*module)))
    return std::nullopt;
  std::map<std::string, std::int64_t> cycles;
  for (mlir::ModuleOp chipClass : llm::classModules(*module))
    for (auto program : chipClass.getOps<timed::ProgramOp>())
      cycles[llm::isPartitioned(*module) ? chipClass.getSymName()->str() : "all"] =
          static_cast<std::int64_t>(program.getCycles());
  std::set<std::int64_t> stages;
  std::int64_t total = 0;
  for (const llm::ChipPlace &chip : llm::chipsOf(*module))
    if (stages.insert(chip.stage).second)
      total += cycles[chip.chipClass];
  return total;
}

} // namespace

void sortByCompilation(std::vector<Partition> &partitions, mlir::ModuleOp planned, const isa::Machine &machine,
                       const PipelineOptions &options) {
  Clock::time_point deadline = Clock::now() + kPatience;
  mlir::OwningOpRef<mlir::ModuleOp> decode = decodeOnly(planned);
  std::set<std::int64_t> shapes; // the estimates are good at comparing partitions of equal groups
  std::map<std::int64_t, std::size_t> measured;
  for (std::size_t i = 0; i < partitions.size() && shapes.size() < kMostShapes && Clock::now() < deadline; ++i)
    if (shapes.insert(partitions[i].tp).second)
      if (auto cycles = compiledCycles(*decode, partitions[i], machine, options))
        measured.emplace(*cycles, i);
  if (!measured.empty())
    std::rotate(partitions.begin(), partitions.begin() + static_cast<std::ptrdiff_t>(measured.begin()->second),
                partitions.begin() + static_cast<std::ptrdiff_t>(measured.begin()->second) + 1);
}

} // namespace lpu::compiler
