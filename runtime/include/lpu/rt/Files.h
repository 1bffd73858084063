// Reading and atomic writing of files, and the NumPy array format.
#pragma once

#include "lpu/isa/Result.h"

#include <span>
#include <string>
#include <string_view>

namespace lpu::rt {

/// The whole file. Error: cannot be read, or is a directory.
Result<std::string> readFile(const std::string &path);

/// Writes a temporary file beside `path` and renames it, so `path` holds either
/// its old content or all of the new. What is no regular file (a pipe,
/// /dev/null) is written in place.
Status writeFileAtomically(const std::string &path, std::string_view content);

/// Error if `path` could not be written: its folder is missing or not writable,
/// or it is a folder itself. Asked before a long run.
Status checkWritable(const std::string &path);

/// A float32 array [rows, columns] as an .npy file, format 1.0, C order.
std::string npyBytes(std::span<const float> values, std::size_t rows, std::size_t columns);

} // namespace lpu::rt
