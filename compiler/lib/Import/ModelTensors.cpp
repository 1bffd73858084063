// One list of tensors, from which files are checked and generated weights get their names.

#include "ModelTensors.h"

#include "lpu/compiler/Import/GgufFile.h"

#include <algorithm>
#include <cmath>

namespace lpu::compiler {
namespace {

constexpr Family kFamilies[] = {{.name = "llama", .pairsHalves = false},
                                {.name = "qwen2", .hasBias = true},
                                {.name = "qwen3", .hasHeadNorms = true},
                                {.name = "phi3", .isFused = true, .turnsParts = true},
                                {.name = "granite", .pairsHalves = false, .multiplies = true},
                                {.name = "smollm3", .pairsHalves = false, .stillEvery = 4},
                                {.name = "olmo2", .hasPreNorms = false, .hasPostNorms = true, .hasWideNorms = true},
                                {.name = "gemma2",
                                 .hasPostNorms = true,
                                 .gatesByGelu = true,
                                 .gainsFromOne = true,
                                 .scalesEmbedding = true,
                                 .windowedBut = 2,
                                 .scalesByWidth = 46,
                                 .scoreCap = 50,
                                 .logitsCap = 30},
                                {.name = "gemma3",
                                 .hasHeadNorms = true,
                                 .hasPostNorms = true,
                                 .gatesByGelu = true,
                                 .gainsFromOne = true,
                                 .scalesEmbedding = true,
                                 .windowedBut = 6,
                                 .windowRopeBase = 10000,
                                 .scalesByWidth = 62}};

} // namespace

const Family *applyFamily(ModelShape &shape) {
  const Family *family = std::ranges::find(kFamilies, shape.architecture, &Family::name);
  if (family == std::end(kFamilies))
    return nullptr;
  shape.hasBias = family->hasBias, shape.hasHeadNorms = family->hasHeadNorms, shape.isFused = family->isFused;
  shape.hasPreNorms = family->hasPreNorms, shape.hasPostNorms = family->hasPostNorms;
  shape.hasWideNorms = family->hasWideNorms, shape.gatesByGelu = family->gatesByGelu;
  shape.windowRopeBase = family->windowRopeBase;
  shape.scoreCap = family->scoreCap, shape.logitsCap = family->logitsCap;
  return family;
}

void setWindows(ModelShape &shape, std::uint32_t window, std::uint32_t but) {
  shape.window = window;
  for (std::uint32_t layer = 0; window && layer < shape.layers; ++layer)
    shape.isWindowed.push_back(!but || (layer + 1) % but != 0);
}

void setFactors(ModelShape &shape, const Family &family) {
  if (family.scalesEmbedding)
    shape.embeddingFactor = std::sqrt(static_cast<float>(shape.hidden)); // fp32, as other programs have it
  if (family.scalesByWidth == shape.layers)
    shape.scoreFactor = 1 / std::sqrt(static_cast<double>(shape.hidden) / shape.heads);
}

void setStillLayers(ModelShape &shape, std::uint32_t every) {
  for (std::uint32_t layer = 0; every && layer < shape.layers; ++layer)
    shape.isStill.push_back((layer + 1) % every == 0);
}

std::optional<std::string> setRotary(ModelShape &shape, const Family &family, double elements) {
  if (elements == shape.headDim)
    return std::nullopt;
  if (!family.turnsParts)
    return "rope over a part of each head is not supported in models of this architecture";
  shape.rotary = static_cast<std::uint32_t>(elements);
  if (elements != shape.rotary || shape.rotary % 2 || shape.rotary == 0 || shape.rotary > shape.headDim)
    return "rope over " + std::to_string(elements) + " of the " + std::to_string(shape.headDim) +
           " elements of each head; a positive even number of them can turn";
  shape.ropeFreqs = true;
  return std::nullopt;
}

std::string supportedArchitectures(std::vector<std::string_view> others) {
  std::vector<std::string_view> names;
  for (const Family &family : kFamilies)
    names.push_back(family.name);
  names.insert(names.begin() + 1, others.begin(), others.end());
  std::string list = quote(names.front());
  for (std::size_t i = 1; i < names.size(); ++i)
    list += (i + 1 < names.size() ? ", " : " and ") + quote(names[i]);
  return list + " are";
}

std::optional<std::string> headProblem(const ModelShape &shape) {
  if (shape.heads % shape.kvHeads)
    return std::to_string(shape.kvHeads) + " KV heads do not divide " + std::to_string(shape.heads) + " heads";
  if (shape.headDim % 2)
    return "heads are " + std::to_string(shape.headDim) + " wide, rope needs an even width";
  if (std::uint64_t{shape.heads} * shape.headDim > kMaxWidth)
    return std::to_string(shape.heads) + " heads of " + std::to_string(shape.headDim) + " pass the largest width " +
           std::to_string(kMaxWidth);
  return std::nullopt;
}

std::vector<TensorShape> layerTensors(const ModelShape &s, TensorsOf which) {
  std::uint32_t q = s.heads * s.headDim, kv = s.kvHeads * s.headDim;
  if (s.isFused && which == TensorsOf::Source)
    return {{"attn_norm.weight", 1, s.hidden},      {"attn_qkv.weight", q + 2 * kv, s.hidden},
            {"attn_output.weight", s.hidden, q},    {"ffn_norm.weight", 1, s.hidden},
            {"ffn_up.weight", 2 * s.ffn, s.hidden}, {"ffn_down.weight", s.hidden, s.ffn}};
  std::vector<TensorShape> tensors = {
      {"attn_norm.weight", 1, s.hidden},    {"attn_q.weight", q, s.hidden},      {"attn_k.weight", kv, s.hidden},
      {"attn_v.weight", kv, s.hidden},      {"attn_output.weight", s.hidden, q}, {"ffn_norm.weight", 1, s.hidden},
      {"ffn_gate.weight", s.ffn, s.hidden}, {"ffn_up.weight", s.ffn, s.hidden},  {"ffn_down.weight", s.hidden, s.ffn}};
  if (!s.hasPreNorms)
    std::erase_if(tensors, [](const TensorShape &tensor) {
      return tensor.name == "attn_norm.weight" || tensor.name == "ffn_norm.weight";
    });
  if (s.hasPostNorms)
    tensors.insert(tensors.end(), {{"post_attention_norm.weight", 1, s.hidden}, {"post_ffw_norm.weight", 1, s.hidden}});
  if (s.hasWideNorms)
    tensors.insert(tensors.end(), {{"attn_q_norm.weight", 1, q}, {"attn_k_norm.weight", 1, kv}});
  if (s.hasHeadNorms)
    tensors.insert(tensors.end(), {{"attn_q_norm.weight", 1, s.headDim}, {"attn_k_norm.weight", 1, s.headDim}});
  if (s.hasBias)
    tensors.insert(tensors.end(), {{"attn_q.bias", 1, q}, {"attn_k.bias", 1, kv}, {"attn_v.bias", 1, kv}});
  return tensors;
}

std::vector<TensorShape> modelTensors(const ModelShape &shape, TensorsOf which) {
  std::vector<TensorShape> tensors = {{"token_embd.weight", shape.vocabulary, shape.hidden}};
  for (std::uint32_t layer = 0; layer < shape.layers; ++layer)
    for (const TensorShape &tensor : layerTensors(shape, which))
      tensors.push_back({"blk." + std::to_string(layer) + "." + tensor.name, tensor.rows, tensor.cols});
  tensors.push_back({"output_norm.weight", 1, shape.hidden});
  if (!shape.tied)
    tensors.push_back({"output.weight", shape.vocabulary, shape.hidden});
  return tensors;
}

} // namespace lpu::compiler
