#include "lpu/isa/Sha256.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace lpu {

Digest Sha256::finish() {
  Digest digest;
  SHA256_Final(digest.data(), &state);
  return digest;
}

Digest sha256(std::string_view bytes) {
  Sha256 whole;
  whole.update(bytes.data(), bytes.size());
  return whole.finish();
}

std::string hex(std::span<const std::uint8_t> bytes) { return fmt::format("{:02x}", fmt::join(bytes, "")); }

} // namespace lpu
