// Regular expressions are ICU's. Files are untrusted: a limit on the steps of a match and on its stack turns an
// expression that would search for ages into an error.
#include "Pattern.h"

#include <fmt/format.h>
#include <unicode/regex.h>

#include <memory>

namespace lpu::text {
namespace {

constexpr std::int32_t kMatchSteps = 2000;    ///< of about a millisecond's work each
constexpr std::int32_t kMatchStack = 1 << 28; ///< bytes; a run of spaces takes some tens for each

struct Regex {
  std::string expression;
  std::unique_ptr<icu::RegexPattern> compiled;

  Status find(TextView text, std::vector<Span> &out) const {
    UErrorCode code = U_ZERO_ERROR;
    const icu::UnicodeString input = aliasOf(text);
    std::unique_ptr<icu::RegexMatcher> matcher(compiled->matcher(input, code));
    if (U_SUCCESS(code))
      matcher->setTimeLimit(kMatchSteps, code);
    if (U_SUCCESS(code))
      matcher->setStackLimit(kMatchStack, code);
    while (U_SUCCESS(code) && matcher->find(code))
      out.push_back({static_cast<std::size_t>(matcher->start(code)), static_cast<std::size_t>(matcher->end(code))});
    if (U_FAILURE(code))
      return Error{"tokenizer", fmt::format("the pattern '{}' gives up on this text ({}); use less of it at a time",
                                            expression, u_errorName(code))};
    return Ok{};
  }
};

} // namespace

Result<Pattern> regexPattern(std::string_view expression) {
  UErrorCode code = U_ZERO_ERROR;
  UParseError where;
  const Text source = toText(expression);
  auto regex = std::make_shared<Regex>();
  regex->expression = expression;
  regex->compiled.reset(icu::RegexPattern::compile(aliasOf(source), where, code));
  if (U_FAILURE(code))
    return Error{"", fmt::format("'{}' is no regular expression ({})", expression, u_errorName(code))};
  return Pattern([regex](TextView text, std::vector<Span> &out) { return regex->find(text, out); });
}

Pattern literalPattern(Text literal) {
  return [literal = std::move(literal)](TextView text, std::vector<Span> &out) -> Status {
    for (std::size_t at = 0; (at = text.find(literal, at)) != TextView::npos; at += literal.size())
      out.push_back({at, at + literal.size()});
    return Ok{};
  };
}

Pattern characterPattern(bool (*isMember)(UChar32)) {
  return [isMember](TextView text, std::vector<Span> &out) -> Status {
    for (std::size_t at = 0; at < text.size();) {
      std::size_t begin = at;
      if (isMember(nextCharacter(text, at)))
        out.push_back({begin, at});
    }
    return Ok{};
  };
}

} // namespace lpu::text
