// Reading and atomic writing of whole files: the only writer of outputs that the tools have.
#ifndef LPU_ISA_FILES_H
#define LPU_ISA_FILES_H

#include "lpu/isa/Result.h"

#include <cstddef>
#include <cstdio>
#include <string>
#include <string_view>

namespace lpu {

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

  /// Appends bytes. What goes wrong is kept for commit().
  void write(const void *bytes, std::size_t count);
  void write(std::string_view text) { write(text.data(), text.size()); }
  /// The file to write for those who open it themselves instead.
  const std::string &temporary() const { return written; }
  /// Lets the file appear under its name. Error: something could not be written; nothing has appeared then.
  Status commit();

private:
  void close();

  std::string named, target, written;
  bool pending;
  std::FILE *file = nullptr;
  int why = 0; ///< errno of what went wrong first
};

/// Writes a temporary file beside `path` and renames it, so `path` holds either
/// its old content or all of the new (see PendingFile).
Status writeFileAtomically(const std::string &path, std::string_view content);

/// Error if `path` could not be written: its folder is missing or not writable,
/// or it is a folder itself. Asked before a long run.
Status checkWritable(const std::string &path);

} // namespace lpu

#endif // LPU_ISA_FILES_H
