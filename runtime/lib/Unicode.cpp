// Character classes by binary search in generated range tables. The tables hold
// whole general categories, so there is no approximation beyond the Unicode
// version they were made from (it stands in UnicodeClasses.inc).
#include "lpu/rt/Unicode.h"

#include <algorithm>
#include <span>

namespace lpu::rt {
namespace {

struct Range {
  char32_t first, last;
};

constexpr Range kLetters[] = {
#define LETTER(FIRST, LAST) {FIRST, LAST},
#define NUMBER(FIRST, LAST)
#include "UnicodeClasses.inc"
#undef LETTER
#undef NUMBER
};

constexpr Range kNumbers[] = {
#define LETTER(FIRST, LAST)
#define NUMBER(FIRST, LAST) {FIRST, LAST},
#include "UnicodeClasses.inc"
#undef LETTER
#undef NUMBER
};

bool contains(std::span<const Range> ranges, char32_t c) {
  auto after =
      std::upper_bound(ranges.begin(), ranges.end(), c, [](char32_t v, const Range &r) { return v < r.first; });
  return after != ranges.begin() && c <= std::prev(after)->last;
}

} // namespace

bool isLetter(char32_t c) { return contains(kLetters, c); }
bool isNumber(char32_t c) { return contains(kNumbers, c); }

bool isSpace(char32_t c) {
  return (c >= 9 && c <= 13) || c == ' ' || c == 0x85 || c == 0xA0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200A) ||
         c == 0x2028 || c == 0x2029 || c == 0x202F || c == 0x205F || c == 0x3000;
}

} // namespace lpu::rt
