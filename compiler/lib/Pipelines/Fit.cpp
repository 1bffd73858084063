// Partitions are tried in the planner's order; when one turns out not to fit, first with fewer and smaller programs,
// then the next one with a little less trust in the estimates. When one chip was asked for and does not do, the largest
// context that fits is looked for, so that the error can name it.

#include "Fit.h"

#include "lpu/compiler/Conversion/Passes.h"
#include "lpu/compiler/Dialect/LLM/LLM.h"
#include "lpu/compiler/Pipelines/ContextSearch.h"
#include "lpu/compiler/Pipelines/StepSelection.h"
#include "lpu/isa/Machine.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace lpu::compiler {

namespace {

/// By how much the estimates were too low, of a chip, when a partition that they promised did not fit.
constexpr std::int64_t kDistrust = 50;

/// Attempts with partitions that fill chips well, after others were refused, or that have no wires: each takes a
/// mapping, or at least a dealing, of the model.
constexpr int kMostUntried = 12;

/// Steps of whole sequences leave no sums to share out in time: they stay on one chip.
bool takesWholeSequences(mlir::ModuleOp planned) {
  return llvm::any_of(planned.getOps<llm::StepOp>(),
                      [](llm::StepOp step) { return step.getKind() == llm::StepKind::Encode; });
}

/// Norms that go over all heads keep chips from sharing a layer.
bool hasWideNorms(mlir::ModuleOp planned) {
  return planned
      .walk([](llm::HeadNormOp op) {
        return llm::isWide(op) ? mlir::WalkResult::interrupt() : mlir::WalkResult::advance();
      })
      .wasInterrupted();
}

} // namespace

Fit::Fit(mlir::ModuleOp planned, const DriverOptions &options, const MappingFile &mapping, const isa::Machine &machine,
         OneLineErrors &errors)
    : planned(planned), options(options), mapping(mapping), machine(machine), errors(errors),
      usable(machine.memoryBytes()) {}

bool Fit::isOneChip() const {
  return options.partition.chips == 1 && options.partition.tp <= 1 && options.partition.pp <= 1;
}

Result<std::vector<Partition>> Fit::candidates() {
  auto found = partitionsToTry(modelSize(planned), options.partition, machine, usable);
  bool shares = found && llvm::any_of(*found, [&](const Partition &candidate) { return sharesLayers(candidate.tp); });
  if (!shares && options.partition.tp <= 1 && !sharesLayers(2))
    return Error{options.inputName,
                 fmt::format("a layer takes more than a chip of '{}' holds, and chips cannot share it: {}",
                             machine.name,
                             hasWideNorms(planned)
                                 ? "its norms of queries and keys go over all heads; take a smaller model or a "
                                   "--target with more memory"
                                 : "fp16 sums have an order; choose --weight-type=int8, or --quant-config for some "
                                   "layers")};
  if (!found)
    return Error{options.inputName, found.error().message};
  // Groups of chips that cannot share a layer, and those whose gathered vectors the activation rows cannot hold, come
  // last: they are left for the error, if nothing else fits.
  llvm::stable_sort(*found, [&](const Partition &a, const Partition &b) {
    return std::pair(sharesLayers(a.tp), feedsAToken(a)) > std::pair(sharesLayers(b.tp), feedsAToken(b));
  });
  return found;
}

Result<DealtModel> Fit::choose() {
  if (takesWholeSequences(planned)) {
    const PartitionRequest &asked = options.partition;
    if (asked.chips > 1 || asked.tp > 1 || asked.pp > 1 || !options.topology.empty())
      return Error{options.inputName,
                   "is an encoder, which is compiled for one chip; leave out the options for several"};
    if (!mapping.name.empty())
      return Error{mapping.name, "chooses what only decoders have; leave out --mapping"};
    partition = Partition();
    return keepAsked({planned.clone(), {}});
  }
  if (isOneChip()) {
    partition = Partition();
    if (!dealLayers(modelSize(planned), partition, machine, 2 * machine.memoryBytes()))
      return farTooLarge();
    return deal();
  }
  auto found = candidates();
  if (!found)
    return found.error();
  if (options.partition.fastest && !measured) {
    options.progress("compiling for the fastest partition");
    sortByCompilation(*found, planned, machine, options.pipeline);
    errors.clear();
    measured = true;
  }
  return firstPlaced(*found);
}

Result<DealtModel> Fit::firstPlaced(const std::vector<Partition> &candidates) {
  std::optional<Error> unwired;
  for (const Partition &candidate : llvm::ArrayRef(candidates).take_front(kMostUntried)) {
    partition = candidate;
    Result<DealtModel> dealt = deal();
    if (dealt || !isUnwired)
      return dealt;
    errors.clear();
    if (!unwired)
      unwired = dealt.error();
  }
  return *unwired;
}

Result<DealtModel> Fit::deal() {
  isUnwired = false;
  auto failure = [&] {
    Error error = errors.error();
    return Error{error.place.empty() ? options.inputName : error.place, error.message};
  };
  if (std::int64_t most = mostUsers(machine, planned, partition);
      modelSize(planned).users > std::max<std::int64_t>(1, most))
    return tooManyUsers(most);
  Result<std::int64_t> tokens = tokensOfAStep();
  if (!tokens)
    return tokens.error();
  DealtModel dealt;
  if (partition.chips() == 1) {
    dealt.module = replanned(planned, *tokens, programs());
    return dealt.module ? keepAsked(std::move(dealt)) : failure();
  }
  options.progress(
      fmt::format("dealing the model over {} chips (tp {}, pp {})", partition.chips(), partition.tp, partition.pp));
  dealt.module = partitionModel(planned, partition, machine, options.pipeline.target, programs(), *tokens);
  if (!dealt.module)
    return failure();
  auto placed = placeModel(*dealt.module, options.topology, machine);
  isUnwired = !placed;
  if (!placed)
    return placed.error();
  dealt.places = std::move(*placed);
  return keepAsked(std::move(dealt));
}

Result<std::int64_t> Fit::tokensOfAStep() const {
  auto tokens = [&](Chunks which) { return stepTokens(machine, planned, partition, which); };
  if (!mapping.prefillTokens)
    return tokens(programs());
  auto error = [&](const std::string &message) { return mapping.error(mapping.prefillLine, message); };
  std::int64_t asked = *mapping.prefillTokens, all = tokens(Chunks::All), few = tokens(Chunks::None);
  if (modelSize(planned).users > 1)
    return error("with --batch there are no prefill steps; leave 'prefill' out");
  if (asked > all)
    return error(
        fmt::format("key 'tokens' is {}; a prefill step of this partition takes at most {} tokens", asked, all));
  std::int64_t fewestOfAChunk = machine.superlanes / 2; // then both digits of a chunk take longer than a tile's load
  if (asked > few && asked < fewestOfAChunk)
    return error(fmt::format("key 'tokens' is {}; take {} or less, or from {} to {}", asked, few, fewestOfAChunk, all));
  return std::min(asked, tokens(programs()));
}

Result<DealtModel> Fit::keepAsked(DealtModel dealt) const {
  if (Status kept = keepSteps(*dealt.module, options.steps); !kept)
    return Error{options.inputName, kept.error().message};
  return dealt;
}

Result<DealtModel> Fit::next(const DoesNotFit &why, Error error) {
  if (takesWholeSequences(planned)) {
    error.message += remedy();
    return error;
  }
  bool inChunks = modelSize(planned).users == 1 && stepTokens(machine, planned, partition, Chunks::All) >
                                                       stepTokens(machine, planned, partition, Chunks::None);
  if (inChunks && programs() != Chunks::None) { // fewer programs need less text, shorter steps fewer activations
    chunks = programs() == Chunks::All ? Chunks::Largest : Chunks::None;
    errors.clear();
    return deal();
  }
  if (!refusal && (options.partition.chips == 1 || !helpsToShare(why.resource))) {
    if (why.resource == Resource::Memory && why.wanted > why.capacity && options.partition.chips == 1)
      error.message += fmt::format("; at least {} chips would do", (why.wanted + why.capacity - 1) / why.capacity);
    error.message += partition.chips() == 1 ? remedy() : "; take a smaller --max-context";
    return error;
  }
  return nextPartition(std::move(error));
}

Result<DealtModel> Fit::nextPartition(Error error) {
  errors.clear();
  chunks = Chunks::All;
  tried.push_back(partition);
  if (!refusal && trustLess())
    return choose();
  // Less trust leaves out whatever fills a chip well. But free memory may be in pieces, which says nothing of
  // partitions that put other things on a chip.
  if (!refusal)
    refusal = explain(std::move(error));
  return nextUntried();
}

bool Fit::trustLess() {
  for (const Partition failed = partition; partition == failed;) {
    if (usable <= machine.memoryBytes() / 2)
      return false;
    usable -= machine.memoryBytes() / kDistrust;
    auto found = partitionsToTry(modelSize(planned), options.partition, machine, usable);
    if (!found)
      return false;
    partition = found->front();
  }
  return true;
}

Result<DealtModel> Fit::nextUntried() {
  auto found = partitionsToTry(modelSize(planned), options.partition, machine, machine.memoryBytes());
  if (found && untried++ < kMostUntried)
    for (const Partition &candidate : *found)
      if (sharesLayers(candidate.tp) && feedsAToken(candidate) && !llvm::is_contained(tried, candidate)) {
        partition = candidate;
        if (Result<DealtModel> dealt = deal())
          return dealt;
        errors.clear();
        tried.push_back(candidate);
      }
  return *refusal;
}

Error Fit::tooManyUsers(std::int64_t most) const {
  return {options.inputName,
          fmt::format("a step takes the tokens of at most {} users here, not {}: machine '{}' has no room for "
                      "the activations of more; {}",
                      most, modelSize(planned).users, machine.name,
                      most > 1 ? fmt::format("take --batch={} or less", most) : "leave out --batch")};
}

Error Fit::farTooLarge() const {
  ModelSize size = modelSize(planned);
  MemoryEstimate estimate = estimateMemory(size, partition, machine);
  std::int64_t bytes = estimate.stage.total() + size.layers * estimate.layer.total() + estimate.embedding.total() +
                       estimate.head.total();
  std::string message = fmt::format(
      "the model does not fit on one chip of '{}': weights, KV cache and activations need about {} bytes of {}",
      machine.name, bytes, machine.memoryBytes());
  if (auto enough = smallestPartition(size, machine, usable))
    message += fmt::format("; {} chips would do (--tp={} --pp={})", enough->chips(), enough->tp, enough->pp);
  return {options.inputName, message};
}

Error Fit::explain(Error error) const {
  error.message = fmt::format("{} chips (--tp={} --pp={}) do not hold the model: {}", partition.chips(), partition.tp,
                              partition.pp, error.message);
  if (auto enough = smallestPartition(modelSize(planned), machine, usable);
      enough && enough->chips() > partition.chips())
    error.message += fmt::format("; {} chips would do (--tp={} --pp={})", enough->chips(), enough->tp, enough->pp);
  return error;
}

std::string Fit::remedy() const {
  options.progress("looking for the largest context that fits");
  FittingContext found = largestFittingContext(planned, options.pipeline);
  if (found.context == 0)
    return "; no --max-context is small enough";
  return fmt::format("; {1} {0} (--max-context={0})", found.context,
                     found.isLargest ? "the largest context that fits is" : "a context that fits is");
}

bool Fit::sharesLayers(std::int64_t shards) {
  auto [entry, isNew] = sharesByShards.try_emplace(shards);
  if (isNew)
    entry->second = canShare(planned, shards);
  return entry->second;
}

bool Fit::feedsAToken(const Partition &candidate) {
  auto [entry, isNew] = tokensByShards.try_emplace(candidate.tp);
  if (isNew)
    entry->second = prefillTokens(machine, planned, candidate.tp);
  return entry->second > 0;
}

Chunks Fit::programs() const {
  std::int64_t layers = partition.layers.empty() ? modelSize(planned).layers
                                                 : *std::max_element(partition.layers.begin(), partition.layers.end());
  return std::max(chunks, layers > 1 ? Chunks::Largest : Chunks::All);
}

} // namespace lpu::compiler
