// The three character classes that byte-level BPE pre-tokenizers are written in.
#pragma once

namespace lpu::text {

bool isLetter(char32_t c); ///< \p{L}
bool isNumber(char32_t c); ///< \p{N}
bool isSpace(char32_t c);  ///< \s: the White_Space property

} // namespace lpu::text
