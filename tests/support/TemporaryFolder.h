// A folder of a test's own, removed with everything in it.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

namespace lpu::test {

class TemporaryFolder {
public:
  TemporaryFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "lpu-test-XXXXXX").string();
    if (!mkdtemp(name.data()))
      ADD_FAILURE() << "no temporary folder";
    folder = name;
  }
  ~TemporaryFolder() {
    std::error_code ec;
    std::filesystem::remove_all(folder, ec);
  }
  TemporaryFolder(const TemporaryFolder &) = delete;
  TemporaryFolder &operator=(const TemporaryFolder &) = delete;

  std::string path() const { return folder.string(); }
  std::string operator/(const std::string &name) const { return (folder / name).string(); }
  /// Names of what is inside, sorted.
  std::vector<std::string> files() const {
    std::vector<std::string> out;
    for (const auto &entry : std::filesystem::directory_iterator(folder))
      out.push_back(entry.path().filename().string());
    std::sort(out.begin(), out.end());
    return out;
  }

private:
  std::filesystem::path folder;
};

} // namespace lpu::test
