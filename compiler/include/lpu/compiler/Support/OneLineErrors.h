// Turns MLIR diagnostics into the single line a user of an executable sees.
#pragma once

#include "lpu/isa/Result.h"

#include "mlir/IR/Diagnostics.h"

#include <optional>
#include <string>

namespace lpu::compiler {

/// Emits an error of the layers below as a diagnostic at its place.
mlir::LogicalResult report(mlir::MLIRContext *context, const Error &error);

/// While it lives, the first error of the context is kept and everything else is swallowed. Errors at a file
/// location read "file:line:col: error: …", at line 0 "file: error: …"; notes of the error follow in parentheses.
class OneLineErrors : public mlir::ScopedDiagnosticHandler {
public:
  explicit OneLineErrors(mlir::MLIRContext *context);
  bool failed() const { return first.has_value(); }
  /// The first error: its place (empty when it has none) and its words. Nothing failed: both empty.
  Error error() const { return first.value_or(Error{}); }
  /// The line without its newline; empty when nothing failed.
  std::string str() const;
  /// Forgets the error, before another attempt.
  void clear() { first.reset(); }

private:
  std::optional<Error> first;
};

} // namespace lpu::compiler
