// A whole file mapped read-only.
#pragma once

#include "lpu/isa/Result.h"

#include <cstdint>
#include <memory>
#include <span>
#include <string>

namespace lpu::compiler {

class MappedFile {
public:
  /// Error (place: the path) when the file cannot be opened, is not a regular file, or is empty.
  static Result<std::shared_ptr<const MappedFile>> open(const std::string &path);
  MappedFile(const MappedFile &) = delete;
  MappedFile &operator=(const MappedFile &) = delete;
  ~MappedFile();

  std::span<const std::uint8_t> bytes() const { return contents; }

private:
  explicit MappedFile(std::span<const std::uint8_t> mapped) : contents(mapped) {}
  std::span<const std::uint8_t> contents;
};

} // namespace lpu::compiler
