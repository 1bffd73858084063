// Models that are not compiled yet.
#pragma once

#include "lpu/isa/Result.h"

#include <string>
#include <vector>

namespace lpu::serve {

/// A folder that disappears with what is in it.
class TemporaryFolder {
public:
  static Result<TemporaryFolder> create();
  TemporaryFolder(TemporaryFolder &&other) noexcept : path(std::move(other.path)) { other.path.clear(); }
  TemporaryFolder &operator=(TemporaryFolder &&) = delete;
  ~TemporaryFolder();
  std::string operator/(const std::string &name) const { return path + "/" + name; }

private:
  explicit TemporaryFolder(std::string path) : path(std::move(path)) {}
  std::string path;
};

/// Whether a file is a compiled program, by its name.
bool isProgram(const std::string &path);

/// Runs lpucc, which lies beside this executable, and lets it show its progress on stderr. Error: it failed, and has
/// said why.
Status compileModel(const std::string &model, const std::vector<std::string> &flags, const std::string &program);

} // namespace lpu::serve
