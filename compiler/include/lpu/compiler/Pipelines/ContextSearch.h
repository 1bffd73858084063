// The remedy for a model that does not fit: how much context would.
#pragma once

#include "lpu/compiler/Pipelines/Pipelines.h"

namespace lpu::compiler {

struct FittingContext {
  std::int64_t context = 0; ///< 0: none fits
  bool isLargest = true;    ///< false: larger ones may fit, the search was cut short
};

/// The largest --max-context with which `planned` (an llm-stage module with its steps) compiles for the target.
/// Diagnostics of the attempts go to the context's handler. Takes some compilations, or about 20 seconds. `most`: none
/// above is looked at; 0: below that of `planned`.
FittingContext largestFittingContext(mlir::ModuleOp planned, const PipelineOptions &options, std::int64_t most = 0);

} // namespace lpu::compiler
