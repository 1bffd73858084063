// Output files appear whole or not at all: readers in scripts never see half a
// report. Symbolic links are followed, so a link stays a link.
#include "lpu/isa/Files.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <unistd.h>

namespace lpu {
namespace fs = std::filesystem;
namespace {

Error systemError(const std::string &path, const char *doing, const char *remedy, int why = errno) {
  return {path, fmt::format("cannot {}: {}; {}", doing, std::strerror(why), remedy)};
}
constexpr const char *kToRead = "check the path and its permissions",
                     *kToWrite = "check the folder, its permissions and free space";

/// Where a write of `path` really goes: the end of its links.
std::string resolve(const std::string &path) {
  std::error_code ec;
  fs::path real = fs::canonical(path, ec);
  return ec ? path : real.string();
}

/// Devices and pipes have no content to protect, and renaming would replace them.
bool writtenInPlace(const std::string &target) {
  std::error_code ec;
  return fs::exists(target, ec) && !fs::is_regular_file(target, ec) && !fs::is_directory(target, ec);
}

} // namespace

Result<std::string> readFile(const std::string &path) {
  std::error_code ec;
  if (fs::is_directory(path, ec))
    return Error{path, "cannot read: it is a directory; name a file"};
  std::FILE *file = std::fopen(path.c_str(), "rb");
  if (!file)
    return systemError(path, "read", kToRead);
  std::string out;
  char buffer[65536];
  while (std::size_t n = std::fread(buffer, 1, sizeof buffer, file))
    out.append(buffer, n);
  bool bad = std::ferror(file);
  std::fclose(file);
  if (bad)
    return systemError(path, "read", kToRead);
  return out;
}

PendingFile::PendingFile(const std::string &path) : named(path), target(resolve(path)) {
  pending = !writtenInPlace(target);
  written = pending ? fmt::format("{}.tmp.{}", target, ::getpid()) : target;
}

PendingFile::~PendingFile() {
  close();
  if (pending)
    std::remove(written.c_str());
}

void PendingFile::close() {
  if (!file)
    return;
  errno = 0;
  if (std::fclose(file) != 0 && !why)
    why = errno ? errno : EIO;
  file = nullptr;
}

void PendingFile::write(const void *bytes, std::size_t count) {
  errno = 0;
  if (!file && !why)
    file = std::fopen(written.c_str(), "wb");
  bool good = file && (count == 0 || std::fwrite(bytes, 1, count, file) == count);
  if (!good && !why)
    why = errno ? errno : EIO;
}

Status PendingFile::commit() {
  close();
  if (why)
    return systemError(named, "write", kToWrite, why);
  if (pending && std::rename(written.c_str(), target.c_str()) != 0)
    return systemError(named, "write", kToWrite);
  pending = false;
  return Ok{};
}

Status writeFileAtomically(const std::string &path, std::string_view content) {
  PendingFile file(path);
  file.write(content);
  return file.commit();
}

Status checkWritable(const std::string &path) {
  std::error_code ec;
  std::string target = resolve(path);
  if (fs::is_directory(target, ec))
    return Error{path, "cannot write: it is a directory; name a file"};
  bool inPlace = writtenInPlace(target);
  fs::path folder = fs::path(target).parent_path();
  std::string asked = inPlace ? target : folder.empty() ? "." : folder.string();
  if (!inPlace && !fs::is_directory(asked, ec))
    return Error{path, fmt::format("cannot write: '{}' is no directory; create it first", asked)};
  if (::access(asked.c_str(), W_OK) != 0)
    return systemError(path, "write", kToWrite);
  return Ok{};
}

} // namespace lpu
