// One row of lanes: what streams carry, registers hold and units pass on.
// Values are immutable once shared, so passing one costs a reference count and
// never a copy. Rows of the mapped image are passed as views without an owner.
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

  explicit VectorPool(std::size_t bytes) : bytes(bytes), stride(kHeader + (bytes + 63) / 64 * 64) {}
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
  VectorValue(const VectorValue &other) : bytes(other.bytes), block(other.block) {
    if (block)
      ++block->references;
  }
  VectorValue(VectorValue &&other) noexcept
      : bytes(std::exchange(other.bytes, nullptr)), block(std::exchange(other.block, nullptr)) {}
  VectorValue &operator=(VectorValue other) noexcept {
    std::swap(bytes, other.bytes);
    std::swap(block, other.block);
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

  const std::uint8_t *data() const { return bytes; }
  std::uint8_t *writable() { return const_cast<std::uint8_t *>(bytes); }
  /// The payload as 32-bit lanes (values from a pool of lanes × 4 bytes).
  const std::uint32_t *words() const { return reinterpret_cast<const std::uint32_t *>(bytes); }
  std::uint32_t *writableWords() { return reinterpret_cast<std::uint32_t *>(writable()); }
  bool hasPayload() const { return bytes != nullptr; }

private:
  const std::uint8_t *bytes = nullptr;
  VectorPool::Block *block = nullptr;
};

} // namespace lpu::sim
