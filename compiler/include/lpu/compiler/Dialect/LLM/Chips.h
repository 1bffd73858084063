// What a module says about several chips: classes of equal chips, the chips, the
// wires between them. Written by llm-partition, read by everything behind it.
#pragma once

#include "mlir/IR/BuiltinOps.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace lpu::compiler::llm {

/// Attributes of the module: see ChipPlace and WirePlace; static scales by name; name of the wiring, if it has one.
inline constexpr llvm::StringLiteral kChipsAttr = "llm.chips", kWiresAttr = "llm.wires", kScalesAttr = "llm.scales",
                                     kTopologyAttr = "llm.topology";
/// Attributes of a class: chips that share each of its layers, layers.
inline constexpr llvm::StringLiteral kShardsAttr = "llm.shards", kLayersAttr = "llm.layers";
/// Attribute of an operation in a class of several stages: name in llm.scales of its result's scale, which differs by
/// stage; the type holds that of the first.
inline constexpr llvm::StringLiteral kScaleNameAttr = "llm.scale_name";

/// A chip: its class and where it stands in the partition.
struct ChipPlace {
  std::string chipClass;
  std::int64_t stage = 0, shard = 0, firstLayer = 0;
  bool operator==(const ChipPlace &) const = default;
};

/// Link linkA of chip chipA leads to link linkB of chip chipB, and back.
struct WirePlace {
  std::int64_t chipA = 0, linkA = 0, chipB = 0, linkB = 0;
  bool operator==(const WirePlace &) const = default;
};

/// The classes of a partitioned module; a module that was not partitioned is its only class.
llvm::SmallVector<mlir::ModuleOp> classModules(mlir::ModuleOp module);
bool isPartitioned(mlir::ModuleOp module);
/// Chips that share each layer of a class.
std::int64_t shardsOf(mlir::ModuleOp chipClass);
/// Links 0 to shards − 2 of a class join its groups: link d − 1 leads to the shard d further on, where it is this one.
inline std::int64_t groupPeerLink(std::int64_t shards, std::int64_t link) { return shards - 2 - link; }

void setChips(mlir::ModuleOp module, llvm::ArrayRef<ChipPlace> chips);
/// One chip of class "all" when the module was not partitioned.
std::vector<ChipPlace> chipsOf(mlir::ModuleOp module);
void setWires(mlir::ModuleOp module, llvm::ArrayRef<WirePlace> wires);
std::vector<WirePlace> wiresOf(mlir::ModuleOp module);

/// "blk.2.ffn" counted from layer `first`: "blk.{first + 2}.ffn"; names of no layer stay as they are.
std::string shiftLayer(llvm::StringRef name, std::int64_t first);

} // namespace lpu::compiler::llm
