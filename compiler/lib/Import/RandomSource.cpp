// Weights for a shape: none, or pseudo-random ones that every host makes alike.
//
// A value is a function of (seed, tensor, row, column), so rows can be made in any
// order and nothing is stored. Matrices are uniform with variance 1/cols, which
// keeps activations of random models in the range of trained ones; norm gains are
// uniform in [0.9, 1.1), biases in [-0.1, 0.1). Only integer operations and one rounding of a product lead
// to a value.

#include "ArchFile.h"
#include "ModelTensors.h"
#include "WeightSource.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <map>
#include <optional>

namespace lpu::compiler {
namespace {

/// The finaliser of SplitMix64: a bijection whose outputs of consecutive numbers look independent.
std::uint64_t mix(std::uint64_t x) {
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
  return x ^ (x >> 31);
}

std::uint64_t hashName(std::string_view name) {
  std::uint64_t hash = 0xCBF29CE484222325u;
  for (char c : name)
    hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001B3u;
  return hash;
}

/// Uniform multiples of 2^-15 in [-1, 1) times `width` plus `center`, four from each draw.
void fillRow(std::uint64_t key, float center, float width, std::span<float> out) {
  constexpr std::uint64_t kStep = 0x9E3779B97F4A7C15u;
  float unit = width / 32768.0f;
  for (std::size_t i = 0; i < out.size(); i += 4) {
    std::uint64_t bits = mix(key + (i / 4 + 1) * kStep);
    std::array<float, 4> values;
    for (std::size_t j = 0; j < 4; ++j)
      values[j] = static_cast<float>(static_cast<std::int16_t>(bits >> (16 * j))) * unit + center;
    std::copy_n(values.begin(), std::min<std::size_t>(4, out.size() - i), out.begin() + static_cast<std::ptrdiff_t>(i));
  }
}

/// Names and sizes of a shape's tensors, without values.
class ShapeSource : public WeightSource {
public:
  explicit ShapeSource(const ModelShape &shape) {
    for (const TensorShape &tensor :
         shape.architecture == kBert ? bertTensors(shape) : modelTensors(shape, TensorsOf::Graph))
      sizes[tensor.name] = {tensor.rows, tensor.cols};
  }
  std::pair<std::uint32_t, std::uint32_t> dimensions(std::string_view name) const override {
    auto it = sizes.find(name);
    return it == sizes.end() ? std::pair<std::uint32_t, std::uint32_t>{0, 0} : it->second;
  }
  std::string typeName(std::string_view name) const override { return dimensions(name).first ? "none" : ""; }
  Status readRow(std::string_view name, std::uint32_t, std::span<float>) const override {
    return Error{std::string(name), "the model was opened without weights"};
  }
  bool hasValues() const override { return false; }

private:
  std::map<std::string, std::pair<std::uint32_t, std::uint32_t>, std::less<>> sizes;
};

class RandomSource final : public ShapeSource {
public:
  RandomSource(const ModelShape &shape, std::uint64_t chosen) : ShapeSource(shape), seed(chosen) {}
  std::string typeName(std::string_view name) const override { return dimensions(name).first ? "random" : ""; }
  Status readRow(std::string_view name, std::uint32_t row, std::span<float> out) const override {
    std::uint64_t key = mix(mix(seed ^ hashName(name)) + row);
    if (name.ends_with(".bias"))
      fillRow(key, 0.0f, 0.1f, out);
    else if (name.find("norm") != std::string_view::npos)
      fillRow(key, 1.0f, 0.1f, out);
    else
      fillRow(key, 0.0f, static_cast<float>(std::sqrt(3.0 / static_cast<double>(out.size()))), out);
    return Ok{};
  }
  bool hasValues() const override { return true; }

private:
  std::uint64_t seed;
};

std::optional<std::uint64_t> seedOf(std::string_view weights) {
  constexpr std::string_view kRandom = "random:";
  if (!weights.starts_with(kRandom))
    return std::nullopt;
  std::uint64_t seed = 0;
  const char *begin = weights.data() + kRandom.size(), *end = weights.data() + weights.size();
  auto [stop, failed] = std::from_chars(begin, end, seed);
  return failed == std::errc() && stop == end && begin != end ? std::optional(seed) : std::nullopt;
}

} // namespace

bool WeightStore::isWeightsChoice(std::string_view weights) { return weights == "none" || seedOf(weights); }

Result<OpenedModel> openArch(const std::string &path, std::string_view weights) {
  if (!WeightStore::isWeightsChoice(weights))
    return Error{path, "weights " + quote(weights) +
                           " cannot be made; use \"none\" or \"random:SEED\" with a number as seed"};
  auto shape = loadArch(path);
  if (!shape)
    return shape.error();
  OpenedModel model{path, *shape, {}, nullptr};
  if (shape->architecture == kBert)
    model.encoder = bertGraph(*shape);
  model.tokenizer.model = "none";
  if (auto seed = seedOf(weights))
    model.source = std::make_unique<RandomSource>(*shape, *seed);
  else
    model.source = std::make_unique<ShapeSource>(*shape);
  return model;
}

} // namespace lpu::compiler
