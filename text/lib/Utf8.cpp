// UTF-8 after table 3-7 of the Unicode standard: overlong forms, surrogates and
// code points above U+10FFFF are invalid, and each maximal subpart of a broken
// character becomes one U+FFFD (as Python's errors="replace" does), so that text
// reported here can be compared with other tools' byte by byte.
#include "lpu/text/Utf8.h"

namespace lpu::text {
namespace {

struct Lead {
  std::size_t length; ///< of the whole character; 0: not a lead byte
  unsigned low, high; ///< range of the second byte
};

Lead classify(unsigned char b) {
  if (b < 0x80)
    return {1, 0, 0};
  if (b < 0xC2 || b > 0xF4)
    return {0, 0, 0};
  if (b < 0xE0)
    return {2, 0x80, 0xBF};
  if (b < 0xF0)
    return {3, b == 0xE0 ? 0xA0u : 0x80u, b == 0xED ? 0x9Fu : 0xBFu};
  return {4, b == 0xF0 ? 0x90u : 0x80u, b == 0xF4 ? 0x8Fu : 0xBFu};
}

} // namespace

Utf8Unit nextUtf8(std::string_view bytes) {
  using Kind = Utf8Unit::Kind;
  unsigned char first = bytes[0];
  Lead lead = classify(first);
  if (lead.length == 0)
    return {Kind::Invalid, 1, 0};
  if (lead.length == 1)
    return {Kind::Character, 1, first};
  char32_t code = first & (0x7Fu >> lead.length);
  for (std::size_t i = 1; i < lead.length; ++i) {
    if (i == bytes.size())
      return {Kind::Incomplete, i, 0};
    unsigned char b = bytes[i];
    unsigned low = i == 1 ? lead.low : 0x80, high = i == 1 ? lead.high : 0xBF;
    if (b < low || b > high)
      return {Kind::Invalid, i, 0};
    code = (code << 6) | (b & 0x3Fu);
  }
  return {Kind::Character, lead.length, code};
}

void appendUtf8(std::string &out, char32_t c) {
  if (c < 0x80) {
    out += static_cast<char>(c);
    return;
  }
  int more = c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
  out += static_cast<char>((0xF00u >> (more + 1) & 0xFFu) | (c >> (6 * more)));
  for (int shift = 6 * (more - 1); shift >= 0; shift -= 6)
    out += static_cast<char>(0x80u | (c >> shift & 0x3Fu));
}

std::string Utf8Stream::push(std::string_view bytes) {
  held += bytes;
  std::string out;
  std::string_view rest = held;
  while (!rest.empty()) {
    Utf8Unit unit = nextUtf8(rest);
    if (unit.kind == Utf8Unit::Kind::Incomplete)
      break;
    out += unit.kind == Utf8Unit::Kind::Character ? rest.substr(0, unit.length) : kReplacement;
    rest.remove_prefix(unit.length);
  }
  held.erase(0, held.size() - rest.size());
  return out;
}

std::string Utf8Stream::finish() {
  std::string out = held.empty() ? "" : std::string(kReplacement);
  held.clear();
  return out;
}

} // namespace lpu::text
