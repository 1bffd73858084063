// The tensors a model consists of, and the sizes the compiler admits. Names are those of GGUF files.
#pragma once

#include "lpu/compiler/Import/WeightStore.h"

#include <optional>
#include <string_view>
#include <vector>

namespace lpu::compiler {

// Sums of int8 x int8 products over one row must fit int32: 2^31 / 127^2 = 133,144 (docs/spec/numerics.md N3).
inline constexpr std::uint64_t kMaxWidth = 131072, kMaxLayers = 4096, kMaxContext = std::uint64_t{1} << 24,
                               kMaxVocabulary = std::uint64_t{1} << 20;

/// What tells the models of an architecture from Llama's.
struct Family {
  std::string_view name;     ///< of GGUF files and shapes; Hugging Face's model_type is the same
  bool pairsHalves = true;   ///< GGUF files pair rows i and i + headDim/2 of a head; else they come with rows permuted
  bool hasBias = false;      ///< ModelShape
  bool hasHeadNorms = false; ///< ModelShape
  bool isFused = false;      ///< ModelShape
  bool multiplies = false;   ///< embeddings, residual branches, scores and logits have factors
  std::uint32_t stillEvery = 0; ///< rope passes over every so manieth layer; 0: over none
  bool turnsParts = false;      ///< rope may turn the first elements of a head alone
  bool hasPreNorms = true, hasPostNorms = false, hasWideNorms = false, gatesByGelu = false; ///< ModelShape
  bool gainsFromOne = false;          ///< ModelShape, of Hugging Face folders; GGUF files have whole gains
  bool scalesEmbedding = false;       ///< by √hidden
  std::uint32_t windowedBut = 0;      ///< all layers but every so manieth have a window; 0: as files say, all or none
  double windowRopeBase = 0;          ///< ModelShape, unless a file says otherwise
  std::uint32_t scalesByWidth = 0;    ///< models of so many layers have scores over √(hidden/heads), not √headDim
  double scoreCap = 0, logitsCap = 0; ///< ModelShape, unless a file says otherwise
};
/// Gives `shape` what its architecture says; null if there is no such family.
const Family *applyFamily(ModelShape &shape);
/// Rope passes over every `every`th layer, 0: over none.
void setStillLayers(ModelShape &shape, std::uint32_t every);
/// All layers but every `but`th look back on `window` positions, 0: all. A window that holds the context is none.
void setWindows(ModelShape &shape, std::uint32_t window, std::uint32_t but);
/// What a family's factors are where no file says them.
void setFactors(ModelShape &shape, const Family &family);
/// Rope turns the first `elements` of each head. What is wrong with that number, without a remedy; nothing when all is
/// well.
std::optional<std::string> setRotary(ModelShape &shape, const Family &family, double elements);
/// An encoder, of which shape files tell the sizes.
inline constexpr std::string_view kBert = "bert";
/// How errors list architectures: "\"a\", \"b\" and \"c\" are". With those `others` that are read as one of them.
std::string supportedArchitectures(std::vector<std::string_view> others = {});

/// What keeps heads from being computed, without a remedy; nothing when all is well.
std::optional<std::string> headProblem(const ModelShape &shape);

/// A tensor by name; vectors have one row.
struct TensorShape {
  std::string name;
  std::uint32_t rows, cols;
};

/// Suffixes ("attn_q.weight") and sizes of the tensors every layer has: those of the graph, or those of its source.
enum class TensorsOf : std::uint8_t { Graph, Source };
std::vector<TensorShape> layerTensors(const ModelShape &shape, TensorsOf which);
/// The graph of a shape of architecture kBert, and its tensors.
EncoderGraph bertGraph(const ModelShape &shape);
std::vector<TensorShape> bertTensors(const ModelShape &shape);
/// All tensors a model of this shape must have, in the order of their use.
std::vector<TensorShape> modelTensors(const ModelShape &shape, TensorsOf which);

} // namespace lpu::compiler
