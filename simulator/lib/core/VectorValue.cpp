// Growth of the block pool: 64 blocks at a time, threaded onto the free list.
// And bytes on their way to rows.
#include "VectorValue.h"

#include "Lanes.h"

#include <cstring>
#include <new>

namespace lpu::sim {

namespace {
constexpr std::size_t kBlocksPerChunk = 64;
constexpr std::align_val_t kAlignment{64};
} // namespace

void VectorPool::AlignedDelete::operator()(std::uint8_t *p) const { ::operator delete(p, kAlignment); }

void VectorPool::grow() {
  auto *chunk = static_cast<std::uint8_t *>(::operator new(stride *kBlocksPerChunk, kAlignment));
  chunks.emplace_back(chunk);
  for (std::size_t i = 0; i < kBlocksPerChunk; ++i)
    give(new (chunk + i * stride) Block{this, nullptr, 0});
}

void VectorValue::copyTo(std::uint8_t *to, std::size_t count) const {
  if (plane == kWhole)
    std::memcpy(to, bytes, count);
  else
    bytePlane(words(), to, plane, static_cast<int>(count));
}

void VectorValue::becomeRow() const {
  VectorPool &pool = *block->pool->rows;
  VectorValue row = allocate(pool);
  bytePlane(words(), row.writable(), plane, static_cast<int>(pool.size()));
  std::swap(bytes, row.bytes);
  std::swap(block, row.block);
  plane = kWhole;
}

} // namespace lpu::sim
