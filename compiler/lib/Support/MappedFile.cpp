// Read-only mapping of a file. Weight files are larger than what a compile should
// hold in memory, so pages come and go as the kernel likes.

#include "lpu/compiler/Support/MappedFile.h"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <string_view>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

namespace lpu::compiler {

Result<std::shared_ptr<const MappedFile>> MappedFile::open(const std::string &path) {
  int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0)
    return Error{path,
                 std::string("cannot be opened: ") + std::strerror(errno) + "; check the path and its permissions"};
  struct stat status {};
  if (::fstat(descriptor, &status) != 0 || !S_ISREG(status.st_mode)) {
    ::close(descriptor);
    return Error{path, "is not a regular file; give the path of a model file"};
  }
  if (status.st_size == 0) {
    ::close(descriptor);
    return Error{path, "is empty (0 bytes); fetch or export the file again"};
  }
  auto size = static_cast<std::size_t>(status.st_size);
  void *address = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, descriptor, 0);
  int cause = errno;
  ::close(descriptor);
  if (address == MAP_FAILED)
    return Error{path, std::string("cannot be mapped into memory: ") + std::strerror(cause)};
  std::shared_ptr<const MappedFile> file(new MappedFile({static_cast<const std::uint8_t *>(address), size}));
  constexpr std::string_view kPointer = "version https://git-lfs.github.com/spec/";
  if (std::string_view(reinterpret_cast<const char *>(address), size).starts_with(kPointer))
    return Error{path, "is a Git LFS pointer, not the file it stands for; fetch that with \"git lfs pull\" in the "
                       "clone, or download it again"};
  return file;
}

MappedFile::~MappedFile() { ::munmap(const_cast<std::uint8_t *>(contents.data()), contents.size()); }

} // namespace lpu::compiler
