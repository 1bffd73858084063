// Contents: weights, scales and tables as bytes. What is computed here is what
// the reference interpreter computes with the same formulas (numerics.md N3, N5,
// N6, N9); all of it happens at compile time, in double where it says so.

#include "Contents.h"

#include "lpu/compiler/Support/ModelConstants.h"
#include "lpu/isa/Numerics.h"

#include <bit>

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
double number(DictionaryAttr content, StringRef key) { return content.getAs<FloatAttr>(key).getValueAsDouble(); }

} // namespace

Layout Contents::layoutOf(DictionaryAttr content, StringRef key) const {
  auto attr = content.getAs<DictionaryAttr>(key);
  Layout layout = Layout::plain(machine.lanes(), integer(attr, "elements"));
  layout.headDim = integer(attr, "head_dim");
  layout.group = integer(attr, "group", 1);
  layout.swap = integer(attr, "swap");
  return layout;
}

void Contents::put(std::span<std::uint8_t> image, std::int64_t planes, std::int64_t row, std::int64_t lane, std::uint32_t value) const {
  for (std::int64_t b = 0; b < planes; ++b)
    image[static_cast<std::size_t>((row * planes + b) * machine.rowBytes() + lane)] = static_cast<std::uint8_t>(value >> (8 * b));
}

Status Contents::fill(timed::RegionOp region, std::span<std::uint8_t> image) {
  DictionaryAttr content = *region.getContent();
  std::string kind = text(content, "kind");
  if (kind == "tile")
    return tile(content, image);
  if (kind == "ones")
    return std::fill(image.begin(), image.end(), 1), Ok{};
  if (kind == "head_ones")
    return headOnes(integer(content, "head_dim"), image), Ok{};
  if (kind == "channel_scales")
    return channelScales(content, image);
  if (kind == "norm_gain")
    return normGain(content, image);
  if (kind == "rope")
    return rope(content, region.getRows(), image);
  if (kind == "embedding")
    return embedding(content, region.getRows(), image);
  return Error{region.getName().str(), "region content of unknown kind '" + kind + "'"};
}

Status Contents::tile(DictionaryAttr content, std::span<std::uint8_t> image) {
  auto weights = store.quantized(text(content, "tensor"));
  if (!weights)
    return weights.error();
  const QuantizedMatrix &matrix = **weights;
  Layout rows = layoutOf(content, "rows"), cols = layoutOf(content, "cols");
  std::int64_t n = integer(content, "row_vector"), k = integer(content, "col_vector");
  // Tile row 16·r + i is row (r, i) of the region: the tile is contiguous in the image. A quarter has every fourth four rows.
  std::int64_t piece = integer(content, "piece", -1), slices = piece < 0 ? 16 : 4, first = std::max<std::int64_t>(piece, 0) * slices;
  for (std::int64_t row = 0; row < rows.lanesUsed(n); ++row) {
    if (row % 16 < first || row % 16 >= first + slices)
      continue;
    std::int64_t at = row / 16 * slices + row % 16 - first;
    for (std::int64_t lane = 0; lane < cols.lanesUsed(k); ++lane)
      image[static_cast<std::size_t>(at * machine.rowBytes() + lane)] =
          static_cast<std::uint8_t>(matrix.values[static_cast<std::size_t>(rows.source(n, row) * matrix.cols + cols.source(k, lane))]);
  }
  return Ok{};
}

void Contents::headOnes(std::int64_t headDim, std::span<std::uint8_t> image) {
  std::int64_t used = machine.lanes() / headDim * headDim;
  for (std::int64_t row = 0; row < used; ++row)
    for (std::int64_t lane = row / headDim * headDim; lane < (row / headDim + 1) * headDim; ++lane)
      image[static_cast<std::size_t>(row * machine.rowBytes() + lane)] = 1;
}

Status Contents::channelScales(DictionaryAttr content, std::span<std::uint8_t> image) {
  auto weights = store.quantized(text(content, "tensor"));
  if (!weights)
    return weights.error();
  Layout rows = layoutOf(content, "rows");
  double inputScale = number(content, "input_scale"), factor = number(content, "factor");
  for (std::int64_t v = 0; v < rows.vectors(); ++v)
    for (std::int64_t lane = 0; lane < rows.lanesUsed(v); ++lane) {
      float c = linearScale(inputScale, (*weights)->scales[static_cast<std::size_t>(rows.source(v, lane))], factor);
      put(image, 4, v, lane, std::bit_cast<std::uint32_t>(c));
    }
  return Ok{};
}

Status Contents::normGain(DictionaryAttr content, std::span<std::uint8_t> image) {
  auto gamma = store.load(text(content, "tensor"));
  if (!gamma)
    return gamma.error();
  Layout rows = layoutOf(content, "rows");
  std::vector<float> gains = rmsNormGains(*gamma, number(content, "scale"));
  for (std::int64_t v = 0; v < rows.vectors(); ++v)
    for (std::int64_t lane = 0; lane < rows.lanesUsed(v); ++lane)
      put(image, 4, v, lane, std::bit_cast<std::uint32_t>(gains[static_cast<std::size_t>(rows.source(v, lane))]));
  return Ok{};
}

Status Contents::rope(DictionaryAttr content, std::int64_t positions, std::span<std::uint8_t> image) {
  std::int64_t headDim = integer(content, "head_dim");
  bool sine = integer(content, "sine");
  std::vector<float> divisors;
  if (std::string freqs = text(content, "freqs"); !freqs.empty()) {
    auto loaded = store.load(freqs);
    if (!loaded)
      return loaded.error();
    divisors = *loaded;
  }
  std::int64_t used = machine.lanes() / headDim * headDim;
  for (std::int64_t p = 0; p < positions; ++p) {
    RopeRow row = ropeRow(static_cast<std::uint64_t>(p), static_cast<std::uint32_t>(headDim), number(content, "base"), divisors);
    const std::vector<float> &values = sine ? row.sin : row.cos;
    for (std::int64_t lane = 0; lane < used; ++lane)
      put(image, 4, p, lane, std::bit_cast<std::uint32_t>(values[static_cast<std::size_t>(lane % headDim)]));
  }
  return Ok{};
}

Status Contents::embedding(DictionaryAttr content, std::int64_t rows, std::span<std::uint8_t> image) {
  std::string tensor = text(content, "tensor");
  Layout layout = layoutOf(content, "rows");
  std::int64_t vector = integer(content, "vector"), first = integer(content, "first_row");
  std::vector<float> values(static_cast<std::size_t>(layout.elements));
  for (std::int64_t r = 0; r < rows; ++r) {
    if (Status loaded = store.loadRow(tensor, static_cast<std::uint32_t>(first + r), values); !loaded)
      return loaded.error();
    for (std::int64_t lane = 0; lane < layout.lanesUsed(vector); ++lane)
      put(image, 2, r, lane, isa::floatToHalf(values[static_cast<std::size_t>(layout.source(vector, lane))]));
  }
  return Ok{};
}

} // namespace lpu::compiler
