// SHA-256 by libcrypto: of memory, requests, programs, points of studies, keys.
#ifndef LPU_ISA_SHA256_H
#define LPU_ISA_SHA256_H

#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/sha.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace lpu {

using Digest = std::array<std::uint8_t, SHA256_DIGEST_LENGTH>;

/// Of bytes that come piece by piece. A copy goes on by itself, and the state travels between processes as bytes: that
/// is why this is libcrypto's plain context and not an EVP one.
class Sha256 {
public:
  Sha256() { SHA256_Init(&state); }
  void update(const void *bytes, std::size_t count) { SHA256_Update(&state, bytes, count); }
  /// Afterwards nothing can be added.
  Digest finish();

private:
  SHA256_CTX state;
};

Digest sha256(std::string_view bytes);
/// Two digits a byte, lower case.
std::string hex(std::span<const std::uint8_t> bytes);

} // namespace lpu

#endif // LPU_ISA_SHA256_H
