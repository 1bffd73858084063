// Keys are compared by their digests: equal lengths, and nothing to learn from how long it takes.
#include "Secrets.h"

#include <openssl/crypto.h>
#include <openssl/rand.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <vector>

namespace lpu::serve {

Result<std::string> sha256OfFile(const std::string &path) {
  const std::unique_ptr<std::FILE, decltype(&std::fclose)> file(std::fopen(path.c_str(), "rb"), std::fclose);
  if (!file)
    return Error{path, std::string("cannot be read: ") + std::strerror(errno)};
  Sha256 digest;
  std::vector<char> block(1 << 20);
  while (const std::size_t count = std::fread(block.data(), 1, block.size(), file.get()))
    digest.update(block.data(), count);
  if (std::ferror(file.get()))
    return Error{path, std::string("cannot be read: ") + std::strerror(errno)};
  return hex(digest.finish());
}

bool sameDigest(const Digest &a, const Digest &b) { return CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0; }

std::string randomHex(std::size_t bytes) {
  std::vector<std::uint8_t> drawn(bytes);
  RAND_bytes(drawn.data(), static_cast<int>(bytes));
  return hex(drawn);
}

} // namespace lpu::serve
