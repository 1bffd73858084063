// The trie is a double array as the library Darts-clone lays it out. A unit is
//   bit 31     set in a leaf, whose other bits are its value
//   bit 9      the offset is in steps of 256
//   bits 10-30 offset: the children of unit n stand around n XOR offset, each at its byte
//   bit 8      one of the children, at byte 0, is a leaf
//   bits 0-7   the byte that leads here
// Files are untrusted: a place outside of the array ends the search.
#include "Charsmap.h"

#include <cstring>

namespace lpu::text {
namespace {

constexpr std::uint32_t kLeaf = 1U << 31;

std::uint32_t offsetOf(std::uint32_t unit) { return (unit >> 10) << ((unit & (1U << 9)) >> 6); }
std::uint32_t labelOf(std::uint32_t unit) { return unit & (kLeaf | 0xFF); }
bool hasLeaf(std::uint32_t unit) { return (unit & (1U << 8)) != 0; }

} // namespace

Result<Charsmap> Charsmap::read(std::string_view bytes) {
  Charsmap out;
  std::uint32_t size = 0;
  if (bytes.size() < sizeof(size))
    return Error{"", "is shorter than four bytes"};
  std::memcpy(&size, bytes.data(), sizeof(size));
  bytes.remove_prefix(sizeof(size));
  if (size == 0 || size % sizeof(std::uint32_t) != 0 || size > bytes.size())
    return Error{"", "has a trie of " + std::to_string(size) + " bytes within " + std::to_string(bytes.size())};
  out.units.resize(size / sizeof(std::uint32_t));
  std::memcpy(out.units.data(), bytes.data(), size);
  out.texts = bytes.substr(size);
  return out;
}

std::optional<Charsmap::Match> Charsmap::find(std::string_view piece, bool first) const {
  std::optional<Match> found;
  std::size_t node = offsetOf(units[0]);
  for (std::size_t i = 0; i < piece.size(); ++i) {
    const auto byte = static_cast<unsigned char>(piece[i]);
    node ^= byte;
    if (byte == 0 || node >= units.size() || labelOf(units[node]) != byte)
      break;
    const std::uint32_t unit = units[node];
    node ^= offsetOf(unit);
    if (!hasLeaf(unit))
      continue;
    const std::size_t at = node < units.size() ? units[node] & ~kLeaf : texts.size();
    if (at >= texts.size())
      break;
    found = Match{i + 1, std::string_view(texts).substr(at, texts.find('\0', at) - at)};
    if (first)
      break;
  }
  return found;
}

} // namespace lpu::text
