// Three bytes are four digits. libcrypto counts in int, so long texts go in parts.
#include "lpu/isa/Base64.h"

#include <openssl/evp.h>

#include <algorithm>

namespace lpu {
namespace {

constexpr std::size_t kPart = 3 << 16; ///< bytes
const unsigned char *bytesOf(std::string_view text) { return reinterpret_cast<const unsigned char *>(text.data()); }
unsigned char *bytesOf(std::string &text) { return reinterpret_cast<unsigned char *>(text.data()); }

} // namespace

std::string toBase64(std::string_view bytes) {
  std::string out, digits(kPart / 3 * 4 + 1, '\0'); // a zero stands behind the digits
  for (std::size_t at = 0; at < bytes.size(); at += kPart) {
    const std::string_view part = bytes.substr(at, kPart);
    const int count = EVP_EncodeBlock(bytesOf(digits), bytesOf(part), static_cast<int>(part.size()));
    out.append(digits, 0, static_cast<std::size_t>(count));
  }
  return out;
}

std::optional<std::string> fromBase64(std::string_view text) {
  const std::size_t padding = text.ends_with("==") ? 2 : text.ends_with('=') ? 1 : 0;
  auto isDigit = [](char c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '+' || c == '/';
  };
  if (text.size() % 4 != 0 || !std::ranges::all_of(text.substr(0, text.size() - padding), isDigit))
    return {};
  std::string out, bytes(kPart, '\0');
  for (std::size_t at = 0; at < text.size(); at += kPart / 3 * 4) {
    const std::string_view part = text.substr(at, kPart / 3 * 4);
    const int count = EVP_DecodeBlock(bytesOf(bytes), bytesOf(part), static_cast<int>(part.size()));
    if (count < 0)
      return {};
    out.append(bytes, 0, static_cast<std::size_t>(count));
  }
  out.resize(out.size() - padding);
  return out;
}

} // namespace lpu
