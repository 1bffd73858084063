// NumPy files.
#pragma once

#include "lpu/isa/Result.h"

#include <cstdint>
#include <span>
#include <string>

namespace lpu::compiler {

/// Writes a row-major float32 matrix as .npy, through a temporary file, so that no partial file is left behind.
Status writeNpy(const std::string &path, std::span<const float> values, std::size_t rows, std::size_t cols);

} // namespace lpu::compiler
