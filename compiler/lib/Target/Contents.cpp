// Contents: weights, scales and tables as bytes. What is computed here is what
// the reference interpreter computes with the same formulas (numerics.md N3, N5,
// N6, N9); all of it happens at compile time, in double where it says so.

#include "Contents.h"

#include "lpu/compiler/Support/HalfType.h"
#include "lpu/compiler/Support/ModelConstants.h"
#include "lpu/isa/Numerics.h"

#include <bit>
#include <cmath>

using namespace mlir;

namespace lpu::compiler {

namespace {

std::int64_t integer(DictionaryAttr content, StringRef key, std::int64_t fallback = 0) {
  auto attr = content.getAs<IntegerAttr>(key);
  return attr ? attr.getInt() : fallback;
}
std::string text(DictionaryAttr content, StringRef key) {
  auto attr = content.getAs<StringAttr>(key);
  return attr ? attr.getValue().str() : "";
}
/// Tiles of weights with scales per group say how many bits their values have.
WeightType weightType(DictionaryAttr content) {
  std::int64_t bits = integer(content, "bits");
  return bits == 0 ? WeightType::Int8 : bits == 4 ? WeightType::Int4Group : WeightType::Int8Group;
}
double number(DictionaryAttr content, StringRef key) { return content.getAs<FloatAttr>(key).getValueAsDouble(); }

} // namespace

Layout Contents::layoutOf(DictionaryAttr content, StringRef key) const {
  auto attr = content.getAs<DictionaryAttr>(key);
  Layout layout = Layout::plain(machine.lanes(), integer(attr, "elements"));
  layout.headDim = integer(attr, "head_dim");
  layout.group = integer(attr, "group", 1);
  layout.swap = integer(attr, "swap");
  layout.shards = integer(attr, "shards", 1);
  layout.gathered = integer(attr, "gathered");
  layout.interleave = integer(attr, "interleave", 1);
  layout.halves = integer(attr, "halves");
  layout.slots = integer(attr, "slots");
  layout.stride = integer(attr, "stride", 1);
  layout.packed = integer(attr, "packed");
  layout.slotLanes = integer(attr, "slot_lanes");
  layout.total = integer(attr, "total", layout.elements * layout.stride);
  return layout;
}

std::string Contents::tensorOf(DictionaryAttr content, StringRef key) const {
  return llm::shiftLayer(text(content, key), chip.firstLayer);
}

Result<double> Contents::scaleOf(DictionaryAttr content, StringRef key) const {
  auto name = content.getAs<StringAttr>(key);
  if (!name)
    return number(content, key);
  std::string full = llm::shiftLayer(name.getValue(), chip.firstLayer);
  auto value = scales ? scales.getAs<FloatAttr>(full) : FloatAttr();
  if (!value)
    return Error{"", "llm.scales has no scale '" + full + "', which a constant of class '" + chip.chipClass +
                         "' is made with"};
  return value.getValueAsDouble();
}

Result<double> Contents::factorOf(DictionaryAttr content) const {
  if (content.get("factor"))
    return number(content, "factor");
  auto over = scaleOf(content, "factor_over");
  return over ? Result<double>(1.0 / *over) : over;
}

void Contents::put(std::span<std::uint8_t> image, std::int64_t planes, std::int64_t row, std::int64_t lane,
                   std::uint32_t value) const {
  for (std::int64_t b = 0; b < planes; ++b)
    image[static_cast<std::size_t>((row * planes + b) * machine.rowBytes() + lane)] =
        static_cast<std::uint8_t>(value >> (8 * b));
}

Status Contents::fill(timed::RegionOp region, std::span<std::uint8_t> image) {
  DictionaryAttr content = *region.getContent();
  std::string kind = text(content, "kind");
  if (kind == "tile" || kind == "packed_tile")
    return tile(content, image);
  if (kind == "half_tile")
    return halfTile(content, image);
  if (kind == "linear_factor") {
    auto factor = factorOf(content);
    return factor ? (broadcast(image, 0, std::bit_cast<std::uint32_t>(static_cast<float>(*factor))), Status(Ok{}))
                  : Status(factor.error());
  }
  if (kind == "group_scales")
    return groupScales(content, region.getRows(), image);
  if (kind == "group_factor")
    return groupFactor(content, image);
  if (kind == "ones")
    return std::fill(image.begin(), image.end(), 1), Ok{};
  if (kind == "head_ones")
    return headOnes(integer(content, "head_dim"), image), Ok{};
  if (kind == "lane_index")
    return laneIndex(integer(content, "slot_width"), image), Ok{};
  if (kind == "lane_masks")
    return laneMasks(image), Ok{};
  if (kind == "used_lanes")
    return usedLanes(layoutOf(content, "rows"), image), Ok{};
  if (kind == "slot_masks")
    return slotMasks(integer(content, "slot_width"), image), Ok{};
  if (kind == "tile_rows")
    return tileRows(image), Ok{};
  if (kind == "channel_scales")
    return channelScales(content, image);
  if (kind == "channel_biases")
    return channelBiases(content, image);
  if (kind == "attention_factors")
    return attentionFactors(content, image);
  if (kind == "vocabulary_base")
    return broadcast(
               image, 0,
               static_cast<std::uint32_t>(chip.shard / integer(content, "shards") * integer(content, "held_rows"))),
           Ok{};
  if (kind == "norm_gain")
    return normGain(content, image);
  if (kind == "rope")
    return rope(content, region.getRows(), image);
  if (kind == "embedding")
    return embedding(content, region.getRows(), image);
  return Error{region.getName().str(), "region content of unknown kind '" + kind + "'"};
}

Status Contents::tile(DictionaryAttr content, std::span<std::uint8_t> image) {
  auto weights = store.quantized(tensorOf(content), weightType(content));
  if (!weights)
    return weights.error();
  fillTile(content, image, [&](std::int64_t row, std::int64_t column) {
    return static_cast<std::uint8_t>((*weights)->values[static_cast<std::size_t>(row * (*weights)->cols + column)]);
  });
  return Ok{};
}

Result<std::shared_ptr<const HalfMatrix>> Contents::halves(const std::string &tensor) {
  // The tiles of a tensor follow each other.
  if (lastHalves.first == tensor)
    return lastHalves.second;
  auto loaded = loadHalves(store, tensor);
  if (loaded)
    lastHalves = {tensor, *loaded};
  return loaded;
}

Status Contents::halfTile(DictionaryAttr content, std::span<std::uint8_t> image) {
  auto weights = halves(tensorOf(content));
  if (!weights)
    return weights.error();
  std::int64_t shift = 8 * integer(content, "byte");
  fillTile(content, image, [&](std::int64_t row, std::int64_t column) {
    return static_cast<std::uint8_t>((*weights)->values[static_cast<std::size_t>(row * (*weights)->cols + column)] >>
                                     shift);
  });
  return Ok{};
}

template <typename ByteOf>
void Contents::fillTile(DictionaryAttr content, std::span<std::uint8_t> image, ByteOf byteOf) const {
  Layout rows = layoutOf(content, "rows"), cols = layoutOf(content, "cols");
  std::int64_t n = integer(content, "row_vector"), k = integer(content, "col_vector");
  // Tile row 16·r + i is row (r, i) of the region: the tile is contiguous in the image. A quarter has every fourth four
  // rows. Packed, it is a nibble of the byte in row (r / 2, i).
  bool packed = text(content, "kind") == "packed_tile";
  std::int64_t piece = integer(content, "piece", -1), slices = piece < 0 ? 16 : 4,
               first = std::max<std::int64_t>(piece, 0) * slices;
  std::vector<std::int64_t> columns;
  for (std::int64_t lane = 0; lane < cols.lanesUsed(k); ++lane)
    columns.push_back(cols.source(k, lane, chip.shard));
  for (std::int64_t row = 0; row < rows.lanesUsed(n); ++row) {
    std::int64_t source = rows.source(n, row, chip.shard); // −1: padding, which stays zero
    if (row % 16 < first || row % 16 >= first + slices || source < 0)
      continue;
    std::int64_t at = row / (packed ? 32 : 16) * slices + row % 16 - first, shift = row / 16 % 2 * 4;
    for (std::size_t lane = 0; lane < columns.size(); ++lane) {
      if (columns[lane] < 0)
        continue;
      std::uint8_t &byte = image[static_cast<std::size_t>(at * machine.rowBytes()) + lane],
                   value = byteOf(source, columns[lane]);
      byte = packed ? static_cast<std::uint8_t>(byte | (value & 15) << shift) : value;
    }
  }
}

Status Contents::groupScales(DictionaryAttr content, std::int64_t groups, std::span<std::uint8_t> image) {
  auto weights = store.quantized(tensorOf(content), weightType(content));
  if (!weights)
    return weights.error();
  Layout rows = layoutOf(content, "rows"), cols = layoutOf(content, "cols");
  std::int64_t n = integer(content, "row_vector"), k = integer(content, "col_vector");
  for (std::int64_t g = 0; g < groups; ++g)
    for (std::int64_t lane = 0; lane < rows.lanesUsed(n); ++lane) {
      std::int64_t row = rows.source(n, lane, chip.shard), column = cols.source(k, kWeightGroup * g, chip.shard);
      if (row < 0 || column < 0)
        continue;
      float scale = (*weights)->scale(static_cast<std::uint32_t>(row), static_cast<std::uint32_t>(column));
      put(image, 2, g, lane, isa::floatToHalf(std::ldexp(scale, (*weights)->exponent))); // exact, see groupExponent()
    }
  return Ok{};
}

Status Contents::groupFactor(DictionaryAttr content, std::span<std::uint8_t> image) {
  auto weights = store.quantized(tensorOf(content), weightType(content));
  if (!weights)
    return weights.error();
  auto inputScale = scaleOf(content, "input_scale"), factor = factorOf(content);
  if (!inputScale || !factor)
    return inputScale ? factor.error() : inputScale.error();
  broadcast(image, 0,
            std::bit_cast<std::uint32_t>(linearScale(*inputScale, std::ldexp(1.0f, -(*weights)->exponent), *factor)));
  return Ok{};
}

void Contents::headOnes(std::int64_t headDim, std::span<std::uint8_t> image) {
  std::int64_t used = machine.lanes() / headDim * headDim;
  for (std::int64_t row = 0; row < used; ++row)
    for (std::int64_t lane = row / headDim * headDim; lane < (row / headDim + 1) * headDim; ++lane)
      image[static_cast<std::size_t>(row * machine.rowBytes() + lane)] = 1;
}

void Contents::laneIndex(std::int64_t slotWidth, std::span<std::uint8_t> image) {
  for (std::int64_t lane = 0; lane < machine.lanes(); ++lane)
    for (auto [row, index] : {std::pair{0, lane}, {1, lane % machine.lanesPerSuperlane}, {2, lane / slotWidth}})
      put(image, 4, row, lane, static_cast<std::uint32_t>(index));
}

void Contents::laneMasks(std::span<std::uint8_t> image) {
  for (std::int64_t lane = 0; lane < machine.lanes(); ++lane)
    put(image, 4, lane % machine.lanesPerSuperlane, lane, 0xFFFFFFFF);
}

void Contents::usedLanes(const Layout &layout, std::span<std::uint8_t> image) {
  for (std::int64_t v = 0; v < layout.vectors(); ++v)
    for (std::int64_t lane = 0; lane < layout.lanesUsed(v); ++lane)
      put(image, 4, v, lane, std::bit_cast<std::uint32_t>(1.0f));
}

void Contents::slotMasks(std::int64_t slotWidth, std::span<std::uint8_t> image) {
  for (std::int64_t lane = 0; lane < machine.lanes() / slotWidth * slotWidth; ++lane)
    put(image, 4, lane / slotWidth, lane, 0xFFFFFFFF);
}

void Contents::tileRows(std::span<std::uint8_t> image) {
  constexpr std::uint32_t kNoRow = 0x20000; // becomes "no access" (FlowWriter::mapToOrNone)
  for (std::int64_t row = 0; row < machine.lanes(); ++row)
    for (std::int64_t lane = 0; lane < machine.lanes(); ++lane)
      put(image, 4, row, lane, lane % 16 == row % 16 ? static_cast<std::uint32_t>(row / 16) : kNoRow);
}

Status Contents::channelScales(DictionaryAttr content, std::span<std::uint8_t> image) {
  auto weights = store.quantized(tensorOf(content));
  if (!weights)
    return weights.error();
  Layout rows = layoutOf(content, "rows");
  auto inputScale = scaleOf(content, "input_scale"), factor = factorOf(content);
  if (!inputScale || !factor)
    return inputScale ? factor.error() : inputScale.error();
  for (std::int64_t v = 0; v < rows.vectors(); ++v)
    for (std::int64_t lane = 0; lane < rows.lanesUsed(v); ++lane)
      if (std::int64_t n = rows.source(v, lane, chip.shard); n >= 0)
        put(image, 4, v, lane,
            std::bit_cast<std::uint32_t>(
                linearScale(*inputScale, (*weights)->scales[static_cast<std::size_t>(n)], *factor)));
  return Ok{};
}

Status Contents::channelBiases(DictionaryAttr content, std::span<std::uint8_t> image) {
  auto loaded = store.load(tensorOf(content));
  if (!loaded)
    return loaded.error();
  auto factor = factorOf(content);
  if (!factor)
    return factor.error();
  Layout rows = layoutOf(content, "rows");
  std::vector<float> biases = linearBias(*loaded, *factor);
  for (std::int64_t v = 0; v < rows.vectors(); ++v)
    for (std::int64_t lane = 0; lane < rows.lanesUsed(v); ++lane)
      if (std::int64_t n = rows.source(v, lane, chip.shard); n >= 0)
        put(image, 4, v, lane, std::bit_cast<std::uint32_t>(biases[static_cast<std::size_t>(n)]));
  return Ok{};
}

Status Contents::normGain(DictionaryAttr content, std::span<std::uint8_t> image) {
  auto gamma = store.load(tensorOf(content));
  if (!gamma)
    return gamma.error();
  Layout rows = layoutOf(content, "rows");
  auto scale = scaleOf(content, "scale");
  if (!scale)
    return scale.error();
  std::vector<float> gains = rmsNormGains(*gamma, *scale);
  for (std::int64_t v = 0; v < rows.vectors(); ++v)
    for (std::int64_t lane = 0; lane < rows.lanesUsed(v); ++lane)
      if (std::int64_t n = rows.source(v, lane, chip.shard); n >= 0)
        put(image, 4, v, lane, std::bit_cast<std::uint32_t>(gains[static_cast<std::size_t>(n) % gains.size()]));
  return Ok{};
}

Status Contents::attentionFactors(DictionaryAttr content, std::span<std::uint8_t> image) {
  auto query = scaleOf(content, "query_scale"), key = scaleOf(content, "key_scale"),
       result = scaleOf(content, "result_scale");
  for (const auto *scale : {&query, &key, &result})
    if (!*scale)
      return scale->error();
  ScoreConstants score = content.get("score_scale")
                             ? scaledScores(*query, *key, number(content, "score_scale"))
                             : scoreConstants(*query, *key, static_cast<std::uint32_t>(integer(content, "head_dim")));
  broadcast(image, 0, std::bit_cast<std::uint32_t>(score.scoreHi));
  broadcast(image, 1, std::bit_cast<std::uint32_t>(score.scoreLo));
  broadcast(image, 2, std::bit_cast<std::uint32_t>(inverseScale(*result)));
  broadcast(image, 3, std::bit_cast<std::uint32_t>(256.0f * score.scoreLo));
  if (image.size() > static_cast<std::size_t>(4 * 4 * machine.rowBytes())) {
    broadcast(image, 4, std::bit_cast<std::uint32_t>(score.scoreHi / kHalfStep));
    broadcast(image, 5, std::bit_cast<std::uint32_t>(score.scoreLo / kHalfStep));
  }
  return Ok{};
}

void Contents::broadcast(std::span<std::uint8_t> image, std::int64_t row, std::uint32_t value) const {
  for (std::int64_t lane = 0; lane < machine.lanes(); ++lane)
    put(image, 4, row, lane, value);
}

Status Contents::rope(DictionaryAttr content, std::int64_t rows, std::span<std::uint8_t> image) {
  std::int64_t headDim = integer(content, "head_dim");
  bool sine = integer(content, "sine");
  std::vector<float> divisors;
  if (std::string freqs = text(content, "freqs"); !freqs.empty()) {
    auto loaded = store.load(freqs);
    if (!loaded)
      return loaded.error();
    divisors = *loaded;
  }
  // With `packed` positions a row holds that many, one a slot; otherwise all slots hold the same one.
  std::int64_t packed = integer(content, "packed", 1), width = integer(content, "halves") ? headDim / 2 : headDim,
               every = headDim / width;
  std::int64_t slots = packed > 1 ? packed : machine.lanes() / width;
  for (std::int64_t r = 0; r < rows; ++r)
    for (std::int64_t slot = 0; slot < slots; ++slot) {
      auto position = static_cast<std::uint64_t>(packed > 1 ? r * packed + slot : r);
      RopeRow row = ropeRow(position, static_cast<std::uint32_t>(headDim), number(content, "base"), divisors,
                            content.get("magnitude") ? number(content, "magnitude") : 1.0);
      const std::vector<float> &values = sine ? row.sin : row.cos;
      for (std::int64_t i = 0; i < width; ++i)
        put(image, 4, r, slot * width + i,
            std::bit_cast<std::uint32_t>(values[static_cast<std::size_t>(every * i + every - 1)]));
    }
  return Ok{};
}

Status Contents::embedding(DictionaryAttr content, std::int64_t rows, std::span<std::uint8_t> image) {
  std::string tensor = tensorOf(content);
  Layout layout = layoutOf(content, "rows");
  // Groups of shards deal the vocabulary; the last one's part may end early.
  std::int64_t group = chip.shard / layout.shards, vocabulary = store.dimensions(tensor).first;
  std::int64_t vector = integer(content, "vector"),
               first = group * integer(content, "held_rows") + integer(content, "first_row");
  std::vector<float> values(static_cast<std::size_t>(layout.total));
  for (std::int64_t r = 0; r < std::min(rows, vocabulary - first); ++r) {
    if (Status loaded = store.loadRow(tensor, static_cast<std::uint32_t>(first + r), values); !loaded)
      return loaded.error();
    for (std::int64_t lane = 0; lane < layout.lanesUsed(vector); ++lane)
      if (std::int64_t n = layout.source(vector, lane, chip.shard); n >= 0)
        put(image, 2, r, lane, isa::floatToHalf(values[static_cast<std::size_t>(n)]));
  }
  return Ok{};
}

} // namespace lpu::compiler
