// Between the planner, which knows sizes, and llm-partition, which knows the model.
#pragma once

#include "lpu/compiler/Pipelines/Pipelines.h"
#include "lpu/compiler/System/Partition.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace lpu::compiler {

/// The sizes of a planned model (an llm-stage module with its steps, not partitioned).
ModelSize modelSize(mlir::ModuleOp planned);

/// The contexts for which chunks of a prompt (chunkTokens) get programs, which take room that few chips have to spare.
enum class Chunks { All, Largest, None };

/// Tokens of a prefill step: those of a chunk if the model takes chunks and they are asked for, else as many as
/// activation rows hold. Without a partition the most that any of them could take.
std::int64_t stepTokens(const isa::Machine &machine, mlir::ModuleOp module, const std::optional<Partition> &partition,
                        Chunks chunks);

/// The most users whose tokens a decode step can feed together.
std::int64_t mostUsers(const isa::Machine &machine, mlir::ModuleOp module, const Partition &partition);

/// Whether `tp` chips can share the linears of a layer: pieces of activations must hold whole groups of the columns
/// that have a scale each, and fp16 sums have an order that chips would change.
bool canShare(mlir::ModuleOp planned, std::int64_t tp);

/// A copy of `planned`, on one chip; its prefill steps feed no more than so many tokens. Null after an error, which
/// went to the context's handler.
mlir::OwningOpRef<mlir::ModuleOp> replanned(mlir::ModuleOp planned, std::int64_t tokens, Chunks chunks);

/// A copy of `planned`, dealt over the chips of a partition; its prefill steps feed `tokens`, or stepTokens unless
/// given. Null after an error, which went to the context's handler.
mlir::OwningOpRef<mlir::ModuleOp> partitionModel(mlir::ModuleOp planned, const Partition &partition,
                                                 const isa::Machine &machine, const std::string &target,
                                                 Chunks chunks = Chunks::All,
                                                 std::optional<std::int64_t> tokens = std::nullopt);

/// Compiles decode programs of the first few shapes of a list that is sorted by estimated latency, as long as it takes
/// no more than half a minute, and brings the fastest to the front. Diagnostics of the attempts go to the context's
/// handler.
void sortByCompilation(std::vector<Partition> &partitions, mlir::ModuleOp planned, const isa::Machine &machine,
                       const PipelineOptions &options);

/// Where the chips of a system stand.
struct Places {
  std::vector<std::string> names; ///< of each chip's place; empty for one chip
  std::int64_t count = 1;         ///< of places in all nodes that have a chip of the system, idle ones included
};

/// Finds every chip of a partitioned module a place in a topology (empty: a node, or rails for more than eight chips),
/// whose name becomes the module's attribute llm.topology.
Result<Places> placeModel(mlir::ModuleOp partitioned, const std::string &topology, const isa::Machine &machine);

} // namespace lpu::compiler
