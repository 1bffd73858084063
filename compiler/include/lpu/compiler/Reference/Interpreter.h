// Runs a quantized @forward from its IR, bit for bit as the machine does.
#pragma once

#include "lpu/isa/Result.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/Support/LLVM.h"

#include <cstdint>
#include <memory>
#include <vector>

namespace lpu::compiler {

class Interpreter {
public:
  /// Takes a module that passes llm-verify-quantized; opens its weight file. Keeps a reference to the module,
  /// which must outlive the interpreter unchanged. On failure an error was emitted.
  static mlir::FailureOr<std::unique_ptr<Interpreter>> create(mlir::ModuleOp module);
  ~Interpreter();

  /// Feeds one token and returns its logits. `position` must be at most the number of positions fed since the last
  /// reset (an earlier one drops what came after it) and below the caches' capacity.
  Result<std::vector<float>> step(std::int32_t token, std::int64_t position);
  /// Empties the caches.
  void reset();
  /// Positions the caches hold.
  std::int64_t capacity() const;
  std::int64_t vocabulary() const;

private:
  struct State;
  explicit Interpreter(std::unique_ptr<State> prepared);
  std::unique_ptr<State> state;
};

} // namespace lpu::compiler
