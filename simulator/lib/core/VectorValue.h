// One row of lanes: what streams carry, registers hold and units pass on.
// Values are immutable once shared, so passing one costs a reference count and
// never a copy. Rows of the mapped image are passed as views without an owner.
// A byte of 32-bit lanes is passed as a plane of them and becomes a row only if
// somebody wants it as bytes: mostly the whole group goes on to be 32 bits again.
// In timing mode values carry no payload: data() is null, presence still counts.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

namespace lpu::sim {

/// Recycles equally sized blocks; not thread-safe (a chip lives in one thread).
class VectorPool {
public:
  struct Block {
    VectorPool *pool;
    Block *next;
    std::uint32_t references;
  };
  static constexpr std::size_t kHeader = 64; ///< data starts on its own cache line

  /// `rows`: where bytes of this pool's 32-bit lanes become rows.
  explicit VectorPool(std::size_t bytes, VectorPool *rows = nullptr)
      : rows(rows), bytes(bytes), stride(kHeader + (bytes + 63) / 64 * 64) {}
  VectorPool(const VectorPool &) = delete;
  VectorPool &operator=(const VectorPool &) = delete;

  Block *take() {
    if (!freeList)
      grow();
    Block *block = freeList;
    freeList = block->next;
    block->references = 1;
    return block;
  }
  void give(Block *block) {
    block->next = freeList;
    freeList = block;
  }
  std::size_t size() const { return bytes; }
  VectorPool *const rows;

private:
  void grow();

  struct AlignedDelete {
    void operator()(std::uint8_t *p) const;
  };
  std::size_t bytes, stride;
  Block *freeList = nullptr;
  std::vector<std::unique_ptr<std::uint8_t, AlignedDelete>> chunks;
};

class VectorValue {
public:
  VectorValue() = default;
  VectorValue(const VectorValue &other) : bytes(other.bytes), block(other.block), plane(other.plane) {
    if (block)
      ++block->references;
  }
  VectorValue(VectorValue &&other) noexcept
      : bytes(std::exchange(other.bytes, nullptr)), block(std::exchange(other.block, nullptr)),
        plane(std::exchange(other.plane, kWhole)) {}
  VectorValue &operator=(VectorValue other) noexcept {
    std::swap(bytes, other.bytes);
    std::swap(block, other.block);
    std::swap(plane, other.plane);
    return *this;
  }
  ~VectorValue() {
    if (block && --block->references == 0)
      block->pool->give(block);
  }

  /// A value whose bytes live elsewhere and outlive it (image rows).
  static VectorValue view(const std::uint8_t *bytes) {
    VectorValue v;
    v.bytes = bytes;
    return v;
  }
  /// Fresh storage; the creator fills writable() before sharing it.
  static VectorValue allocate(VectorPool &pool) {
    VectorValue v;
    v.block = pool.take();
    v.bytes = reinterpret_cast<const std::uint8_t *>(v.block) + VectorPool::kHeader;
    return v;
  }

  /// Byte `index` of every lane of `words`, which must own its lanes and never change again.
  static VectorValue planeOf(const VectorValue &words, int index) {
    VectorValue v = words;
    v.plane = static_cast<std::int8_t>(index);
    return v;
  }

  /// The row's bytes; turns a plane into a row first.
  const std::uint8_t *data() const {
    if (plane != kWhole)
      becomeRow();
    return bytes;
  }
  /// Copies the row's bytes to `to`.
  void copyTo(std::uint8_t *to, std::size_t count) const;
  /// Are four `parts` bytes 0 to 3 of the same 32-bit lanes?
  static bool areWords(const VectorValue *parts) {
    for (int b = 0; b < 4; ++b)
      if (parts[b].plane != b || parts[b].block != parts[0].block)
        return false;
    return true;
  }
  /// The lanes a plane is of.
  VectorValue wholeWords() const {
    VectorValue v = *this;
    v.plane = kWhole;
    return v;
  }
  std::uint8_t *writable() { return const_cast<std::uint8_t *>(bytes); }
  /// The payload as 32-bit lanes (values from a pool of lanes × 4 bytes).
  const std::uint32_t *words() const { return reinterpret_cast<const std::uint32_t *>(bytes); }
  std::uint32_t *writableWords() { return reinterpret_cast<std::uint32_t *>(writable()); }
  bool hasPayload() const { return bytes != nullptr; }

private:
  static constexpr std::int8_t kWhole = -1;
  void becomeRow() const;

  // A plane that becomes a row is the same value.
  mutable const std::uint8_t *bytes = nullptr;
  mutable VectorPool::Block *block = nullptr;
  mutable std::int8_t plane = kWhole;
};

} // namespace lpu::sim
