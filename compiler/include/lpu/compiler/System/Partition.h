// How a model is dealt over chips, what a chip then holds, and about how long a
// token takes. Sizes and times are estimates for choosing; what a program needs and
// takes is known when it is compiled.
#pragma once

#include "lpu/isa/Machine.h"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace lpu::compiler {

/// What of a model decides about memory and time; elements unless said otherwise.
struct ModelSize {
  std::int64_t layers = 0, hidden = 0, heads = 0, kvHeads = 0, headDim = 0, ffn = 0, vocabulary = 0;
  std::int64_t context = 0;      ///< positions the caches hold
  std::int64_t programs = 1;     ///< step programs, which share the chip's memory
  bool positionsInLanes = false; ///< attention contracts over positions in MXM; false: it sweeps them one by one
  std::int64_t users = 1;        ///< each of whom has caches of their own
  std::int64_t cacheBytes = 4;   ///< of an element of a key and of its value
  bool int4 = false;             ///< all linears have int4 weights, which some machines take packed
};

/// `tp` chips share every layer, `pp` groups of them hold consecutive layers. Embedding and output projection stand
/// in the first and last group, or on groups of their own that deal the vocabulary.
struct Partition {
  std::int64_t tp = 1, pp = 1;
  std::int64_t embeddingGroups = 0, headGroups = 0; ///< of tp chips each
  std::vector<std::int64_t> layers;                 ///< of each stage
  std::int64_t chips() const { return tp * (pp + embeddingGroups + headGroups); }
  bool operator==(const Partition &) const = default;
};

/// Bytes of one chip, in whole rows as they are laid out.
struct ChipMemory {
  std::int64_t weights = 0, cache = 0, activations = 0, code = 0;
  std::int64_t total() const { return weights + cache + activations + code; }
};
/// What goes where in a partition of this shape; only `layers` of the partition is not looked at.
struct MemoryEstimate {
  ChipMemory stage;           ///< what every stage has beside its layers
  ChipMemory layer;           ///< a layer's part
  ChipMemory embedding, head; ///< in the first and last stage, or on a chip of their own groups
};
MemoryEstimate estimateMemory(const ModelSize &model, const Partition &partition, const isa::Machine &machine);

/// The layers of each stage, as even as `usable` bytes of each chip allow; nothing when some chip is too full.
std::optional<std::vector<std::int64_t>> dealLayers(const ModelSize &model, const Partition &partition,
                                                    const isa::Machine &machine, std::int64_t usable);

/// Cycles of a decode step at the full context.
double estimateTokenCycles(const ModelSize &model, const Partition &partition, const isa::Machine &machine);

/// What a user asked for; 0: not said.
struct PartitionRequest {
  std::int64_t chips = 0, tp = 0, pp = 0;
  bool fastest = false; ///< the lowest token latency within `chips`
  bool fit = false;     ///< the fewest chips, at most `chips`; the default when `chips` is 0
  /// `chips` alone: as many of them as a partition can use, arranged for the lowest token latency.
  bool usesAll() const { return chips > 0 && !fastest && !fit; }
  bool isEmpty() const { return chips == 0 && tp == 0 && pp == 0 && !fastest; }
};

/// Partitions that by the estimates fit chips with `usable` bytes, the most promising first. Errors, all without a
/// place: more shards than query heads, more stages than layers, fewer chips than tp · pp or than the model needs.
Result<std::vector<Partition>> partitionsToTry(const ModelSize &model, const PartitionRequest &request,
                                               const isa::Machine &machine, std::int64_t usable);

/// The fewest chips with `usable` bytes that hold the model; nothing if already a tensor shard of a layer is too large.
std::optional<Partition> smallestPartition(const ModelSize &model, const isa::Machine &machine, std::int64_t usable);

} // namespace lpu::compiler
