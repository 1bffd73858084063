// Character classes, asked of ICU. White_Space is a property, letters and numbers
// are general categories: patterns of tokenizers spell them \s, \p{L} and \p{N}.

#include "lpu/text/Unicode.h"

#include <unicode/uchar.h>

#include <cstdint>

namespace lpu::text {
namespace {

bool inCategories(char32_t c, std::uint32_t mask) { return (U_GET_GC_MASK(static_cast<UChar32>(c)) & mask) != 0; }

} // namespace

bool isLetter(char32_t c) { return inCategories(c, U_GC_L_MASK); }
bool isNumber(char32_t c) { return inCategories(c, U_GC_N_MASK); }
bool isSpace(char32_t c) { return u_hasBinaryProperty(static_cast<UChar32>(c), UCHAR_WHITE_SPACE); }

} // namespace lpu::text
