// Rows go into a digest of their own as they come, since they may be more than memory holds; the ids, which are known
// at the end, go around it.
#include "lpu/rt/RequestDigest.h"

#include "lpu/isa/Sha256.h"

#include <bit>
#include <cstdint>

namespace lpu::rt {
namespace {

static_assert(std::endian::native == std::endian::little, "digests are of little-endian numbers");

template <typename T> void add(Sha256 &digest, std::span<const T> numbers) {
  digest.update(numbers.data(), numbers.size_bytes());
}

} // namespace

struct RequestDigest::State {
  Sha256 rows;
};

RequestDigest::RequestDigest() : state(std::make_unique<State>()) {}
RequestDigest::~RequestDigest() = default;
RequestDigest::RequestDigest(RequestDigest &&) noexcept = default;
RequestDigest &RequestDigest::operator=(RequestDigest &&) noexcept = default;

void RequestDigest::addRows(std::span<const float> rows) { add(state->rows, rows); }

std::string RequestDigest::hex(std::span<const TokenId> prompt, std::span<const TokenId> generated) const {
  const auto promptLength = static_cast<std::int32_t>(prompt.size());
  const Digest rows = Sha256(state->rows).finish();
  Sha256 whole;
  add(whole, std::span(&promptLength, 1));
  add(whole, prompt);
  add(whole, generated);
  add(whole, std::span<const std::uint8_t>(rows));
  return lpu::hex(whole.finish());
}

} // namespace lpu::rt
