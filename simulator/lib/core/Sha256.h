// SHA-256 (FIPS 180-4), for the digest over memory.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace lpu::sim {

class Sha256 {
public:
  void update(const std::uint8_t *bytes, std::size_t count);
  std::array<std::uint8_t, 32> finish();

private:
  std::array<std::uint32_t, 8> state{0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                     0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
  std::array<std::uint8_t, 64> buffer{};
  std::size_t buffered = 0;
  std::uint64_t total = 0;
};

} // namespace lpu::sim
