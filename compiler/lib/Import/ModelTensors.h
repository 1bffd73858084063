// The tensors a model consists of, and the sizes the compiler admits. Names are those of GGUF files.
#pragma once

#include "lpu/compiler/Import/WeightStore.h"

#include <optional>

namespace lpu::compiler {

// Sums of int8 x int8 products over one row must fit int32: 2^31 / 127^2 = 133,144 (docs/spec/numerics.md N3).
inline constexpr std::uint64_t kMaxWidth = 131072, kMaxLayers = 4096, kMaxContext = std::uint64_t{1} << 24,
                               kMaxVocabulary = std::uint64_t{1} << 20;

/// "llama", or "qwen2", which adds biases to queries, keys and values.
inline bool isArchitecture(std::string_view name) { return name == "llama" || name == "qwen2"; }
/// An encoder, of which shape files tell the sizes.
inline constexpr std::string_view kBert = "bert";
/// How errors list them.
inline const std::string kArchitectures = "\"llama\" and \"qwen2\" are";

/// What keeps heads from being computed, without a remedy; nothing when all is well.
std::optional<std::string> headProblem(const ModelShape &shape);

/// A tensor by name; vectors have one row.
struct TensorShape {
  std::string name;
  std::uint32_t rows, cols;
};

/// Suffixes ("attn_q.weight") and sizes of the tensors every layer has.
std::vector<TensorShape> layerTensors(const ModelShape &shape);
/// The graph of a shape of architecture kBert, and its tensors.
EncoderGraph bertGraph(const ModelShape &shape);
std::vector<TensorShape> bertTensors(const ModelShape &shape);
/// All tensors a model of this shape must have, in the order of their use.
std::vector<TensorShape> modelTensors(const ModelShape &shape);

} // namespace lpu::compiler
