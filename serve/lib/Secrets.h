// What libcrypto does for the service beside digests.
#pragma once

#include "lpu/isa/Result.h"
#include "lpu/isa/Sha256.h"

#include <string>

namespace lpu::serve {

/// SHA-256 in hex digits. Error: the file cannot be read.
Result<std::string> sha256OfFile(const std::string &path);
/// Whether both are equal, in a time that does not depend on where they differ.
bool sameDigest(const Digest &a, const Digest &b);
/// `bytes` bytes of the system's random numbers, as hex digits.
std::string randomHex(std::size_t bytes);

} // namespace lpu::serve
