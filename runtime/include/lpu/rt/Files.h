// Reading and atomic writing of files, and the NumPy array format.
#pragma once

#include "lpu/isa/Result.h"

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace lpu::rt {

/// The whole file. Error: cannot be read, or is a directory.
Result<std::string> readFile(const std::string &path);

/// A file that is written under a temporary name beside `path` and renamed when
/// it is complete; without commit() it disappears. Links are followed. What is no
/// regular file (a pipe, /dev/null) is written in place.
class PendingFile {
public:
  explicit PendingFile(const std::string &path);
  ~PendingFile();
  PendingFile(const PendingFile &) = delete;
  PendingFile &operator=(const PendingFile &) = delete;

  /// Where to write.
  const std::string &temporary() const { return written; }
  Status commit();

private:
  std::string named, target, written;
  bool pending;
};

/// Writes a temporary file beside `path` and renames it, so `path` holds either
/// its old content or all of the new (see PendingFile).
Status writeFileAtomically(const std::string &path, std::string_view content);

/// Error if `path` could not be written: its folder is missing or not writable,
/// or it is a folder itself. Asked before a long run.
Status checkWritable(const std::string &path);

/// A float32 array [rows, columns] as an .npy file, format 1.0, C order.
std::string npyBytes(std::span<const float> values, std::size_t rows, std::size_t columns);
/// The same of any shape.
std::string npyBytes(std::span<const float> values, std::span<const std::size_t> shape);
/// Whole numbers of an .npy file: int32 or int64, [n] or [1, n]. Error: anything else.
Result<std::vector<std::int64_t>> readNpyNumbers(const std::string &path);

} // namespace lpu::rt
