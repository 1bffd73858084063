// Sources that have several matrices of the model in one tensor, one below the other: Phi-3's files have queries, keys
// and values, and gate and up.

#include "FusedTensors.h"

#include <optional>

namespace lpu::compiler {
namespace {

/// Rows [first, first + rows) of a tensor.
struct Part {
  std::string tensor;
  std::uint32_t first = 0, rows = 0;
};

class FusedTensors final : public WeightSource {
public:
  FusedTensors(std::unique_ptr<const WeightSource> whole, const ModelShape &shape)
      : source(std::move(whole)), queries(shape.heads * shape.headDim), keys(shape.kvHeads * shape.headDim),
        ffn(shape.ffn) {}

  std::pair<std::uint32_t, std::uint32_t> dimensions(std::string_view name) const override {
    auto part = partOf(name);
    return part ? std::pair{part->rows, source->dimensions(part->tensor).second} : source->dimensions(name);
  }
  std::string typeName(std::string_view name) const override {
    auto part = partOf(name);
    return part ? source->typeName(part->tensor) : source->typeName(name);
  }
  Status readRow(std::string_view name, std::uint32_t row, std::span<float> out) const override {
    auto part = partOf(name);
    return part ? source->readRow(part->tensor, part->first + row, out) : source->readRow(name, row, out);
  }
  bool readBlocks(std::string_view name, std::uint32_t row, std::span<std::int8_t> values,
                  std::span<float> scales) const override {
    auto part = partOf(name);
    return part ? source->readBlocks(part->tensor, part->first + row, values, scales)
                : source->readBlocks(name, row, values, scales);
  }

private:
  /// Nothing for a tensor that stands for itself.
  std::optional<Part> partOf(std::string_view name) const {
    std::size_t dot = name.starts_with("blk.") ? name.find('.', 4) : std::string_view::npos;
    if (dot == std::string_view::npos)
      return std::nullopt;
    std::string layer(name.substr(0, dot + 1)), qkv = layer + "attn_qkv.weight", gateUp = layer + "ffn_up.weight";
    std::string_view suffix = name.substr(dot + 1);
    if (suffix == "attn_q.weight")
      return Part{qkv, 0, queries};
    if (suffix == "attn_k.weight")
      return Part{qkv, queries, keys};
    if (suffix == "attn_v.weight")
      return Part{qkv, queries + keys, keys};
    if (suffix == "ffn_gate.weight")
      return Part{gateUp, 0, ffn};
    if (suffix == "ffn_up.weight")
      return Part{gateUp, ffn, ffn};
    return std::nullopt;
  }

  std::unique_ptr<const WeightSource> source;
  std::uint32_t queries, keys, ffn; ///< rows
};

} // namespace

std::unique_ptr<const WeightSource> splitFused(std::unique_ptr<const WeightSource> source, const ModelShape &shape) {
  if (!shape.isFused)
    return source;
  return std::make_unique<FusedTensors>(std::move(source), shape);
}

} // namespace lpu::compiler
