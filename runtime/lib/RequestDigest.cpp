// Rows go into a digest of their own as they come, since they may be more than memory holds; the ids, which are known
// at the end, go around it.
#include "lpu/rt/RequestDigest.h"

#include "RunSupport.h"

#include <openssl/evp.h>

#include <bit>
#include <cstdint>

namespace lpu::rt {
namespace {

static_assert(std::endian::native == std::endian::little, "digests are of little-endian numbers");

class Sha256 {
public:
  Sha256() : context(EVP_MD_CTX_new()) { EVP_DigestInit_ex(context, EVP_sha256(), nullptr); }
  Sha256(const Sha256 &other) : context(EVP_MD_CTX_new()) { EVP_MD_CTX_copy_ex(context, other.context); }
  Sha256 &operator=(const Sha256 &) = delete;
  ~Sha256() { EVP_MD_CTX_free(context); }

  template <typename T> void add(std::span<const T> numbers) {
    EVP_DigestUpdate(context, numbers.data(), numbers.size_bytes());
  }
  /// Afterwards nothing can be added.
  std::vector<std::uint8_t> finish() {
    std::vector<std::uint8_t> digest(EVP_MAX_MD_SIZE);
    unsigned length = 0;
    EVP_DigestFinal_ex(context, digest.data(), &length);
    digest.resize(length);
    return digest;
  }

private:
  EVP_MD_CTX *context;
};

} // namespace

struct RequestDigest::State {
  Sha256 rows;
};

RequestDigest::RequestDigest() : state(std::make_unique<State>()) {}
RequestDigest::~RequestDigest() = default;
RequestDigest::RequestDigest(RequestDigest &&) noexcept = default;
RequestDigest &RequestDigest::operator=(RequestDigest &&) noexcept = default;

void RequestDigest::addRows(std::span<const float> rows) { state->rows.add(rows); }

std::string RequestDigest::hex(std::span<const TokenId> prompt, std::span<const TokenId> generated) const {
  const auto promptLength = static_cast<std::int32_t>(prompt.size());
  const std::vector<std::uint8_t> rows = Sha256(state->rows).finish();
  Sha256 whole;
  whole.add(std::span(&promptLength, 1));
  whole.add(prompt);
  whole.add(generated);
  whole.add(std::span(rows));
  return rt::hex(whole.finish());
}

} // namespace lpu::rt
