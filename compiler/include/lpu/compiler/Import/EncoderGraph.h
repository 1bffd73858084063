// An encoder transformer as the compiler sees it: operations over all tokens of a
// sequence at once. The importer of ONNX files makes it out of a file's graph, a
// shape file out of its numbers; tensors are named as WeightStore knows them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace lpu::compiler {

/// Activation codes fixed by the file: code = nearest-even(x / scale) clipped to [low, high].
struct FixedScale {
  double scale = 1;
  std::int32_t low = 0, high = 0;
  bool operator==(const FixedScale &) const = default;
};

struct EncoderNode {
  enum class Kind : std::uint8_t {
    Embedding, ///< word + type + position; tensors in `weight`, `types` (may be empty) and `bias`
    LayerNorm, ///< gains `weight`, offsets `bias`
    Linear,    ///< matrix `weight`, `bias` may be empty; the result `scale` times
    Quantize,  ///< codes by `fixed`
    Gelu,      ///< `approximate`: the tanh form
    Relu,
    Sigmoid,
    Silu, ///< x·σ(scale·x)
    Tanh,
    Attention, ///< of queries, keys, values; `scale` times the products
    Add,
    First,     ///< the first token alone
    Mean,      ///< over the tokens of the sequence
    Normalize, ///< to length 1
  };
  Kind kind;
  std::vector<std::size_t> inputs{}; ///< earlier nodes
  std::uint32_t width = 0;           ///< elements of a token
  std::string weight{}, bias{}, types{};
  double eps = 0, scale = 1;
  std::uint32_t heads = 0;
  bool approximate = false;
  bool isSingle = false; ///< one vector for the sequence instead of one for each token
  std::optional<FixedScale> fixed{};

  bool operator==(const EncoderNode &) const = default;
};

struct EncoderGraph {
  std::vector<EncoderNode> nodes;
  std::vector<std::pair<std::string, std::size_t>> outputs; ///< name, node
  /// Of a vector of ids: largest sequence, rows of the tables.
  std::uint32_t maxTokens = 0, vocabulary = 0, tokenTypes = 0;
  std::uint32_t layers = 0; ///< attentions
};

} // namespace lpu::compiler
