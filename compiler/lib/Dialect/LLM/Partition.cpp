// llm-partition: which chip holds which part of the model. Only output rows of a
// linear are dealt, so every sum over its inputs stays on one chip and exact; the
// price is that inputs are gathered whole, which moves as many bytes as reducing
// partial sums would.

#include "PartitionClass.h"
#include "lpu/compiler/Dialect/LLM/Chips.h"
#include "lpu/compiler/Dialect/LLM/Passes.h"
#include "lpu/isa/Machine.h"

#include "mlir/IR/Builders.h"

namespace lpu::compiler::llm {
#define GEN_PASS_DEF_PARTITION
#include "lpu/compiler/Dialect/LLM/Passes.h.inc"

namespace {

using mlir::failure;
using mlir::LogicalResult;
using mlir::success;

struct PartitionPass : impl::PartitionBase<PartitionPass> {
  using PartitionBase::PartitionBase;

  void runOnOperation() override {
    if (tensor == 1 && pipeline == 1 && embeddingChips == 0 && headChips == 0)
      return;
    if (mlir::failed(check()) || mlir::failed(planStages()) || mlir::failed(connectStages()))
      return signalPassFailure();
    partition();
  }

private:
  /// Numbers that no machine or model could satisfy.
  LogicalResult check() {
    mlir::ModuleOp module = getOperation();
    auto caches = module.getOps<KVCacheOp>();
    if (!forwardFunction(module) || caches.empty() || module.getOps<StepOp>().empty())
      return module.emitError("there is no planned model to partition; run llm-quantize and llm-plan-steps first");
    layerCount = std::distance(caches.begin(), caches.end());
    auto heads = static_cast<std::int64_t>((*caches.begin()).getHeads());
    if (tensor > 1 && llvm::any_of(forwardFunction(module).getOps<HeadNormOp>(), isWide))
      return module.emitError("tp=")
             << std::int64_t{tensor}
             << ": norms over all queries need them on one chip; give tp=1, with pp for several";
    if (tensor < 1 || tensor > heads)
      return module.emitError("tp=") << std::int64_t{tensor} << ": a layer of " << heads
                                     << " query heads can be shared by 1 to " << heads << " chips";
    if (pipeline < 1 || pipeline > layerCount)
      return module.emitError("pp=") << std::int64_t{pipeline} << ": " << layerCount << " layers make 1 to "
                                     << layerCount << " stages";
    for (auto [name, chips] :
         {std::pair("embedding-chips", std::int64_t{embeddingChips}), {"head-chips", std::int64_t{headChips}}})
      if (chips < 0 || chips % tensor)
        return module.emitError(name) << "=" << chips << " is no multiple of tp=" << std::int64_t{tensor};
    return success();
  }

  LogicalResult planStages() {
    mlir::ModuleOp module = getOperation();
    std::vector<std::int64_t> counts(layers.begin(), layers.end());
    if (counts.empty())
      for (std::int64_t s = 0; s < pipeline; ++s)
        counts.push_back((s + 1) * layerCount / pipeline - s * layerCount / pipeline);
    std::int64_t sum = 0;
    for (std::int64_t count : counts)
      sum += count;
    if (static_cast<std::int64_t>(counts.size()) != pipeline || sum != layerCount ||
        llvm::any_of(counts, [](std::int64_t c) { return c < 1; }))
      return module.emitError("layers of ") << counts.size() << " stages that sum up to " << sum << " do not deal "
                                            << layerCount << " layers over " << std::int64_t{pipeline} << " stages";
    if (embeddingChips > 0)
      stages.push_back({.embedding = true, .shards = tensor, .groups = embeddingChips / tensor});
    std::int64_t first = 0;
    for (std::int64_t count : counts) {
      stages.push_back({.firstLayer = first, .layers = count, .shards = tensor});
      first += count;
    }
    if (headChips > 0)
      stages.push_back({.firstLayer = layerCount, .head = true, .shards = tensor, .groups = headChips / tensor});
    stages.front().embedding = stages.back().head = true;
    for (Stage &stage : stages)
      noteTypes(module, stage);
    return success();
  }

  /// Groups take links from 0 up, what comes in the next ones, what goes out those from the last one down.
  LogicalResult connectStages() {
    auto machine = isa::loadMachine(target);
    if (!machine)
      return getOperation().emitError(machine.error().str());
    for (std::size_t s = 0; s < stages.size(); ++s) {
      Stage &stage = stages[s];
      std::int64_t sources = s > 0 ? stages[s - 1].groups : 0, sinks = s + 1 < stages.size() ? stages[s + 1].groups : 0;
      if (s > 0 && stage.groups > 1) // every group gets its own copy
        sources = 1;
      if (stage.groups > 1 && sinks > 0)
        sinks = 1;
      for (std::int64_t i = 0; i < sources; ++i)
        stage.inLinks.push_back(tensor - 1 + i);
      for (std::int64_t i = 0; i < sinks; ++i)
        stage.outLinks.push_back(machine->c2cLinks - 1 - i);
      if (std::int64_t needed = tensor - 1 + sources + sinks; needed > machine->c2cLinks)
        return getOperation().emitError("a chip of stage ")
               << s << " needs " << needed << " links: " << tensor - 1 << " to its group, " << sources << " in and "
               << sinks << " out; '" << machine->name << "' has " << machine->c2cLinks
               << "; give the vocabulary fewer chips";
    }
    return success();
  }

  void partition() {
    mlir::ModuleOp module = getOperation();
    std::vector<std::int64_t> classOfStage;
    std::vector<std::size_t> representatives;
    for (const Stage &stage : stages) {
      auto same = llvm::find_if(representatives, [&](std::size_t r) { return stages[r].sameClass(stage); });
      classOfStage.push_back(same - representatives.begin());
      if (same == representatives.end())
        representatives.push_back(classOfStage.size() - 1);
    }
    mlir::OpBuilder builder(module.getContext());
    builder.setInsertionPointToEnd(module.getBody());
    llvm::SmallVector<mlir::Operation *> flat;
    for (mlir::Operation &op : *module.getBody())
      flat.push_back(&op);
    setScales();
    for (auto [number, representative] : llvm::enumerate(representatives)) {
      bool shared = llvm::count(classOfStage, static_cast<std::int64_t>(number)) > 1;
      names.push_back(representatives.size() == 1 ? "all" : stages[representative].name());
      if (auto alike = llvm::count(llvm::map_range(llvm::ArrayRef(representatives).take_front(number),
                                                   [&](std::size_t r) { return stages[r].name(); }),
                                   names.back()))
        names.back() += ".variant" + std::to_string(alike); // the same with other types
      buildClass(builder, module, stages[representative], names.back(), shared);
    }
    for (mlir::Operation *op : llvm::reverse(flat))
      op->erase();
    placeChips(classOfStage);
  }

  void placeChips(llvm::ArrayRef<std::int64_t> classOfStage) {
    std::vector<ChipPlace> chips;
    std::vector<WirePlace> wires;
    std::int64_t before = 0, base = 0;
    for (std::size_t s = 0; s < stages.size(); ++s) {
      const Stage &stage = stages[s];
      base = static_cast<std::int64_t>(chips.size());
      for (std::int64_t p = 0; p < stage.groups * stage.shards; ++p)
        chips.push_back({names[classOfStage[s]], static_cast<std::int64_t>(s), p, stage.firstLayer});
      for (std::int64_t g = 0; g < stage.groups && stage.layers + stage.head > 0;
           ++g) // an embedding alone gathers nothing
        for (std::int64_t i = 0; i < stage.shards; ++i)
          for (std::int64_t j = i + 1; j < stage.shards; ++j)
            wires.push_back({base + g * stage.shards + i, j - i - 1, base + g * stage.shards + j,
                             groupPeerLink(stage.shards, j - i - 1)});
      if (s > 0)
        joinStages(stages[s - 1], before, stage, base, wires);
      before = base;
    }
    setChips(getOperation(), chips);
    setWires(getOperation(), wires);
  }

  /// Shard i of a stage hands over to shard i of every group of the next.
  static void joinStages(const Stage &from, std::int64_t fromBase, const Stage &to, std::int64_t toBase,
                         std::vector<WirePlace> &wires) {
    for (std::int64_t a = 0; a < from.groups; ++a)
      for (std::int64_t b = 0; b < to.groups; ++b)
        for (std::int64_t i = 0; i < to.shards; ++i)
          wires.push_back({fromBase + a * to.shards + i, from.outLinks[from.groups > 1 ? 0 : b],
                           toBase + b * to.shards + i, to.inLinks[to.groups > 1 ? 0 : a]});
  }

  void setScales() {
    mlir::Builder b(&getContext());
    llvm::SmallVector<mlir::NamedAttribute> scales;
    for (mlir::Operation &op : forwardFunction(getOperation()).front())
      if (auto scale = op.getNumResults() == 1 ? activationScale(op.getResult(0)) : std::nullopt)
        scales.push_back(b.getNamedAttr(scaleName(&op), b.getF64FloatAttr(*scale)));
    getOperation()->setAttr(kScalesAttr, b.getDictionaryAttr(scales));
  }

  std::int64_t layerCount = 0;
  std::vector<Stage> stages;
  std::vector<std::string> names; ///< of classes
};

} // namespace
} // namespace lpu::compiler::llm
