// The rows of a chip's memory. Tables of equal chips can share their pages: each
// keeps copies of those alone that it has written to (copy on write).
#pragma once

#include "lpu/isa/Program.h"

#include <cstddef>
#include <cstdint>

namespace lpu::sim {

struct MemRow {
  const std::uint8_t *bytes = nullptr; ///< null: zeros
  isa::Cycle readyAt = INT64_MIN;      ///< absolute cycle from which the latest write can be read
  std::uint32_t written = 0;           ///< per superlane word
  isa::Region::Kind kind = isa::Region::Kind::Scratch;
  bool owned = false; ///< bytes are this memory's own storage
};

class RowTable {
public:
  /// `count` rows at an address that stays the same; they exist after clear() or share().
  explicit RowTable(std::size_t count);
  ~RowTable();
  RowTable(const RowTable &) = delete;
  RowTable &operator=(const RowTable &) = delete;

  /// Rows that hold nothing.
  void clear();
  /// The rows of `other`, as they are now, for as long as neither writes to them. False: the host cannot share memory.
  bool share(RowTable &other);

  MemRow &operator[](std::size_t index) { return rows[index]; }
  const MemRow &operator[](std::size_t index) const { return rows[index]; }
  const MemRow *begin() const { return rows; }
  const MemRow *end() const { return rows + count; }

private:
  bool freeze();
  bool map(int from);

  const std::size_t count, bytes;
  MemRow *rows = nullptr;
  int file = -1; ///< in memory: the rows as they were when first shared
};

} // namespace lpu::sim
