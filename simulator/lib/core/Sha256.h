// SHA-256, for the digest over memory. The state travels between processes as bytes, which is why this is libcrypto's
// plain context and not an EVP one.
#pragma once

#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/sha.h>

#include <array>
#include <cstddef>
#include <cstdint>

namespace lpu::sim {

class Sha256 {
public:
  Sha256() { SHA256_Init(&state); }
  void update(const std::uint8_t *bytes, std::size_t count) { SHA256_Update(&state, bytes, count); }
  std::array<std::uint8_t, 32> finish() {
    std::array<std::uint8_t, 32> digest;
    SHA256_Final(digest.data(), &state);
    return digest;
  }

private:
  SHA256_CTX state;
};

} // namespace lpu::sim
