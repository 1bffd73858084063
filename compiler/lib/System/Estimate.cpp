// Memory and time of a partition by formula. Memory follows the layouts (whole rows
// of lanes, tiles in groups of 16 rows, gathered vectors in pieces per shard), so it
// is nearly exact for weights. Time is a sum of the weight sweep at full width and the
// latencies of everything that cannot overlap it, with constants read off compiled
// programs (docs/howto/compile-for-many-chips.md): good to tell partitions apart.

#include "lpu/compiler/System/Partition.h"

#include <algorithm>

namespace lpu::compiler {

namespace {

std::int64_t divideUp(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

constexpr std::int64_t kTileRowGroup = 16, kWordBytes = 16;
constexpr std::int64_t kTileScaleRows = 2 * 10; // of two bytes, for each group of 32 columns
constexpr double kLayerLatency = 840;           // two norms and four linears without their weights
constexpr double kAttentionLatency = 200;       // rope, maximum, sum and normalisation
constexpr double kSweepPerPosition = 2;         // per vector of heads, either way of the two sweeps
constexpr double kTilesPerPosition = 1.0 / 16;  // per query head and position, four digit passes over four planes
constexpr double kHopLatency = 60;              // from VXM to the link, and from there back
constexpr double kWordsPerLayer = 1500, kWordsPerTile = 2; // instruction text of a program

/// One chip of a group of `tp`, in a machine's rows.
class ShardSizes {
public:
  ShardSizes(const ModelSize &model, const Partition &partition, const isa::Machine &machine)
      : model(model), machine(machine), tp(partition.tp), lanes(machine.lanes()) {}

  std::int64_t shard(std::int64_t elements) const { return divideUp(elements, tp); }
  std::int64_t vectors(std::int64_t elements) const { return divideUp(elements, lanes); }
  /// Vectors of an activation that every chip has: a piece of whole vectors from each.
  std::int64_t gathered(std::int64_t elements) const { return tp * vectors(shard(elements)); }
  /// Elements of `heads` heads, none of which straddles vectors.
  std::int64_t headVectors(std::int64_t heads) const {
    return divideUp(heads, std::max<std::int64_t>(1, lanes / model.headDim));
  }
  std::int64_t queryHeads() const { return shard(model.heads); }
  /// Key heads that the query heads of a chip need; without a common pattern, and in the sweep, one for each.
  std::int64_t keyHeads() const {
    std::int64_t group = model.heads / model.kvHeads, held = queryHeads();
    if (!model.positionsInLanes)
      return held;
    return held % group == 0 ? held / group : group % held == 0 ? 1 : held;
  }

  /// Tiles of `rows` output rows over `columns` input vectors: bytes, and a row of fp32 scales per output vector.
  /// Packed int4 weights have two of these rows in one of memory, and ten rows of fp16 scales per tile.
  std::int64_t linear(std::int64_t rows, std::int64_t columns) const {
    if (model.int4 && machine.mxmInt4Expand)
      return (divideUp(rows, 2 * kTileRowGroup) * kTileRowGroup + vectors(rows) * kTileScaleRows) * columns * lanes +
             4 * lanes;
    return divideUp(rows, kTileRowGroup) * kTileRowGroup * columns * lanes + vectors(rows) * 4 * lanes;
  }
  std::int64_t headRows(std::int64_t heads) const { return heads * model.headDim; }

  std::int64_t layerWeights() const {
    std::int64_t x = gathered(model.hidden), attention = tp * (model.positionsInLanes ? vectors(headRows(queryHeads()))
                                                                                      : headVectors(queryHeads()));
    std::int64_t projections = linear(headRows(queryHeads()), x) + 2 * linear(headRows(keyHeads()), x);
    if (!model.positionsInLanes) // rope by swapped rows: queries and keys twice
      projections += linear(headRows(queryHeads()), x) + linear(headRows(keyHeads()), x);
    std::int64_t ffn = 2 * linear(shard(model.ffn), x) + linear(shard(model.hidden), gathered(model.ffn));
    return projections + linear(shard(model.hidden), attention) + ffn + 2 * 4 * x * lanes;
  }
  /// Keys and values of equally many bytes. In tiles, keys take rows of 16 positions and values vectors of `lanes`
  /// positions.
  std::int64_t layerCache() const {
    std::int64_t keys = model.context, values = model.context;
    if (model.positionsInLanes)
      keys = divideUp(keys, kTileRowGroup) * kTileRowGroup, values = divideUp(values, lanes) * lanes;
    return model.users * (keys + values) * headVectors(keyHeads()) * model.cacheBytes / 2 * lanes;
  }
  /// Tables of more than a bank take whole banks.
  std::int64_t embedding(std::int64_t groups) const {
    std::int64_t rows = divideUp(model.vocabulary, groups), bank = machine.memRowsPerBank;
    return (rows > bank ? divideUp(rows, bank) * bank : rows) * vectors(shard(model.hidden)) * 2 * lanes;
  }
  std::int64_t head(std::int64_t groups) const {
    return linear(divideUp(model.vocabulary, groups * tp), gathered(model.hidden));
  }
  std::int64_t logits(std::int64_t groups) const {
    return model.users * vectors(divideUp(model.vocabulary, groups * tp)) * 4 * lanes;
  }
  std::int64_t residual() const { return model.users * gathered(model.hidden) * 4 * lanes; }
  std::int64_t ropeTables() const {
    std::int64_t slots = lanes / std::max<std::int64_t>(1, model.headDim / 2); // positions that share a row
    return 2 * 4 * lanes *
           (model.positionsInLanes && 2 * lanes == slots * model.headDim ? divideUp(model.context, slots)
                                                                         : model.context);
  }
  /// Instruction text of something with so many bytes of weights.
  std::int64_t text(double words, std::int64_t weights) const {
    double tiles = static_cast<double>(weights) / static_cast<double>(lanes * lanes);
    return static_cast<std::int64_t>((words + kWordsPerTile * tiles) * kWordBytes) * model.programs;
  }

  /// Weight bytes all planes load in a cycle.
  double weightWidth() const { return 2.0 * machine.mxmPlanesPerSide * kTileRowGroup * static_cast<double>(lanes); }
  double attentionCycles() const {
    double positions = static_cast<double>(model.context);
    double perPosition = model.positionsInLanes ? kTilesPerPosition * static_cast<double>(queryHeads())
                                                : kSweepPerPosition * static_cast<double>(headVectors(queryHeads()));
    return kAttentionLatency + perPosition * positions;
  }
  /// One hop of `vectors` vectors of `bytes` each: a link carries a vector of bytes per interval.
  double hop(std::int64_t vectors, std::int64_t bytes) const {
    return kHopLatency +
           static_cast<double>(machine.latency.C2cSend + machine.c2cVectorInterval * (vectors * bytes - 1));
  }
  /// The four gathers of a layer: attention result and FFN product as int16, the residual twice as fp32.
  double gathers() const {
    if (tp == 1)
      return 0;
    return hop(headVectors(queryHeads()), 2) + hop(vectors(shard(model.ffn)), 2) +
           2 * hop(vectors(shard(model.hidden)), 4);
  }

private:
  const ModelSize &model;
  const isa::Machine &machine;
  std::int64_t tp, lanes;
};

} // namespace

MemoryEstimate estimateMemory(const ModelSize &model, const Partition &partition, const isa::Machine &machine) {
  ShardSizes sizes(model, partition, machine);
  std::int64_t embeddingGroups = std::max<std::int64_t>(1, partition.embeddingGroups),
               headGroups = std::max<std::int64_t>(1, partition.headGroups);
  std::int64_t layer = sizes.layerWeights(), head = sizes.head(headGroups);
  MemoryEstimate estimate;
  estimate.stage = {sizes.ropeTables(), 0, sizes.residual(), 0};
  estimate.layer = {layer, sizes.layerCache(), 0, sizes.text(kWordsPerLayer, layer)};
  estimate.embedding = {sizes.embedding(embeddingGroups), 0, 0, 0};
  estimate.head = {head, 0, sizes.logits(headGroups), sizes.text(0, head)};
  return estimate;
}

std::optional<std::vector<std::int64_t>> dealLayers(const ModelSize &model, const Partition &partition,
                                                    const isa::Machine &machine, std::int64_t usable) {
  MemoryEstimate estimate = estimateMemory(model, partition, machine);
  std::int64_t room = usable - estimate.stage.total();
  if ((partition.embeddingGroups && estimate.embedding.total() > room) ||
      (partition.headGroups && estimate.head.total() > room))
    return std::nullopt;
  // Tiles of lm_head stay on the sixteen slices of their plane.
  std::int64_t home = std::int64_t{2} * machine.mxmPlanesPerSide * kTileRowGroup * machine.memBanks *
                      machine.memRowsPerBank * machine.rowBytes();
  if (partition.headGroups && estimate.head.weights > home)
    return std::nullopt;
  std::vector<std::int64_t> layers, most;
  std::int64_t left = model.layers;
  for (std::int64_t s = 0; s < partition.pp; ++s) {
    std::int64_t others = (s == 0 && !partition.embeddingGroups ? estimate.embedding.total() : 0) +
                          (s == partition.pp - 1 && !partition.headGroups ? estimate.head.total() : 0);
    most.push_back((room - others) / estimate.layer.total());
    if (room < others || most.back() < 1)
      return std::nullopt;
    layers.push_back(std::min(most.back(), (s + 1) * model.layers / partition.pp - s * model.layers / partition.pp));
    left -= layers.back();
  }
  for (std::int64_t s = partition.pp - 1; s >= 0; --s) { // what the full ones could not take
    std::int64_t more = std::min(left, most[s] - layers[s]);
    layers[s] += more, left -= more;
  }
  return left ? std::nullopt : std::optional(layers);
}

double estimateTokenCycles(const ModelSize &model, const Partition &partition, const isa::Machine &machine) {
  ShardSizes sizes(model, partition, machine);
  double layer = kLayerLatency + static_cast<double>(sizes.layerWeights()) / sizes.weightWidth() +
                 sizes.attentionCycles() + sizes.gathers();
  double head = static_cast<double>(sizes.head(std::max<std::int64_t>(1, partition.headGroups))) / sizes.weightWidth();
  double handOver = sizes.hop(sizes.vectors(sizes.shard(model.hidden)), 4) +
                    (partition.tp > 1 ? sizes.hop(sizes.vectors(sizes.shard(model.hidden)), 4) : 0);
  double handOvers =
      static_cast<double>(partition.pp - 1 + (partition.embeddingGroups > 0) + (partition.headGroups > 0));
  return static_cast<double>(model.layers) * layer + head + handOvers * handOver;
}

} // namespace lpu::compiler
