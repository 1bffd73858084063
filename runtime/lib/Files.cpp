// Output files appear whole or not at all: readers in scripts never see half a
// report. Symbolic links are followed, so a link stays a link.
#include "lpu/rt/Files.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <bit>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <unistd.h>

namespace lpu::rt {
namespace fs = std::filesystem;
namespace {

Error systemError(const std::string &path, const char *doing) {
  return {path, fmt::format("cannot {}: {}; check the path and its permissions", doing, std::strerror(errno))};
}

Status writeAll(const std::string &target, const std::string &named, std::string_view content) {
  std::FILE *file = std::fopen(target.c_str(), "wb");
  if (!file)
    return systemError(named, "write");
  bool good = std::fwrite(content.data(), 1, content.size(), file) == content.size();
  good = std::fflush(file) == 0 && good;
  int why = errno;
  good = std::fclose(file) == 0 && good;
  if (good)
    return Ok{};
  errno = why ? why : EIO;
  return systemError(named, "write");
}

/// Where a write of `path` really goes: the end of its links.
std::string resolve(const std::string &path) {
  std::error_code ec;
  fs::path real = fs::canonical(path, ec);
  return ec ? path : real.string();
}

/// Devices and pipes have no content to protect, and renaming would replace them.
bool writtenInPlace(const std::string &target) {
  std::error_code ec;
  return fs::exists(target, ec) && !fs::is_regular_file(target, ec);
}

} // namespace

Result<std::string> readFile(const std::string &path) {
  std::error_code ec;
  if (fs::is_directory(path, ec))
    return Error{path, "cannot read: it is a directory; name a file"};
  std::FILE *file = std::fopen(path.c_str(), "rb");
  if (!file)
    return systemError(path, "read");
  std::string out;
  char buffer[65536];
  while (std::size_t n = std::fread(buffer, 1, sizeof buffer, file))
    out.append(buffer, n);
  bool bad = std::ferror(file);
  std::fclose(file);
  if (bad)
    return systemError(path, "read");
  return out;
}

PendingFile::PendingFile(const std::string &path) : named(path), target(resolve(path)) {
  pending = !writtenInPlace(target);
  written = pending ? fmt::format("{}.tmp.{}", target, ::getpid()) : target;
}

PendingFile::~PendingFile() {
  if (pending)
    std::remove(written.c_str());
}

Status PendingFile::commit() {
  if (pending && std::rename(written.c_str(), target.c_str()) != 0)
    return systemError(named, "write");
  pending = false;
  return Ok{};
}

Status writeFileAtomically(const std::string &path, std::string_view content) {
  PendingFile file(path);
  if (Status status = writeAll(file.temporary(), path, content); !status)
    return status;
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
    return systemError(path, "write");
  return Ok{};
}

std::string npyBytes(std::span<const float> values, std::size_t rows, std::size_t columns) {
  std::size_t shape[] = {rows, columns};
  return npyBytes(values, shape);
}

std::string npyBytes(std::span<const float> values, std::span<const std::size_t> shape) {
  static_assert(std::endian::native == std::endian::little, "float bytes are copied as they are");
  std::string header =
      fmt::format("{{'descr': '<f4', 'fortran_order': False, 'shape': ({}), }}", fmt::join(shape, ", "));
  constexpr std::size_t kPreamble = 10; // magic 6, version 2, header length 2
  header.append(63 - (kPreamble + header.size()) % 64, ' ');
  header += '\n';
  std::string out("\x93NUMPY\x01\x00", 8);
  out += static_cast<char>(header.size() & 0xFF);
  out += static_cast<char>(header.size() >> 8);
  out += header;
  out.append(reinterpret_cast<const char *>(values.data()), values.size_bytes());
  return out;
}

Result<std::vector<std::int64_t>> readNpyNumbers(const std::string &path) {
  auto content = readFile(path);
  if (!content)
    return content.error();
  const std::string &bytes = *content;
  constexpr std::size_t kPreamble = 10;
  const Error bad{path, "is no .npy file of token ids: int32 or int64, of shape [n] or [1, n]"};
  if (bytes.size() < kPreamble || bytes.compare(0, 7, "\x93NUMPY\x01") != 0)
    return bad;
  std::size_t begin = kPreamble + static_cast<unsigned char>(bytes[8]) + 256u * static_cast<unsigned char>(bytes[9]);
  if (begin > bytes.size())
    return bad;
  std::string header = bytes.substr(kPreamble, begin - kPreamble);
  std::size_t width = header.find("'<i4'") != std::string::npos   ? 4
                      : header.find("'<i8'") != std::string::npos ? 8
                                                                  : 0,
              shape = header.find("'shape': (");
  std::size_t first = 0, second = 1;
  int dimensions =
      shape == std::string::npos ? 0 : std::sscanf(header.c_str() + shape, "'shape': (%zu, %zu", &first, &second);
  bool flat = dimensions == 1 || (dimensions == 2 && first == 1);
  std::size_t count = dimensions == 2 ? second : first;
  if (!width || !flat || header.find("'fortran_order': False") == std::string::npos ||
      bytes.size() - begin != count * width)
    return bad;
  std::vector<std::int64_t> values(count);
  for (std::size_t i = 0; i < count; ++i) {
    std::int32_t narrow = 0;
    std::memcpy(width == 4 ? static_cast<void *>(&narrow) : &values[i], bytes.data() + begin + i * width, width);
    if (width == 4)
      values[i] = narrow;
  }
  return values;
}

} // namespace lpu::rt
