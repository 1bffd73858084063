// What a step looks for in text.
#pragma once

#include "Text.h"
#include "lpu/isa/Result.h"

#include <functional>
#include <vector>

namespace lpu::text {

/// Units [begin, end) of a text.
struct Span {
  std::size_t begin, end;
};

/// Appends the matches, in order and apart; a match may be empty. Error: a regular expression that takes too long.
using Pattern = std::function<Status(TextView, std::vector<Span> &)>;

/// ICU's syntax, which has all that tokenizers use. Error: not a regular expression.
Result<Pattern> regexPattern(std::string_view expression);
/// Every occurrence of a text that is not empty.
Pattern literalPattern(Text literal);
/// Every single character of a class.
Pattern characterPattern(bool (*isMember)(UChar32));

} // namespace lpu::text
