// The search for a partition that fits. The planner's estimates put partitions in an order; whether one fits is known
// when it was compiled. What did not fit comes back as a value, and what is tried next follows from it.
#pragma once

#include "lpu/compiler/Conversion/DoesNotFit.h"
#include "lpu/compiler/Pipelines/Driver.h"
#include "lpu/compiler/Support/MappingFile.h"
#include "lpu/compiler/Support/OneLineErrors.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"

#include <map>
#include <optional>
#include <vector>

namespace lpu::compiler {

/// A planned model on the chips of a partition, not lowered yet.
struct DealtModel {
  mlir::OwningOpRef<mlir::ModuleOp> module;
  Places places;
};

class Fit {
public:
  /// `planned`: of stage llm, with its steps, for one chip. All of these outlive the search; `errors` is the handler of
  /// the context and is cleared after attempts that failed.
  Fit(mlir::ModuleOp planned, const DriverOptions &options, const MappingFile &mapping, const isa::Machine &machine,
      OneLineErrors &errors);

  /// The most promising partition.
  Result<DealtModel> first() { return choose(); }
  /// After the last one did not fit: another one, or fewer and smaller programs on the same; or an error, which is
  /// `error`, that of the attempt, with what would do.
  Result<DealtModel> next(const DoesNotFit &why, Error error);

  const Partition &current() const { return partition; }

private:
  Result<DealtModel> choose();
  Result<DealtModel> deal();
  /// The first of `candidates`, best first and at least one, whose wires the topology has; else the first one's error.
  Result<DealtModel> firstPlaced(const std::vector<Partition> &candidates);
  Result<DealtModel> nextPartition(Error error);
  /// The estimates were too low: trusts them less, until another partition comes out of them. False: none does.
  bool trustLess();
  /// The most promising partition that was not tried yet, with all memory trusted; else the refusal.
  Result<DealtModel> nextUntried();
  /// Of the planned steps those that --steps names. What a chip holds and how the model is dealt does not depend on it.
  Result<DealtModel> keepAsked(DealtModel dealt) const;
  Result<std::vector<Partition>> candidates();
  /// Of the prefill steps of the present partition: as many as there is room for, or what the mapping's file says.
  Result<std::int64_t> tokensOfAStep() const;
  Error tooManyUsers(std::int64_t most) const;
  /// Not even with estimates that are far off.
  Error farTooLarge() const;
  /// The error of a chip of the last partition, as one of the system.
  Error explain(Error error) const;
  /// How much context would fit, as the end of an error message.
  std::string remedy() const;
  bool isOneChip() const;
  bool sharesLayers(std::int64_t shards);
  bool feedsAToken(const Partition &candidate);
  /// Programs of chunks take long to compile, several layers on a chip as many times as long: they get one.
  Chunks programs() const;

  mlir::ModuleOp planned;
  const DriverOptions &options;
  const MappingFile &mapping;
  const isa::Machine &machine;
  OneLineErrors &errors;
  Partition partition;                                 ///< tried last
  std::int64_t usable;                                 ///< bytes of a chip that the planner may count on
  std::map<std::int64_t, std::int64_t> tokensByShards; ///< of the longest prefill step
  std::map<std::int64_t, bool> sharesByShards;         ///< whether so many chips can share a layer
  Chunks chunks = Chunks::All;                         ///< what has been tried so far needed more room
  std::vector<Partition> tried;                        ///< that did not fit
  std::optional<Error> refusal;                        ///< what there is to say if nothing else fits either
  bool isUnwired = false;                              ///< the last partition lacks links
  int untried = 0;                                     ///< attempts after it
  bool measured = false;                               ///< partitions were compared by compilation
};

} // namespace lpu::compiler
