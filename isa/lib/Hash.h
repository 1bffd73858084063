// The 64-bit hash of the program container, of machine descriptions and of the
// instruction set. Not cryptographic: it finds damage, not malice.
#pragma once

#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>

namespace lpu::isa {

/// FNV-1a over little-endian 8-byte words (the last one padded with zeros),
/// with a shift that brings high bits down, starting from the length. Each step
/// is a bijection of the state, so a change within one word is always seen.
inline std::uint64_t hash64(std::span<const std::uint8_t> bytes) {
  constexpr std::uint64_t kPrime = 0x100000001B3u;
  std::uint64_t h = 0xCBF29CE484222325u ^ bytes.size();
  const auto mix = [&h](std::uint64_t word) {
    h = (h ^ word) * kPrime;
    h ^= h >> 32;
  };
  std::size_t i = 0;
  for (; i + 8 <= bytes.size(); i += 8) {
    std::uint64_t word;
    std::memcpy(&word, bytes.data() + i, 8);
    mix(word);
  }
  std::uint64_t tail = 0;
  for (std::size_t k = i; k < bytes.size(); ++k)
    tail |= std::uint64_t{bytes[k]} << (8 * (k - i));
  if (i < bytes.size())
    mix(tail);
  return h;
}

inline std::uint64_t hash64(std::string_view text) {
  return hash64(std::span(reinterpret_cast<const std::uint8_t *>(text.data()), text.size()));
}

} // namespace lpu::isa
