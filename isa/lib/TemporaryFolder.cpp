#include "lpu/isa/TemporaryFolder.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>

namespace lpu {
namespace fs = std::filesystem;

Result<TemporaryFolder> TemporaryFolder::create(const std::string &prefix) {
  std::error_code failed;
  const fs::path parent = fs::temp_directory_path(failed);
  std::string name = ((failed ? fs::path("/tmp") : parent) / (prefix + "-XXXXXX")).string();
  if (!mkdtemp(name.data()))
    return Error{name, fmt::format("cannot create a temporary folder: {}; set TMPDIR to a writable folder",
                                   std::strerror(errno))};
  return TemporaryFolder(name);
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code failed;
  if (!folder.empty())
    fs::remove_all(folder, failed);
}

} // namespace lpu
