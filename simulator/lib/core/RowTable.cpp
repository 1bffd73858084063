// Rows live in an address range of their own, so that a private mapping of a
// file in memory can take its place.
#include "RowTable.h"

#include <memory>
#include <new>
#include <sys/mman.h>
#include <unistd.h>

namespace lpu::sim {

RowTable::RowTable(std::size_t count) : count(count), bytes(count * sizeof(MemRow)) {
  void *range = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (range == MAP_FAILED)
    throw std::bad_alloc();
  rows = static_cast<MemRow *>(range);
}

RowTable::~RowTable() {
  ::munmap(rows, bytes);
  if (file >= 0)
    ::close(file);
}

void RowTable::clear() { std::uninitialized_value_construct_n(rows, count); }

bool RowTable::map(int from) {
  return ::mmap(rows, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED | MAP_NORESERVE, from, 0) != MAP_FAILED;
}

/// Puts the rows into a file in memory and maps that in their place.
bool RowTable::freeze() {
  const int made = ::memfd_create("rows", MFD_CLOEXEC);
  if (made < 0)
    return false;
  const auto *from = reinterpret_cast<const char *>(rows);
  for (std::size_t done = 0; done < bytes;) {
    const ssize_t n = ::write(made, from + done, bytes - done);
    if (n <= 0) {
      ::close(made);
      return false;
    }
    done += static_cast<std::size_t>(n);
  }
  file = made;
  return map(file);
}

bool RowTable::share(RowTable &other) { return (other.file >= 0 || other.freeze()) && map(other.file); }

} // namespace lpu::sim
