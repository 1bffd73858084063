// A file that a run writes as it goes: what cannot be written is kept until it is closed.
#pragma once

#include "lpu/isa/Result.h"

#include <cstdio>
#include <memory>
#include <string>
#include <string_view>

namespace lpu::sim {

class FileSink {
public:
  /// Error: the file cannot be opened.
  static Result<std::unique_ptr<FileSink>> open(const std::string &path);
  ~FileSink();
  FileSink(const FileSink &) = delete;
  FileSink &operator=(const FileSink &) = delete;

  void write(std::string_view bytes);
  /// What has been written is on disk from here on.
  void flush();
  /// Writes `tail` and flushes; what is written next replaces it. Where positions do not exist, as in pipes, it stays.
  void writeTail(std::string_view tail);
  /// Nothing may be written any more. Error: the first thing that could not be.
  Status close();

private:
  FileSink(std::string path, std::FILE *file) : path(std::move(path)), file(file) {}
  void note(bool good);

  const std::string path;
  std::FILE *file;
  int why = 0; ///< errno of what went wrong first
};

} // namespace lpu::sim
