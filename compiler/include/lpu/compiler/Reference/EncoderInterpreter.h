// Runs the quantized @forward of an encoder from its IR, bit for bit as the machine does.
#pragma once

#include "lpu/isa/Result.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/Support/LLVM.h"

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace lpu::compiler {

/// One output: `rows` vectors of `width` values.
struct EncoderOutput {
  std::string name;
  std::size_t rows = 0, width = 0;
  std::vector<float> values;
};

class EncoderInterpreter {
public:
  /// Takes a module that passes llm-verify-quantized; opens its weight file. The module must outlive the interpreter
  /// unchanged. On failure an error was emitted.
  static mlir::FailureOr<std::unique_ptr<EncoderInterpreter>> create(mlir::ModuleOp module);
  ~EncoderInterpreter();

  /// Encodes one sequence; `types` has an entry per token, or is empty for zeros. Errors: ids outside of their tables,
  /// more tokens than the model's longest step.
  Result<std::vector<EncoderOutput>> run(std::span<const std::int32_t> tokens, std::span<const std::int32_t> types);

private:
  struct State;
  explicit EncoderInterpreter(std::unique_ptr<State> prepared);
  std::unique_ptr<State> state;
};

} // namespace lpu::compiler
