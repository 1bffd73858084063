// A stage of a partitioned model, and the module of its class.
#pragma once

#include "lpu/compiler/Dialect/LLM/LLM.h"

#include "mlir/IR/Builders.h"

#include <string>
#include <vector>

namespace lpu::compiler::llm {

/// Consecutive layers on `groups` groups of `shards` chips; several groups deal the vocabulary among them.
struct Stage {
  std::int64_t firstLayer = 0, layers = 0;
  bool embedding = false, head = false;
  std::int64_t shards = 1, groups = 1;
  llvm::SmallVector<std::int64_t> inLinks = {}, outLinks = {};
  std::vector<mlir::Type> types = {}; ///< of its weights, and of what its linears are fed: element types without
                                      ///< scales; none before that of a rope that turns nothing

  /// Do chips of both run the same programs?
  bool sameClass(const Stage &other) const {
    return layers == other.layers && embedding == other.embedding && head == other.head && groups == other.groups &&
           inLinks == other.inLinks && outLinks == other.outLinks && types == other.types;
  }
  std::string name() const;
};

/// Name of the static scale of an operation's int16 result, in llm.scales.
std::string scaleName(mlir::Operation *op);

/// Fills `stage.types`.
void noteTypes(mlir::ModuleOp model, Stage &stage);

/// Builds the module `name` with the part of `model`'s @forward that `stage` holds. With `shared`, other stages use it
/// as well, so results carry the names of their scales.
void buildClass(mlir::OpBuilder &builder, mlir::ModuleOp model, const Stage &stage, const std::string &name,
                bool shared);

} // namespace lpu::compiler::llm
