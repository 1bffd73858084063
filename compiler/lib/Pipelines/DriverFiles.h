// The files a compilation reads and writes.
#pragma once

#include "lpu/compiler/Pipelines/Driver.h"

#include "mlir/IR/BuiltinOps.h"

namespace lpu::compiler {

/// "llm", as --compile-to and dumps call it.
const char *stageName(Stage stage);
std::string dumpPath(const DriverOptions &options, Stage stage);

/// Refuses outputs that are read for `module`.
Status checkFiles(const DriverOptions &options, mlir::ModuleOp module);

} // namespace lpu::compiler
