#include "FileSink.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>

namespace lpu::sim {

static Error cannotWrite(const std::string &path, int why) {
  return {path, fmt::format("cannot write: {}; check the folder, its permissions and free space", std::strerror(why))};
}

Result<std::unique_ptr<FileSink>> FileSink::open(const std::string &path) {
  std::FILE *file = std::fopen(path.c_str(), "wb");
  if (!file)
    return cannotWrite(path, errno);
  return std::unique_ptr<FileSink>(new FileSink(path, file));
}

FileSink::~FileSink() {
  if (file)
    std::fclose(file);
}

void FileSink::note(bool good) {
  if (!good && !why)
    why = errno ? errno : EIO;
}

void FileSink::write(std::string_view bytes) {
  errno = 0;
  note(std::fwrite(bytes.data(), 1, bytes.size(), file) == bytes.size());
}

void FileSink::flush() {
  errno = 0;
  note(std::fflush(file) == 0);
}

void FileSink::writeTail(std::string_view tail) {
  const long at = std::ftell(file);
  write(tail);
  flush();
  std::fseek(file, at, SEEK_SET);
}

Status FileSink::close() {
  errno = 0;
  note(std::fclose(file) == 0);
  file = nullptr;
  return why ? Status(cannotWrite(path, why)) : Status(Ok{});
}

} // namespace lpu::sim
