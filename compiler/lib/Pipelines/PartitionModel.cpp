// What the planner asks about a module, and what it decides about one.

#include "lpu/compiler/Pipelines/PartitionModel.h"

#include "lpu/compiler/Conversion/Passes.h"
#include "lpu/compiler/Dialect/LLM/Chips.h"
#include "lpu/compiler/Dialect/LLM/LLM.h"
#include "lpu/compiler/Dialect/LLM/Passes.h"
#include "lpu/compiler/Dialect/LLM/Precisions.h"
#include "lpu/compiler/System/Placement.h"

#include "mlir/Pass/PassManager.h"

#include <fmt/format.h>

#include <set>

namespace lpu::compiler {

namespace {

/// Nodes tried beyond the fewest that could do.
constexpr int kSpareNodes = 2;
/// Tokens of a prefill step whose digits the activation rows hold: more would gain little.
constexpr std::int64_t kMostTokens = 8;
/// Shares of the vocabulary that fit anything, before the partition is known.
constexpr std::int64_t kAnyShards = std::int64_t{1} << 30;
constexpr std::size_t kNodePlaces = 8;

std::uint64_t mostTokens(mlir::ModuleOp module) {
  std::uint64_t most = 1;
  for (auto step : module.getOps<llm::StepOp>())
    most = std::max<std::uint64_t>(most, step.getTokens());
  return most;
}

PlacementProblem placementOf(mlir::ModuleOp module) {
  PlacementProblem problem;
  std::vector<llm::ChipPlace> chips = llm::chipsOf(module);
  for (std::size_t c = 0; c < chips.size(); ++c) {
    problem.chips.push_back(
        fmt::format("chip {} ({}, stage {}, shard {})", c, chips[c].chipClass, chips[c].stage, chips[c].shard));
    if (chips[c].stage == 0)
      problem.first = static_cast<int>(c) + 1; // the first chip of stage 1, if there is one
  }
  problem.first %= static_cast<int>(chips.size());
  for (const llm::WirePlace &wire : llm::wiresOf(module))
    if (wire.chipA != wire.chipB)
      problem.wires.emplace_back(static_cast<int>(wire.chipA), static_cast<int>(wire.chipB));
  return problem;
}

} // namespace

ModelSize modelSize(mlir::ModuleOp planned) {
  ModelSize size;
  for (auto cache : planned.getOps<llm::KVCacheOp>()) {
    ++size.layers;
    size.heads = static_cast<std::int64_t>(cache.getHeads()),
    size.kvHeads = static_cast<std::int64_t>(cache.getKvHeads());
    size.headDim = static_cast<std::int64_t>(cache.getHeadDim()),
    size.context = static_cast<std::int64_t>(cache.getCapacity());
  }
  planned.walk([&](llm::AttentionOp op) {
    size.positionsInLanes = op.getTiles();
    size.cacheBytes = llm::kvType(op) == llm::KVType::Int8 ? 2 : 4;
  });
  size.int4 = true;
  planned.walk([&](llm::LinearOp op) {
    size.int4 &= llm::lookupWeight(op, op.getWeightAttr()).quantization() == WeightType::Int4Group;
  });
  planned.walk([&](llm::EmbeddingOp op) { size.hidden = llm::width(op.getResult()); });
  planned.walk([&](llm::SiluMulOp op) { size.ffn = std::max(size.ffn, llm::width(op.getResult())); });
  if (mlir::func::FuncOp forward = llm::forwardFunction(planned))
    size.vocabulary = llm::width(forward.getBody().front().getTerminator()->getOperand(0));
  auto steps = planned.getOps<llm::StepOp>();
  size.programs = std::distance(steps.begin(), steps.end());
  for (llm::StepOp step : steps)
    size.users = std::max(size.users, static_cast<std::int64_t>(step.getUsers().value_or(1)));
  return size;
}

std::int64_t stepTokens(const isa::Machine &machine, mlir::ModuleOp module, const std::optional<Partition> &partition,
                        Chunks chunks) {
  std::int64_t shards = partition ? partition->tp : 1,
               heads = partition ? shards * std::max<std::int64_t>(1, partition->headGroups) : kAnyShards;
  if (std::int64_t chunk = chunks != Chunks::None ? chunkTokens(machine, module, shards, heads) : 0)
    return chunk;
  // At least one, so that a layer too wide for even that is reported by the lowering that knows its width.
  return std::clamp<std::int64_t>(std::min(prefillTokens(machine, module), prefillTokens(machine, module, shards)), 1,
                                  kMostTokens);
}

std::int64_t mostUsers(const isa::Machine &machine, mlir::ModuleOp module, const Partition &partition) {
  return std::max(
      std::min(prefillTokens(machine, module), prefillTokens(machine, module, partition.tp)),
      chunkTokens(machine, module, partition.tp, partition.tp * std::max<std::int64_t>(1, partition.headGroups)));
}

bool canShare(mlir::ModuleOp planned, std::int64_t tp) {
  bool can = true;
  planned.walk([&](llm::LinearOp op) {
    llm::WeightOp weight = llm::lookupWeight(op, op.getWeightAttr());
    std::optional<WeightType> type = weight.quantization();
    bool grouped = type == WeightType::Int8Group || type == WeightType::Int4Group,
         ofHeads = op.getInput().getDefiningOp<llm::AttentionOp>();
    bool whole =
        !grouped || ofHeads || (llm::width(op.getInput()) + tp - 1) / tp % kWeightGroup == 0; // heads stay whole
    can &= tp == 1 || (whole && !llm::isHalf(weight));
  });
  return can;
}

static void addReplanning(mlir::PassManager &passes, mlir::ModuleOp planned, std::int64_t tokens, Chunks chunks) {
  bool severalBuckets = chunks == Chunks::Largest && modelSize(planned).users == 1; // a batch has no prefill steps
  if (static_cast<std::uint64_t>(tokens) < mostTokens(planned) || severalBuckets)
    passes.addPass(llm::createPlanSteps({.maxContext = static_cast<std::uint64_t>(modelSize(planned).context),
                                         .maxTokens = static_cast<std::uint64_t>(tokens),
                                         .largestOnly = chunks == Chunks::Largest}));
}

mlir::OwningOpRef<mlir::ModuleOp> replanned(mlir::ModuleOp planned, std::int64_t tokens, Chunks chunks) {
  mlir::OwningOpRef<mlir::ModuleOp> module = planned.clone();
  mlir::PassManager passes(planned.getContext());
  addReplanning(passes, planned, tokens, chunks);
  if (mlir::failed(passes.run(*module)))
    return nullptr;
  return module;
}

mlir::OwningOpRef<mlir::ModuleOp> partitionModel(mlir::ModuleOp planned, const Partition &partition,
                                                 const isa::Machine &machine, const std::string &target, Chunks chunks,
                                                 std::optional<std::int64_t> tokens) {
  mlir::OwningOpRef<mlir::ModuleOp> module = planned.clone();
  mlir::PassManager passes(planned.getContext());
  addReplanning(passes, planned, tokens.value_or(stepTokens(machine, planned, partition, chunks)), chunks);
  passes.addPass(
      llm::createPartition({.target = target,
                            .tensor = partition.tp,
                            .pipeline = partition.pp,
                            .layers = llvm::SmallVector<std::int64_t>(partition.layers.begin(), partition.layers.end()),
                            .embeddingChips = partition.embeddingGroups * partition.tp,
                            .headChips = partition.headGroups * partition.tp}));
  if (mlir::failed(passes.run(*module)))
    return nullptr;
  return module;
}

/// Nodes that hold all groups when none straddles two.
static int fewestNodes(mlir::ModuleOp partitioned) {
  std::int64_t shards = 1;
  for (mlir::ModuleOp chipClass : llm::classModules(partitioned))
    shards = std::max(shards, llm::shardsOf(chipClass));
  int together = std::max(1, static_cast<int>(kNodePlaces) / static_cast<int>(shards)),
      groups = static_cast<int>(llm::chipsOf(partitioned).size()) / static_cast<int>(shards);
  return (groups + together - 1) / together;
}

Result<Places> placeModel(mlir::ModuleOp partitioned, const std::string &topology, const isa::Machine &machine) {
  PlacementProblem problem = placementOf(partitioned);
  std::string name = !topology.empty() ? topology : problem.chips.size() <= kNodePlaces ? "node" : "rail";
  int nodes = fewestNodes(partitioned);
  Error last;
  for (int spare : {0, kSpareNodes}) {
    auto loaded = loadTopology(name, nodes + spare, machine);
    if (!loaded)
      return last.message.empty() ? loaded.error() : last;
    auto places = placeChips(*loaded, problem);
    if (!places) {
      last = places.error();
      continue;
    }
    partitioned->setAttr(llm::kTopologyAttr, mlir::StringAttr::get(partitioned.getContext(), loaded->name));
    Places result;
    std::set<int> used;
    for (int place : *places)
      result.names.push_back(loaded->placeName(place)), used.insert(loaded->nodeOf(place));
    result.count = static_cast<std::int64_t>(used.size()) * loaded->nodePlaces;
    return result;
  }
  return last;
}

} // namespace lpu::compiler
