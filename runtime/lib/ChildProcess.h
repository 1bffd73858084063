// Runs another executable of the project to its end.
#pragma once

#include "lpu/isa/Result.h"

#include <string>
#include <vector>

namespace lpu::rt {

/// A folder that disappears with what is in it.
class ScratchFolder {
public:
  static Result<ScratchFolder> create();
  ScratchFolder(ScratchFolder &&other) noexcept : folder(std::move(other.folder)) { other.folder.clear(); }
  ScratchFolder &operator=(ScratchFolder &&) = delete;
  ~ScratchFolder();
  std::string operator/(const std::string &name) const { return folder + "/" + name; }

private:
  explicit ScratchFolder(std::string path) : folder(std::move(path)) {}
  std::string folder;
};

/// `command` is the path of an executable and its arguments; its stdout is dropped. A child that fails gives the last
/// line it wrote to stderr as the error, taken apart into place and message.
Status runChild(const std::vector<std::string> &command, const ScratchFolder &scratch);

} // namespace lpu::rt
