// llm-plan-steps: which programs to build. A program's schedule is fixed for its
// context bucket, so buckets trade code size against attention over empty positions;
// powers of two from 64 (from 512 for attention in tiles) waste at most half.

#include "lpu/compiler/Dialect/LLM/Context.h"
#include "lpu/compiler/Dialect/LLM/LLM.h"
#include "lpu/compiler/Dialect/LLM/Passes.h"

#include "mlir/IR/Builders.h"

#include <limits>

namespace lpu::compiler::llm {
#define GEN_PASS_DEF_PLANSTEPS
#include "lpu/compiler/Dialect/LLM/Passes.h.inc"

namespace {

constexpr uint64_t kSmallestBucket = 64;
// Attention in tiles takes positions a few hundred at a time, and models that use it have little memory to spare for
// programs: fewer positions would save a decode step about a hundredth, which a long step gains more from.
constexpr uint64_t kSmallestBucketOfTiles = 512;

// Longer steps take their positions in blocks, as many as a vector of tsp1 has lanes. Attention is a small part of
// them, and their programs are long: each bucket is about a quarter of the next.
constexpr uint64_t kLongStep = 8, kBlock = 320;

// Positions modulo a ring are found by a reciprocal that is exact up to this length (TileAttentionTables.cpp).
constexpr uint64_t kLargestRing = 8192;

// Encoders: latencies of units outweigh what fewer tokens than the smallest would save; longer sequences than the
// largest take more than one vector of lanes and are not lowered.
constexpr uint64_t kSmallestSequence = 32, kUsualSequence = 128;

std::vector<uint64_t> contextBuckets(uint64_t maxContext, uint64_t smallest) {
  std::vector<uint64_t> buckets;
  for (uint64_t bucket = smallest; bucket < maxContext; bucket *= 2)
    buckets.push_back(bucket);
  buckets.push_back(maxContext);
  return buckets;
}

std::vector<uint64_t> longBuckets(uint64_t maxContext, bool largestOnly) {
  std::vector<uint64_t> buckets = {maxContext};
  while (buckets.back() > kBlock && !largestOnly)
    buckets.push_back((buckets.back() / 4 + kBlock - 1) / kBlock * kBlock);
  return {buckets.rbegin(), buckets.rend()};
}

uint64_t longestSequence(mlir::ModuleOp module) {
  uint64_t largest = std::numeric_limits<uint64_t>::max();
  module.walk([&](EmbeddingSumOp op) {
    largest = std::min<uint64_t>(largest, lookupWeight(op, op.getPositionsAttr()).getRows());
  });
  if (auto sequence = module->getAttrOfType<mlir::IntegerAttr>(kSequenceAttr))
    largest = std::min(largest, static_cast<uint64_t>(sequence.getInt()));
  return largest;
}

struct PlanStepsPass : impl::PlanStepsBase<PlanStepsPass> {
  using PlanStepsBase::PlanStepsBase;

  void runOnOperation() override {
    mlir::ModuleOp module = getOperation();
    if (isEncoder(module))
      return planEncoder(module);
    std::optional<uint64_t> context = chooseContext(module);
    if (!context)
      return signalPassFailure();
    for (StepOp old : llvm::make_early_inc_range(module.getOps<StepOp>()))
      old.erase();
    for (KVCacheOp cache : module.getOps<KVCacheOp>())
      cache.setCapacity(*context), cache.setRing(std::nullopt);
    module.walk([&](AttentionOp op) { keepWindow(op); });
    mlir::OpBuilder builder(module.getContext());
    if (mlir::func::FuncOp forward = forwardFunction(module))
      builder.setInsertionPoint(forward);
    else
      builder.setInsertionPointToEnd(module.getBody());
    bool tiles = false;
    module.walk([&](AttentionOp op) { tiles |= op.getTiles(); });
    std::vector<uint64_t> buckets = contextBuckets(*context, tiles ? kSmallestBucketOfTiles : kSmallestBucket);
    bool isLong = maxTokens > kLongStep;
    for (uint64_t bucket : buckets) {
      createDecode(builder, module.getLoc(), bucket);
      if (!isLong)
        createPrefill(builder, module.getLoc(), bucket);
    }
    for (uint64_t bucket : isLong ? longBuckets(*context, largestOnly) : std::vector<uint64_t>())
      createPrefill(builder, module.getLoc(), bucket);
  }

  /// One program a bucket, from the smallest that wastes little to the longest sequence.
  void planEncoder(mlir::ModuleOp module) {
    uint64_t largest = longestSequence(module);
    if (maxContext > largest) {
      module.emitError("max-context ") << maxContext.getValue() << " is more than the " << largest
                                       << " positions the model has";
      return signalPassFailure();
    }
    for (StepOp old : llvm::make_early_inc_range(module.getOps<StepOp>()))
      old.erase();
    mlir::OpBuilder builder(module.getContext());
    if (mlir::func::FuncOp forward = forwardFunction(module))
      builder.setInsertionPoint(forward);
    else
      builder.setInsertionPointToEnd(module.getBody());
    uint64_t most = maxContext ? maxContext.getValue() : std::min(largest, kUsualSequence);
    for (uint64_t bucket : contextBuckets(most, std::min(most, kSmallestSequence)))
      StepOp::create(builder, module.getLoc(), "encode_" + std::to_string(bucket), StepKind::Encode, bucket, bucket,
                     mlir::IntegerAttr());
  }

  /// Of attention in tiles, whose sums have no order, a cache keeps what any token of a step looks back on, in whole
  /// blocks of positions. A step's last tokens, which may be padding, take no place of what its first, or the next
  /// step's, still see.
  void keepWindow(AttentionOp op) {
    KVCacheOp cache = lookupCache(op, op.getCacheAttr());
    if (!cache || !cache.getWindow() || !op.getTiles())
      return;
    uint64_t tokens = batch > 1 ? 1 : maxTokens.getValue(),
             ring = (*cache.getWindow() + tokens - 1 + kBlock - 1) / kBlock * kBlock;
    if (ring < cache.getCapacity() && ring <= kLargestRing)
      cache.setRing(ring);
  }

  /// The context to plan for; nothing after an error.
  std::optional<uint64_t> chooseContext(mlir::ModuleOp module) {
    auto caches = module.getOps<KVCacheOp>();
    if (caches.empty()) {
      module.emitError("there is no llm.kv_cache to plan steps for");
      return std::nullopt;
    }
    if (maxTokens == 0) {
      module.emitError("max-tokens is 0, a prefill step feeds at least 1 token");
      return std::nullopt;
    }
    if (batch == 0) {
      module.emitError("batch is 0, a decode step feeds at least 1 user");
      return std::nullopt;
    }
    uint64_t largest = (*caches.begin()).getCapacity();
    if (maxContext > largest) {
      module.emitError("max-context ") << maxContext.getValue() << " is more than the model's " << largest
                                       << "; the largest that fits is " << largest;
      return std::nullopt;
    }
    return maxContext == 0 ? largest : maxContext.getValue();
  }

  void createDecode(mlir::OpBuilder &builder, mlir::Location loc, uint64_t context) {
    StepOp::create(builder, loc, "decode_" + std::to_string(context), StepKind::Decode, 1, context,
                   batch > 1 ? builder.getI64IntegerAttr(batch) : mlir::IntegerAttr());
  }

  void createPrefill(mlir::OpBuilder &builder, mlir::Location loc, uint64_t context) {
    uint64_t tokens = batch > 1 ? 1 : std::min(maxTokens.getValue(), context);
    if (tokens > 1)
      StepOp::create(builder, loc, "prefill_" + std::to_string(tokens) + "x" + std::to_string(context),
                     StepKind::Prefill, tokens, context, mlir::IntegerAttr());
  }
};

} // namespace

uint64_t ownContext(mlir::ModuleOp module) {
  if (isEncoder(module))
    return longestSequence(module);
  auto caches = module.getOps<KVCacheOp>();
  return caches.empty() ? 0 : (*caches.begin()).getCapacity();
}

uint64_t contextToPlan(mlir::ModuleOp module, uint64_t asked) {
  if (asked == kModelContext)
    return ownContext(module);
  return asked == kUsualContext && !isEncoder(module) ? std::min(ownContext(module), kUsualPositions) : asked;
}

} // namespace lpu::compiler::llm
