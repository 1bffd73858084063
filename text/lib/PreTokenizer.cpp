// The pre-tokenizers' regular expressions, written out as a scanner. The
// alternatives of each are tried in order at every position:
//   Gpt2    's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
//   Llama3  (?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}|
//   ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+
// (published with GPT-2 and Llama 3). Where maxDigits limits Gpt2, runs of digits
// are cut out first and the pattern applies to what lies between them. Limit: the
// caseless match of Llama3 folds ASCII letters only (U+017F, long s, stays apart).
#include "lpu/text/PreTokenizer.h"

#include "lpu/text/Unicode.h"
#include "lpu/text/Utf8.h"

#include <algorithm>
#include <array>
#include <cstdint>

namespace lpu::text {
namespace {

enum class Class : std::uint8_t { Letter, Number, Space, Other };

struct Character {
  char32_t code; ///< 0xFFFFFFFF for bytes that are no UTF-8
  std::size_t offset;
  Class kind;
};

Class classOf(char32_t c) {
  return isLetter(c) ? Class::Letter : isNumber(c) ? Class::Number : isSpace(c) ? Class::Space : Class::Other;
}

std::vector<Character> readCharacters(std::string_view text) {
  std::vector<Character> out;
  for (std::size_t at = 0; at < text.size();) {
    Utf8Unit unit = nextUtf8(text.substr(at));
    bool good = unit.kind == Utf8Unit::Kind::Character;
    out.push_back({good ? unit.codePoint : 0xFFFFFFFFu, at, good ? classOf(unit.codePoint) : Class::Other});
    at += unit.length;
  }
  return out;
}

bool isNewline(char32_t c) { return c == '\r' || c == '\n'; }

/// Finds one word after another in [0, end) of `chars`.
class Scanner {
public:
  Scanner(const PrePattern &pattern, const std::vector<Character> &chars) : pattern(pattern), chars(chars) {}

  /// Length in characters of the word that starts at `at`; characters from `end` on do not exist.
  std::size_t word(std::size_t at, std::size_t end) {
    limit = end;
    if (std::size_t n = contraction(at))
      return n;
    return pattern.style == PrePattern::Style::Gpt2 ? gpt2(at) : llama3(at);
  }

private:
  bool is(std::size_t at, Class kind) const { return at < limit && chars[at].kind == kind; }
  bool newlineAt(std::size_t at) const { return at < limit && isNewline(chars[at].code); }
  std::size_t run(std::size_t at, Class kind) const {
    std::size_t end = at;
    while (is(end, kind))
      ++end;
    return end - at;
  }

  char32_t letterAt(std::size_t at) const {
    if (at >= limit)
      return 0;
    char32_t c = chars[at].code;
    return pattern.style == PrePattern::Style::Llama3 && c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c;
  }

  std::size_t contraction(std::size_t at) const {
    if (chars[at].code != '\'')
      return 0;
    char32_t a = letterAt(at + 1), b = letterAt(at + 2);
    if (a == 's' || a == 't' || a == 'm' || a == 'd')
      return 2;
    return (a == 'r' && b == 'e') || (a == 'v' && b == 'e') || (a == 'l' && b == 'l') ? 3 : 0;
  }

  /// ` ?[class]+`
  std::size_t spacedRun(std::size_t at, Class kind) const {
    std::size_t lead = chars[at].code == ' ' ? 1 : 0;
    std::size_t n = run(at + lead, kind);
    return n ? lead + n : 0;
  }

  /// `\s+(?!\S)|\s+`: all but the last space before a word, which goes with the word.
  std::size_t spaces(std::size_t at) const {
    std::size_t n = run(at, Class::Space);
    return n > 1 && at + n < limit ? n - 1 : n;
  }

  std::size_t gpt2(std::size_t at) const {
    for (Class kind : {Class::Letter, Class::Number, Class::Other})
      if (std::size_t n = spacedRun(at, kind))
        return n;
    return spaces(at);
  }

  std::size_t llama3(std::size_t at) const {
    bool leads = !newlineAt(at) && !is(at, Class::Letter) && !is(at, Class::Number);
    if (std::size_t n = run(at + leads, Class::Letter))
      return leads + n;
    if (std::size_t n = run(at, Class::Number))
      return std::min<std::size_t>(n, pattern.maxDigits);
    if (std::size_t n = spacedRun(at, Class::Other)) {
      while (newlineAt(at + n))
        ++n;
      return n;
    }
    std::size_t n = run(at, Class::Space);
    for (std::size_t end = at + n; end > at; --end) // `\s*[\r\n]+` backtracks to the last newline
      if (newlineAt(end - 1))
        return end - at;
    return spaces(at);
  }

  const PrePattern &pattern;
  const std::vector<Character> &chars;
  std::size_t limit = 0;
};

} // namespace

std::optional<PrePattern> prePattern(std::string_view name) {
  struct Named {
    std::string_view name;
    PrePattern pattern;
  };
  using enum PrePattern::Style;
  static constexpr std::array<Named, 11> kPatterns{{{"", {Gpt2, 0, false}},
                                                    {"default", {Gpt2, 0, false}},
                                                    {"gpt-2", {Gpt2, 0, false}},
                                                    {"gpt2", {Gpt2, 0, false}},
                                                    {"smollm", {Gpt2, 1, false}},
                                                    {"refact", {Gpt2, 1, false}},
                                                    {"starcoder", {Gpt2, 1, false}},
                                                    {"llama-bpe", {Llama3, 3, true}},
                                                    {"llama3", {Llama3, 3, true}},
                                                    {"llama-v3", {Llama3, 3, true}},
                                                    {"qwen2", {Llama3, 1, false}}}};
  auto found = std::ranges::find(kPatterns, name, &Named::name);
  return found == kPatterns.end() ? std::nullopt : std::optional(found->pattern);
}

std::vector<std::string_view> splitWords(const PrePattern &pattern, std::string_view text) {
  std::vector<Character> chars = readCharacters(text);
  auto offset = [&](std::size_t at) { return at < chars.size() ? chars[at].offset : text.size(); };
  bool cutDigits = pattern.style == PrePattern::Style::Gpt2 && pattern.maxDigits > 0;
  Scanner scanner(pattern, chars);
  std::vector<std::string_view> words;
  std::size_t segmentEnd = 0;
  for (std::size_t at = 0; at < chars.size();) {
    std::size_t length = 1;
    if (!cutDigits) {
      length = scanner.word(at, chars.size());
    } else if (chars[at].kind != Class::Number) {
      for (segmentEnd = std::max(segmentEnd, at); segmentEnd < chars.size() && chars[segmentEnd].kind != Class::Number;)
        ++segmentEnd;
      length = scanner.word(at, segmentEnd);
    }
    words.push_back(text.substr(offset(at), offset(at + length) - offset(at)));
    at += length;
  }
  return words;
}

} // namespace lpu::text
