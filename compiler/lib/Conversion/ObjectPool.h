// The memory objects of a module, created on first use and shared by all its
// programs: a weight tile, a table or a scratch area exists once.
#pragma once

#include "lpu/compiler/Conversion/Layout.h"
#include "lpu/compiler/Dialect/LLM/LLM.h"
#include "lpu/compiler/Dialect/Stream/Stream.h"
#include "lpu/isa/Machine.h"

#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinOps.h"

#include <map>
#include <optional>
#include <string>

namespace lpu::compiler {

/// A static scale. Where the stages of a class differ in it, it has a name in llm.scales too, by which each chip's
/// constants are made.
struct Scale {
  double value = 1;
  std::string name;
};

/// The factor of a linear's results: a number, or the reciprocal of a named scale.
struct Factor {
  double value = 1;
  std::string scaleName;
};

class ObjectPool {
public:
  ObjectPool(mlir::ModuleOp module, const isa::Machine &machine);

  /// Rows only grow: the largest program decides.
  std::string scratch(const std::string &name, std::int64_t planes, std::int64_t rows, std::int64_t hint);
  std::string input(const std::string &name, std::int64_t rows);
  std::string output(const std::string &name, std::int64_t rows);
  std::string zero(const std::string &name, std::int64_t planes, std::int64_t rows, std::int64_t hint);

  /// Tile (rowVector, colVector) of a weight: output elements by `rows`, input elements by `cols`. `hint` is that of
  /// stream.object.
  std::string weightTile(const std::string &tensor, const Layout &rows, std::int64_t rowVector, const Layout &cols,
                         std::int64_t colVector, std::int64_t plane, std::int64_t hint);
  /// An object made before.
  stream::ObjectOp at(const std::string &name) const { return objects.at(name); }
  /// The plane that loads a tile.
  std::int64_t planeOf(const std::string &tile) { return *objects.at(tile).getPlane(); }
  /// A tile of a weight with scales per group, and those scales (fp16), a row per group of the tile.
  std::string groupTile(llm::WeightOp weight, const Layout &rows, std::int64_t rowVector, const Layout &cols,
                        std::int64_t colVector, std::int64_t plane);
  /// Whether such tiles hold two int4 weights in a byte, row groups 2r and 2r + 1 in row r: where lw expands them.
  bool isPacked(llm::WeightOp weight) const;
  std::string groupScales(llm::WeightOp weight, const Layout &rows, std::int64_t rowVector, const Layout &cols,
                          std::int64_t colVector, std::int64_t groups);
  /// One row, f of N12 in every lane.
  std::string groupFactor(llm::WeightOp weight, const Layout &rows, const Scale &input, const Factor &factor,
                          std::int64_t hint);
  /// One byte, 0 the low one, of such a tile of fp16 weights, for plane `plane`.
  std::string halfTile(const std::string &tensor, const Layout &rows, std::int64_t rowVector, const Layout &cols,
                       std::int64_t colVector, std::int64_t plane, std::int64_t byte);
  /// A linear's factor in every lane, fp32.
  std::string linearFactor(const std::string &tensor, const Layout &rows, const Factor &factor);
  /// Tile of ones: every output row is the sum over all lanes. Per plane.
  std::string onesTile(std::int64_t plane);
  /// Block tile: every output row of a head is the sum over the head's lanes. Per plane.
  std::string headOnesTile(std::int64_t headDim, std::int64_t plane);
  /// The same for slots of `width` lanes, which hold heads or halves of them.
  std::string slotOnesTile(std::int64_t width, std::int64_t plane);
  /// Part of a KV cache that MXM plane `plane` loads as tiles, zero at first; `rows` row groups of 16.
  std::string cacheTiles(const std::string &name, std::int64_t rows, std::int64_t plane);
  /// int32 lane numbers in row 0, those within the superlane in row 1, numbers of slots in row 2.
  std::string laneIndex(std::int64_t slotWidth);
  /// Row n: −1 in lane n of every superlane, 0 elsewhere.
  std::string laneMasks();
  /// fp32 factors c[n] of N3, a row per vector of the layout; without a hint they alternate.
  std::string channelScales(const std::string &tensor, const Layout &rows, const Scale &input, const Factor &factor,
                            std::int64_t hint = -1);
  /// fp32 biases b'[n] of N3, a row per vector of the layout; without a hint they alternate.
  std::string channelBiases(const std::string &tensor, const Layout &rows, const Factor &factor,
                            std::int64_t hint = -1);
  /// fp32 gains γ / scale; those of a head again for each.
  std::string normGain(const std::string &tensor, const Layout &layout, const Scale &scale, std::int64_t hint = -1);
  /// Rows of one fp32 each in every lane: the score's two factors of N7, 1 / result, and 256 times the lower factor
  /// (N11); of six the last two are the score's factors of N16. `scoreScale` is an attention's own, if it has one.
  std::string attentionFactors(const std::string &layer, const Scale &query, const Scale &key, const Scale &result,
                               std::int64_t headDim, std::optional<double> scoreScale, std::int64_t rows = 4);
  /// Rope table, a row per position, fp32; `freqs`, the tensor of divisors, may be empty. With `packed` a lane per
  /// pair, with the factors of its second element, and so many positions a row, one a slot; a single one fills all
  /// slots. `kind` tells the ropes of a program apart.
  std::string ropeTable(bool sine, llm::RopeOp rope, const std::string &kind, std::int64_t positions,
                        const std::string &freqs, std::int64_t packed = 0);
  /// fp16 rows of the embedding: bank `bank` of vector `vector`; a chip holds `vocabulary` of all rows, `chunk` (or as
  /// many as a bank has) in each.
  std::string embeddingTable(const std::string &tensor, std::int64_t vocabulary, const Layout &layout,
                             std::int64_t vector, std::int64_t bank, std::int64_t hint = -1, std::int64_t chunk = 0);
  /// Of encoders: fp32 1 in the lanes that a layout uses, a row per vector; −1 in the lanes of head slot r in row r; −1
  /// in lane r in row r; and where row r of a tile stands: r / 16 in lanes r mod 16 of every superlane,
  /// FlowWriter::kNoRow in the others.
  std::string usedLanes(const Layout &layout, std::int64_t hint);
  std::string slotMasks(std::int64_t slotWidth, std::int64_t hint);
  std::string unitLanes(std::int64_t hint);
  std::string tileRows(std::int64_t hint);
  /// int32 in every lane: the first word of the part of the vocabulary that a chip holds.
  std::string vocabularyBase(std::int64_t vocabulary, std::int64_t shards);

private:
  std::string object(const std::string &name, llvm::StringRef role, std::int64_t planes, std::int64_t rows,
                     std::int64_t hint, std::int64_t plane, mlir::DictionaryAttr content);
  mlir::DictionaryAttr layoutAttr(const Layout &layout);
  mlir::DictionaryAttr groupContent(llvm::StringRef kind, llm::WeightOp weight, const Layout &rows,
                                    std::int64_t rowVector, const Layout &cols, std::int64_t colVector);
  mlir::NamedAttribute named(llvm::StringRef key, std::int64_t value) {
    return builder.getNamedAttr(key, builder.getI64IntegerAttr(value));
  }
  mlir::NamedAttribute named(llvm::StringRef key, llvm::StringRef value) {
    return builder.getNamedAttr(key, builder.getStringAttr(value));
  }
  mlir::NamedAttribute named(llvm::StringRef key, const Scale &scale) {
    return scale.name.empty() ? named(key, scale.value) : named(key, llvm::StringRef(scale.name));
  }
  mlir::NamedAttribute named(llvm::StringRef key, double value) {
    return builder.getNamedAttr(key, builder.getF64FloatAttr(value));
  }

  mlir::ModuleOp module;
  mlir::OpBuilder builder;
  const isa::Machine &machine;
  std::map<std::string, stream::ObjectOp> objects;
  std::int64_t nextHint = 0;
};

} // namespace lpu::compiler
