// Text inside the pipeline: UTF-16, as ICU's functions take it. A byte that is no UTF-8 becomes the lone surrogate
// U+DC00 + byte, which is no letter, number or space and which no normalization changes, so any bytes come back.
#pragma once

#include <unicode/unistr.h>
#include <unicode/utf16.h>

#include <string>
#include <string_view>

namespace lpu::text {

using Text = std::u16string;
using TextView = std::u16string_view;

Text toText(std::string_view bytes);
std::string toBytes(TextView text);

/// The characters of `text` in ICU's class, without a copy.
inline icu::UnicodeString aliasOf(TextView text) {
  return {false, text.data(), static_cast<std::int32_t>(text.size())};
}

/// The code point at `at`, which moves behind it.
inline UChar32 nextCharacter(TextView text, std::size_t &at) {
  UChar32 c;
  U16_NEXT(text.data(), at, text.size(), c);
  return c;
}
/// The code point that ends at `at`, which moves before it.
inline UChar32 previousCharacter(TextView text, std::size_t &at) {
  UChar32 c;
  U16_PREV(text.data(), 0, at, c);
  return c;
}
void appendCharacter(Text &to, UChar32 c);

// Classes of characters, as the implementations that made the vocabularies have them.
bool isSpace(UChar32 c);       ///< property White_Space
bool isNumber(UChar32 c);      ///< category N
bool isWordPart(UChar32 c);    ///< \w: alphabetic, marks, decimal digits, connectors
bool isPunctuation(UChar32 c); ///< category P, and ASCII's symbols

} // namespace lpu::text
