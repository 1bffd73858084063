// A folder for files that nobody is to see afterwards.
#ifndef LPU_ISA_TEMPORARYFOLDER_H
#define LPU_ISA_TEMPORARYFOLDER_H

#include "lpu/isa/Result.h"

#include <string>

namespace lpu {

/// Disappears with what is in it.
class TemporaryFolder {
public:
  /// "PREFIX-XXXXXX" in TMPDIR, or /tmp. Error: it cannot be created.
  static Result<TemporaryFolder> create(const std::string &prefix);
  TemporaryFolder(TemporaryFolder &&other) noexcept : folder(std::move(other.folder)) { other.folder.clear(); }
  TemporaryFolder &operator=(TemporaryFolder &&) = delete;
  ~TemporaryFolder();

  const std::string &path() const { return folder; }
  std::string operator/(const std::string &name) const { return folder + "/" + name; }

private:
  explicit TemporaryFolder(std::string path) : folder(std::move(path)) {}
  std::string folder;
};

} // namespace lpu

#endif // LPU_ISA_TEMPORARYFOLDER_H
