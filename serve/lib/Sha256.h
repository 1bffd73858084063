// SHA-256 by libcrypto.
#pragma once

#include "lpu/isa/Result.h"

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace lpu::serve {

using Sha256 = std::array<std::uint8_t, 32>;

Sha256 sha256(std::string_view bytes);
/// Hex digits. Error: the file cannot be read.
Result<std::string> sha256OfFile(const std::string &path);
/// Whether both are equal, in a time that does not depend on where they differ.
bool sameDigest(const Sha256 &a, const Sha256 &b);
/// `bytes` bytes of the system's random numbers, as hex digits.
std::string randomHex(std::size_t bytes);

} // namespace lpu::serve
