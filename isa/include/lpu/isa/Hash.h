// The 64-bit hash of the program container, of machine descriptions and of the
// instruction set: XXH3 of xxHash. Not cryptographic: it finds damage, not malice.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace lpu::isa {

inline std::uint64_t hash64(std::span<const std::uint8_t> bytes) { return XXH3_64bits(bytes.data(), bytes.size()); }

inline std::uint64_t hash64(std::string_view text) { return XXH3_64bits(text.data(), text.size()); }

} // namespace lpu::isa
