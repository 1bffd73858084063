// Static scales from sample text: what the float model really reaches, where the bounds of N10 are loose.
#pragma once

#include "lpu/compiler/Support/Precision.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/Support/LLVM.h"

#include <cstdint>
#include <vector>

namespace lpu::compiler {

struct CalibrationOptions {
  std::vector<std::vector<std::int32_t>> sequences; ///< token ids; each starts with empty caches
  std::string method = "mse";                       ///< of kCalibrationMethods; for int8 activations
  std::string rounding = "nearest";                 ///< of kRoundings
};
inline constexpr PrecisionName kCalibrationMethods[] = {
    {"minmax", "the largest value seen"}, {"percentile", "99.9 % of the values"}, {"mse", "the least squared error"}};

inline constexpr PrecisionName kRoundings[] = {
    {"nearest", "each weight by itself"},
    {"gptq", "each column makes up for the errors of those before it; wants --calibration"}};

/// What the chosen ranges do to the values they were chosen on.
struct CalibrationSummary {
  std::string method;
  std::uint64_t tokens = 0, values = 0, saturated = 0;
  std::string rounding = "nearest";
  double outputErrorRatio =
      1; ///< squared error of all linears' outputs on the text, over that of rounding to the nearest
};

/// Runs the float @forward of `module` over the sequences and gives every operation whose result will be quantized the
/// attribute llm.range. An int16 result gets twice the largest value seen, so that ordinary text does not saturate;
/// an int8 one what the method says. With another rounding than to the nearest the module gets rounded weights
/// (attachRounded), except those whose blocks are kept as they are in the file. On failure an error was emitted.
mlir::FailureOr<CalibrationSummary> calibrate(mlir::ModuleOp module, const CalibrationOptions &options,
                                              const PrecisionOptions &precision);

} // namespace lpu::compiler
