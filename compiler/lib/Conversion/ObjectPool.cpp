// ObjectPool: names and content recipes of memory objects. A recipe names the
// source tensor and the layout, never data; Target/Contents.cpp carries it out.

#include "ObjectPool.h"

#include <fmt/format.h>

using namespace mlir;

namespace lpu::compiler {

ObjectPool::ObjectPool(ModuleOp module, const isa::Machine &machine)
    : module(module), builder(OpBuilder::atBlockEnd(module.getBody())), machine(machine) {}

std::string ObjectPool::object(const std::string &name, StringRef role, std::int64_t planes, std::int64_t rows,
                               std::int64_t hint, std::int64_t plane, DictionaryAttr content) {
  auto [entry, isNew] = objects.try_emplace(name);
  if (!isNew) {
    if (static_cast<std::int64_t>(entry->second.getRows()) < rows)
      entry->second.setRows(rows);
    return name;
  }
  auto i64 = [&](std::int64_t v) { return v < 0 ? IntegerAttr() : builder.getI64IntegerAttr(v); };
  entry->second =
      stream::ObjectOp::create(builder, module.getLoc(), builder.getStringAttr(name), builder.getStringAttr(role),
                               i64(planes), i64(rows), i64(hint), i64(plane), content, DictionaryAttr());
  return name;
}

DictionaryAttr ObjectPool::layoutAttr(const Layout &layout) {
  SmallVector<NamedAttribute> fields = {named("elements", layout.elements)};
  if (layout.headDim) {
    fields.push_back(named("head_dim", layout.headDim));
    fields.push_back(named("group", layout.group));
    fields.push_back(named("swap", std::int64_t{layout.swap}));
    if (layout.slotLanes)
      fields.push_back(named("slot_lanes", layout.slotLanes));
    if (layout.slots) {
      fields.push_back(named("interleave", layout.interleave));
      fields.push_back(named("halves", std::int64_t{layout.halves}));
      fields.push_back(named("slots", layout.slots));
      fields.push_back(named("stride", layout.stride));
      if (layout.packed)
        fields.push_back(named("packed", std::int64_t{1}));
    }
  }
  if (layout.shards > 1) {
    fields.push_back(named("shards", layout.shards));
    fields.push_back(named("total", layout.total));
    fields.push_back(named("gathered", std::int64_t{layout.gathered}));
  }
  return builder.getDictionaryAttr(fields);
}

std::string ObjectPool::scratch(const std::string &name, std::int64_t planes, std::int64_t rows, std::int64_t hint) {
  return object(name, "scratch", planes, rows, hint, -1, {});
}
std::string ObjectPool::input(const std::string &name, std::int64_t rows) {
  return object(name, "input", 4, rows, 2, -1, {});
}
std::string ObjectPool::output(const std::string &name, std::int64_t rows) {
  return object(name, "output", 4, rows, 5, -1, {});
}
std::string ObjectPool::zero(const std::string &name, std::int64_t planes, std::int64_t rows, std::int64_t hint) {
  return object(name, "zero", planes, rows, hint, -1, {});
}

std::string ObjectPool::weightTile(const std::string &tensor, const Layout &rows, std::int64_t rowVector,
                                   const Layout &cols, std::int64_t colVector, std::int64_t plane, std::int64_t hint) {
  std::string name = fmt::format("{}{}.tile.{}.{}", tensor, rows.swap ? ".swapped" : "", rowVector, colVector);
  auto content = builder.getDictionaryAttr(
      {named("kind", "tile"), named("tensor", tensor), builder.getNamedAttr("rows", layoutAttr(rows)),
       named("row_vector", rowVector), builder.getNamedAttr("cols", layoutAttr(cols)), named("col_vector", colVector)});
  std::int64_t groups = (rows.lanesUsed(rowVector) + 15) / 16;
  return object(name, "constant", 16, groups, hint, plane, content);
}

std::string ObjectPool::halfTile(const std::string &tensor, const Layout &rows, std::int64_t rowVector,
                                 const Layout &cols, std::int64_t colVector, std::int64_t plane, std::int64_t byte) {
  std::string name = fmt::format("{}{}.{}.tile.{}.{}", tensor, rows.swap ? ".swapped" : "", byte ? "high" : "low",
                                 rowVector, colVector);
  auto content =
      builder.getDictionaryAttr({named("kind", "half_tile"), named("tensor", tensor), named("byte", byte),
                                 builder.getNamedAttr("rows", layoutAttr(rows)), named("row_vector", rowVector),
                                 builder.getNamedAttr("cols", layoutAttr(cols)), named("col_vector", colVector)});
  return object(name, "constant", 16, (rows.lanesUsed(rowVector) + 15) / 16, -1, plane, content);
}

std::string ObjectPool::linearFactor(const std::string &tensor, const Layout &rows, const Factor &factor) {
  auto content = builder.getDictionaryAttr(
      {named("kind", "linear_factor"),
       factor.scaleName.empty() ? named("factor", factor.value) : named("factor_over", StringRef(factor.scaleName))});
  return object(fmt::format("{}{}.factor", tensor, rows.swap ? ".swapped" : ""), "constant", 4, 1, nextHint++ % 6, -1,
                content);
}

std::string ObjectPool::onesTile(std::int64_t plane) {
  return object(fmt::format("ones.{}", plane), "constant", 16, machine.superlanes, -1, plane,
                builder.getDictionaryAttr({named("kind", "ones")}));
}

std::string ObjectPool::groupTile(llm::WeightOp weight, const Layout &rows, std::int64_t rowVector, const Layout &cols,
                                  std::int64_t colVector, std::int64_t plane) {
  return object(fmt::format("{}{}.tile.{}.{}", weight.getSource(), rows.swap ? ".swapped" : "", rowVector, colVector),
                "constant", 16,
                (rows.lanesUsed(rowVector) + (isPacked(weight) ? 31 : 15)) / (isPacked(weight) ? 32 : 16), -1, plane,
                groupContent(isPacked(weight) ? "packed_tile" : "tile", weight, rows, rowVector, cols, colVector));
}

bool ObjectPool::isPacked(llm::WeightOp weight) const {
  // Of an odd number of row groups the last one's high nibbles would be the first one's.
  return machine.mxmInt4Expand && machine.superlanes % 2 == 0 && weight.quantization() == WeightType::Int4Group;
}

std::string ObjectPool::groupScales(llm::WeightOp weight, const Layout &rows, std::int64_t rowVector,
                                    const Layout &cols, std::int64_t colVector, std::int64_t groups) {
  return object(fmt::format("{}{}.scales.{}.{}", weight.getSource(), rows.swap ? ".swapped" : "", rowVector, colVector),
                "constant", 2, groups, 1 + 2 * (nextHint++ % 3), -1,
                groupContent("group_scales", weight, rows, rowVector, cols, colVector));
}

std::string ObjectPool::groupFactor(llm::WeightOp weight, const Layout &rows, const Scale &input, const Factor &factor,
                                    std::int64_t hint) {
  auto content = builder.getDictionaryAttr(
      {named("kind", "group_factor"), named("tensor", weight.getSource()),
       named("bits", std::int64_t{weight.quantization() == WeightType::Int4Group ? 4 : 8}), named("input_scale", input),
       factor.scaleName.empty() ? named("factor", factor.value) : named("factor_over", StringRef(factor.scaleName))});
  return object(fmt::format("{}{}.factor", weight.getSource(), rows.swap ? ".swapped" : ""), "constant", 4, 1, hint, -1,
                content);
}

DictionaryAttr ObjectPool::groupContent(StringRef kind, llm::WeightOp weight, const Layout &rows,
                                        std::int64_t rowVector, const Layout &cols, std::int64_t colVector) {
  return builder.getDictionaryAttr({named("kind", kind), named("tensor", weight.getSource()),
                                    named("bits", std::int64_t{weight.quantization() == WeightType::Int4Group ? 4 : 8}),
                                    builder.getNamedAttr("rows", layoutAttr(rows)), named("row_vector", rowVector),
                                    builder.getNamedAttr("cols", layoutAttr(cols)), named("col_vector", colVector)});
}

std::string ObjectPool::headOnesTile(std::int64_t headDim, std::int64_t plane) {
  return object(fmt::format("head_ones.{}", plane), "constant", 16, machine.superlanes, -1, plane,
                builder.getDictionaryAttr({named("kind", "head_ones"), named("head_dim", headDim)}));
}

std::string ObjectPool::slotOnesTile(std::int64_t width, std::int64_t plane) {
  return object(fmt::format("slot_ones.{}", plane), "constant", 16, machine.superlanes, -1, plane,
                builder.getDictionaryAttr({named("kind", "head_ones"), named("head_dim", width)}));
}

std::string ObjectPool::cacheTiles(const std::string &name, std::int64_t rows, std::int64_t plane) {
  return object(name, "zero", 16, rows, -1, plane, {});
}

std::string ObjectPool::laneIndex(std::int64_t slotWidth) {
  return object("lane.index", "constant", 4, 3, 3, -1,
                builder.getDictionaryAttr({named("kind", "lane_index"), named("slot_width", slotWidth)}));
}

std::string ObjectPool::laneMasks() {
  return object("lane.masks", "constant", 4, machine.lanesPerSuperlane, 5, -1,
                builder.getDictionaryAttr({named("kind", "lane_masks")}));
}

std::string ObjectPool::channelScales(const std::string &tensor, const Layout &rows, const Scale &input,
                                      const Factor &factor, std::int64_t hint) {
  auto content = builder.getDictionaryAttr(
      {named("kind", "channel_scales"), named("tensor", tensor), named("input_scale", input),
       factor.scaleName.empty() ? named("factor", factor.value) : named("factor_over", StringRef(factor.scaleName)),
       builder.getNamedAttr("rows", layoutAttr(rows))});
  return object(fmt::format("{}{}.scales", tensor, rows.swap ? ".swapped" : ""), "constant", 4, rows.vectors(),
                hint < 0 ? nextHint++ % 6 : hint, -1, content);
}

std::string ObjectPool::channelBiases(const std::string &tensor, const Layout &rows, const Factor &factor,
                                      std::int64_t hint) {
  auto content = builder.getDictionaryAttr(
      {named("kind", "channel_biases"), named("tensor", tensor),
       factor.scaleName.empty() ? named("factor", factor.value) : named("factor_over", StringRef(factor.scaleName)),
       builder.getNamedAttr("rows", layoutAttr(rows))});
  return object(fmt::format("{}{}.scaled", tensor, rows.swap ? ".swapped" : ""), "constant", 4, rows.vectors(),
                hint < 0 ? nextHint++ % 6 : hint, -1, content);
}

std::string ObjectPool::normGain(const std::string &tensor, const Layout &layout, const Scale &scale,
                                 std::int64_t hint) {
  auto content = builder.getDictionaryAttr({named("kind", "norm_gain"), named("tensor", tensor), named("scale", scale),
                                            builder.getNamedAttr("rows", layoutAttr(layout))});
  return object(tensor + (layout.swap ? ".swapped.gain" : ".gain"), "constant", 4, layout.vectors(),
                hint < 0 ? nextHint++ % 6 : hint, -1, content);
}

std::string ObjectPool::attentionFactors(const std::string &layer, const Scale &query, const Scale &key,
                                         const Scale &result, std::int64_t headDim, std::optional<double> scoreScale,
                                         std::int64_t rows) {
  SmallVector<NamedAttribute> fields = {named("kind", "attention_factors"), named("query_scale", query),
                                        named("key_scale", key), named("result_scale", result),
                                        named("head_dim", headDim)};
  if (scoreScale)
    fields.push_back(named("score_scale", *scoreScale));
  auto content = builder.getDictionaryAttr(fields);
  // Single rows, away from the bursts of keys and scores and from the factors of rope.
  return object(layer + ".factors", "constant", 4, rows, 5, -1, content);
}

std::string ObjectPool::ropeTable(bool sine, llm::RopeOp rope, const std::string &kind, std::int64_t positions,
                                  const std::string &freqs, std::int64_t packed) {
  SmallVector<NamedAttribute> fields = {
      named("kind", "rope"), named("sine", std::int64_t{sine}), named("base", rope.getBase().convertToDouble()),
      named("head_dim", static_cast<std::int64_t>(rope.getHeadDim())), named("freqs", freqs)};
  if (double magnitude = rope.getMagnitude().convertToDouble(); magnitude != 1)
    fields.push_back(named("magnitude", magnitude));
  if (packed) {
    fields.push_back(named("halves", std::int64_t{1}));
    fields.push_back(named("packed", packed));
  }
  auto content = builder.getDictionaryAttr(fields);
  std::int64_t each = std::max<std::int64_t>(1, packed);
  return object((sine ? "rope.sin" : "rope.cos") + kind, "constant", 4, (positions + each - 1) / each, sine ? 4 : 1, -1,
                content);
}

std::string ObjectPool::embeddingTable(const std::string &tensor, std::int64_t vocabulary, const Layout &layout,
                                       std::int64_t vector, std::int64_t bank, std::int64_t hint, std::int64_t chunk) {
  std::int64_t most = chunk ? chunk : machine.memRowsPerBank, first = bank * most;
  std::int64_t rows = std::min<std::int64_t>(most, vocabulary - first);
  auto content = builder.getDictionaryAttr(
      {named("kind", "embedding"), named("tensor", tensor), named("vector", vector), named("first_row", first),
       named("held_rows", vocabulary), builder.getNamedAttr("rows", layoutAttr(layout))});
  return object(fmt::format("{}.rows.{}.{}", tensor, vector, bank), "constant", 2, rows,
                hint < 0 ? nextHint++ % 6 : hint, -1, content);
}

std::string ObjectPool::usedLanes(const Layout &layout, std::int64_t hint) {
  auto content =
      builder.getDictionaryAttr({named("kind", "used_lanes"), builder.getNamedAttr("rows", layoutAttr(layout))});
  return object(fmt::format("used.{}", layout.elements), "constant", 4, layout.vectors(), hint, -1, content);
}

std::string ObjectPool::slotMasks(std::int64_t slotWidth, std::int64_t hint) {
  auto content = builder.getDictionaryAttr({named("kind", "slot_masks"), named("slot_width", slotWidth)});
  return object(fmt::format("slots.{}", slotWidth), "constant", 4, machine.lanes() / slotWidth, hint, -1, content);
}

std::string ObjectPool::unitLanes(std::int64_t hint) {
  return object("lane.units", "constant", 4, machine.lanes(), hint, -1,
                builder.getDictionaryAttr({named("kind", "slot_masks"), named("slot_width", std::int64_t{1})}));
}

std::string ObjectPool::tileRows(std::int64_t hint) {
  return object("tile.rows", "constant", 4, machine.lanes(), hint, -1,
                builder.getDictionaryAttr({named("kind", "tile_rows")}));
}

std::string ObjectPool::vocabularyBase(std::int64_t vocabulary, std::int64_t shards) {
  auto content = builder.getDictionaryAttr(
      {named("kind", "vocabulary_base"), named("held_rows", vocabulary), named("shards", shards)});
  return object("vocabulary.base", "constant", 4, 1, nextHint++ % 6, -1, content);
}

} // namespace lpu::compiler
