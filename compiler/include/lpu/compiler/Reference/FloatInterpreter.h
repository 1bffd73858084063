// Runs a float @forward from its IR with the file's own weights: what every quantized configuration is compared
// with, and what calibration looks at.
#pragma once

#include "lpu/isa/Result.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/Support/LLVM.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

namespace lpu::compiler {

class FloatInterpreter {
public:
  /// Sees the result of every operation, of one token, in the order of execution.
  using Observer = std::function<void(mlir::Operation *, std::span<const float>)>;

  /// Takes a module as import made it, before llm-quantize; opens its weight file and decodes all of it to fp32. The
  /// module must outlive the interpreter unchanged. On failure an error was emitted.
  static mlir::FailureOr<std::unique_ptr<FloatInterpreter>> create(mlir::ModuleOp module, Observer observer = {});
  ~FloatInterpreter();

  /// As Interpreter::step: feeds one token and returns its logits.
  Result<std::vector<float>> step(std::int32_t token, std::int64_t position);
  /// Empties the caches.
  void reset();
  /// Positions the caches hold.
  std::int64_t capacity() const;
  std::int64_t vocabulary() const;

private:
  struct State;
  explicit FloatInterpreter(std::unique_ptr<State> prepared);
  std::unique_ptr<State> state;
};

} // namespace lpu::compiler
