// Conversions and classes of characters.
#include "Text.h"

#include "lpu/text/Utf8.h"

#include <unicode/uchar.h>

namespace lpu::text {
namespace {

constexpr char16_t kEscape = 0xDC00; ///< plus the byte

bool isEscape(UChar32 c) { return c >= kEscape + 0x80 && c <= kEscape + 0xFF; }

} // namespace

void appendCharacter(Text &to, UChar32 c) {
  if (c > 0xFFFF)
    to += {U16_LEAD(c), U16_TRAIL(c)};
  else
    to += static_cast<char16_t>(c);
}

Text toText(std::string_view bytes) {
  Text out;
  out.reserve(bytes.size());
  while (!bytes.empty()) {
    Utf8Unit unit = nextUtf8(bytes);
    if (unit.kind == Utf8Unit::Kind::Character)
      appendCharacter(out, static_cast<UChar32>(unit.codePoint));
    else
      for (unsigned char byte : bytes.substr(0, unit.length))
        out += static_cast<char16_t>(kEscape + byte);
    bytes.remove_prefix(unit.length);
  }
  return out;
}

std::string toBytes(TextView text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t at = 0; at < text.size();) {
    UChar32 c = nextCharacter(text, at);
    if (isEscape(c))
      out += static_cast<char>(c - kEscape);
    else
      appendUtf8(out, static_cast<char32_t>(c));
  }
  return out;
}

bool isSpace(UChar32 c) { return u_hasBinaryProperty(c, UCHAR_WHITE_SPACE); }
bool isNumber(UChar32 c) { return (U_GET_GC_MASK(c) & U_GC_N_MASK) != 0; }
bool isWordPart(UChar32 c) {
  constexpr std::uint32_t kCategories = U_GC_M_MASK | U_GC_ND_MASK | U_GC_PC_MASK;
  return u_hasBinaryProperty(c, UCHAR_ALPHABETIC) || u_hasBinaryProperty(c, UCHAR_JOIN_CONTROL) ||
         (U_GET_GC_MASK(c) & kCategories) != 0;
}
bool isPunctuation(UChar32 c) {
  constexpr std::uint32_t kSymbols = U_GC_P_MASK | U_GC_S_MASK;
  return (U_GET_GC_MASK(c) & (c < 0x80 ? kSymbols : std::uint32_t{U_GC_P_MASK})) != 0;
}

} // namespace lpu::text
