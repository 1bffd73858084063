// A file without a disk, for readers that take a path.
#ifndef LPU_TESTS_INMEMORYFILE_H
#define LPU_TESTS_INMEMORYFILE_H

#include <cstdint>
#include <cstdlib>
#include <string>
#include <sys/mman.h>
#include <unistd.h>

namespace lpu::test {

class InMemoryFile {
public:
  InMemoryFile(const std::uint8_t *data, std::size_t size) : descriptor(::memfd_create("fuzz", 0)) {
    for (std::size_t done = 0; done < size;) {
      ssize_t n = ::write(descriptor, data + done, size - done);
      if (n <= 0)
        std::abort();
      done += static_cast<std::size_t>(n);
    }
  }
  ~InMemoryFile() { ::close(descriptor); }
  InMemoryFile(const InMemoryFile &) = delete;
  InMemoryFile &operator=(const InMemoryFile &) = delete;

  std::string path() const { return "/proc/self/fd/" + std::to_string(descriptor); }

private:
  int descriptor;
};

} // namespace lpu::test

#endif // LPU_TESTS_INMEMORYFILE_H
