// Growth of the block pool: 64 blocks at a time, threaded onto the free list.
#include "VectorValue.h"

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

} // namespace lpu::sim
