// Keys are compared by their digests: equal lengths, and nothing to learn from how long it takes.
#include "Sha256.h"

#include <fmt/format.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <vector>

namespace lpu::serve {
namespace {

std::string hex(const std::uint8_t *bytes, std::size_t count) {
  std::string out;
  for (std::size_t i = 0; i < count; ++i)
    out += fmt::format("{:02x}", bytes[i]);
  return out;
}

using Context = std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)>;

Context begin() {
  Context context(EVP_MD_CTX_new(), EVP_MD_CTX_free);
  EVP_DigestInit_ex(context.get(), EVP_sha256(), nullptr);
  return context;
}

Sha256 finish(const Context &context) {
  Sha256 digest{};
  EVP_DigestFinal_ex(context.get(), digest.data(), nullptr);
  return digest;
}

} // namespace

Sha256 sha256(std::string_view bytes) {
  const Context context = begin();
  EVP_DigestUpdate(context.get(), bytes.data(), bytes.size());
  return finish(context);
}

Result<std::string> sha256OfFile(const std::string &path) {
  const std::unique_ptr<std::FILE, decltype(&std::fclose)> file(std::fopen(path.c_str(), "rb"), std::fclose);
  if (!file)
    return Error{path, std::string("cannot be read: ") + std::strerror(errno)};
  const Context context = begin();
  std::vector<char> block(1 << 20);
  while (const std::size_t count = std::fread(block.data(), 1, block.size(), file.get()))
    EVP_DigestUpdate(context.get(), block.data(), count);
  if (std::ferror(file.get()))
    return Error{path, std::string("cannot be read: ") + std::strerror(errno)};
  const Sha256 digest = finish(context);
  return hex(digest.data(), digest.size());
}

bool sameDigest(const Sha256 &a, const Sha256 &b) { return CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0; }

std::string randomHex(std::size_t bytes) {
  std::vector<std::uint8_t> drawn(bytes);
  RAND_bytes(drawn.data(), static_cast<int>(bytes));
  return hex(drawn.data(), bytes);
}

} // namespace lpu::serve
