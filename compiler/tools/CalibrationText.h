// Text to calibrate on, as tokens of a model.
#pragma once

#include "lpu/compiler/Reference/Calibrate.h"

#include <CLI/CLI.hpp>

namespace lpu::compiler {

/// --calibration, --calibration-method and --rounding.
struct CalibrationFlags {
  std::string text, method = "mse", rounding = "nearest";
};
void addCalibrationFlags(CLI::App &app, CalibrationFlags &flags);

/// The text in windows as long as the context usually compiled for, each after a BOS where the vocabulary has one. No
/// sequences if no text was given. Error: the text or the model cannot be read, or the vocabulary cannot express it; or
/// a rounding needs a text.
Result<CalibrationOptions> readCalibration(const CalibrationFlags &flags, const std::string &model);

} // namespace lpu::compiler
