// Pre-tokenizers as Hugging Face's library defines them.
#include "PreTokenizer.h"

#include "ByteAlphabet.h"
#include "lpu/text/PreTokenizers.h"

#include <unicode/uscript.h>

#include <algorithm>
#include <array>
#include <utility>

namespace lpu::text {
namespace {

/// A stretch of a word: a match of the pattern, or what lies between two.
struct Stretch {
  Span span;
  bool isMatch;
};

std::vector<Stretch> stretchesOf(const std::vector<Span> &matches, std::size_t size, bool inverted) {
  std::vector<Stretch> out;
  std::size_t done = 0;
  for (const Span &match : matches) {
    if (match.begin > done)
      out.push_back({{done, match.begin}, inverted});
    out.push_back({match, !inverted});
    done = match.end;
  }
  if (done < size)
    out.push_back({{done, size}, inverted});
  return out;
}

/// Whether `next` goes into the word that ends with `last`. A second match in a row stays apart, unless all go
/// together.
bool joins(const Stretch &last, const Stretch &next, SplitBehavior behavior) {
  switch (behavior) {
  case SplitBehavior::MergedWithPrevious:
    return next.isMatch && !last.isMatch;
  case SplitBehavior::MergedWithNext:
    return last.isMatch && !next.isMatch;
  case SplitBehavior::Contiguous:
    return last.isMatch == next.isMatch;
  default:
    return false;
  }
}

void cutWord(const Word &word, const std::vector<Stretch> &stretches, SplitBehavior behavior, std::vector<Word> &out) {
  for (std::size_t i = 0; i < stretches.size(); ++i) {
    std::size_t begin = stretches[i].span.begin;
    while (i + 1 < stretches.size() && joins(stretches[i], stretches[i + 1], behavior))
      ++i;
    bool isKept = behavior != SplitBehavior::Removed || !stretches[i].isMatch;
    if (std::size_t end = stretches[i].span.end; isKept && end > begin)
      out.push_back({word.text.substr(begin, end - begin), word.isFirst && begin == 0});
  }
}

PreTokenizer forEach(void (*change)(Word &)) {
  return [change](std::vector<Word> &words) -> Status {
    std::ranges::for_each(words, change);
    return Ok{};
  };
}

PreTokenizer allOf(std::vector<PreTokenizer> steps) {
  return [steps = std::move(steps)](std::vector<Word> &words) -> Status {
    for (const PreTokenizer &step : steps)
      if (Status done = step(words); !done)
        return done;
    return Ok{};
  };
}

SplitBehavior behaviorOf(Fields &fields, std::optional<std::string> usual = {}) {
  using enum SplitBehavior;
  static constexpr std::array<std::pair<std::string_view, SplitBehavior>, 5> kNames{
      {{"Removed", Removed},
       {"Isolated", Isolated},
       {"MergedWithPrevious", MergedWithPrevious},
       {"MergedWithNext", MergedWithNext},
       {"Contiguous", Contiguous}}};
  std::string name = fields.text("behavior", std::move(usual));
  for (const auto &[known, behavior] : kNames)
    if (name == known)
      return behavior;
  fields.fail("has behavior '" + name +
              "', which is not known (Removed, Isolated, MergedWithPrevious, "
              "MergedWithNext, Contiguous are)");
  return Isolated;
}

PreTokenizer byteLevel(Fields &fields) {
  std::vector<PreTokenizer> steps;
  if (fields.flag("add_prefix_space", true))
    steps.push_back(forEach([](Word &word) {
      if (!word.text.starts_with(u' '))
        word.text.insert(0, 1, u' ');
    }));
  if (fields.flag("use_regex", true))
    for (std::string_view pattern : findPreTokenizer("gpt-2")->patterns)
      steps.push_back(split(*regexPattern(pattern), SplitBehavior::Isolated));
  steps.push_back(byteAlphabet());
  return allOf(std::move(steps));
}

/// Older files say add_prefix_space instead of a scheme.
PreTokenizer metaspace(Fields &fields) {
  std::string scheme = fields.text("prepend_scheme", fields.flag("add_prefix_space", true) ? "always" : "never");
  if (scheme != "first" && scheme != "always" && scheme != "never")
    fields.fail("has prepend_scheme '" + scheme + "', which is not known (first, always, never are)");
  Text mark = toText(fields.text("replacement", "\xE2\x96\x81"));
  if (mark.empty() || aliasOf(mark).countChar32() != 1)
    fields.fail("needs a character as 'replacement'");
  PreTokenizer marked = [=](std::vector<Word> &words) -> Status {
    for (Word &word : words) {
      for (std::size_t at = 0; (at = word.text.find(u' ', at)) != Text::npos; at += mark.size())
        word.text.replace(at, 1, mark);
      if ((scheme == "always" || (scheme == "first" && word.isFirst)) && !word.text.starts_with(mark))
        word.text.insert(0, mark);
    }
    return Ok{};
  };
  if (!fields.flag("split", true) || mark.empty())
    return marked;
  return allOf({marked, split(literalPattern(mark), SplitBehavior::MergedWithNext)});
}

/// Kana count as Han. USCRIPT_INVALID_CODE: goes with any script.
UScriptCode scriptOf(UChar32 c) {
  constexpr UChar32 kProlonged = 0x30FC;
  UErrorCode code = U_ZERO_ERROR;
  const UScriptCode script = c == kProlonged ? USCRIPT_HAN : uscript_getScript(c, &code);
  if (U_FAILURE(code) || c == ' ' || script == USCRIPT_UNKNOWN)
    return USCRIPT_INVALID_CODE;
  return script == USCRIPT_HIRAGANA || script == USCRIPT_KATAKANA ? USCRIPT_HAN : script;
}

/// A word begins where the script changes. What stands before the first character of a script belongs to no word: so
/// Hugging Face's library has it.
void cutByScript(const Word &word, std::vector<Word> &out) {
  std::vector<std::size_t> begins;
  UScriptCode last = USCRIPT_INVALID_CODE;
  for (std::size_t at = 0; at < word.text.size();) {
    const std::size_t begin = at;
    const UScriptCode script = scriptOf(nextCharacter(word.text, at));
    if (script == USCRIPT_INVALID_CODE || script == last)
      continue;
    begins.push_back(begin);
    last = script;
  }
  begins.push_back(word.text.size());
  for (std::size_t i = 0; i + 1 < begins.size(); ++i)
    out.push_back({word.text.substr(begins[i], begins[i + 1] - begins[i]), word.isFirst && begins[i] == 0});
}

PreTokenizer unicodeScripts(Fields &) {
  return [](std::vector<Word> &words) -> Status {
    std::vector<Word> out;
    for (const Word &word : words)
      cutByScript(word, out);
    words = std::move(out);
    return Ok{};
  };
}

constexpr StepKind<PreTokenizer> kKinds[] = {
    {"ByteLevel", byteLevel},
    {"Metaspace", metaspace},
    {"Split",
     [](Fields &fields) { return split(fields.pattern("pattern"), behaviorOf(fields), fields.flag("invert", false)); }},
    {"Digits",
     [](Fields &fields) {
       return split(characterPattern(isNumber),
                    fields.flag("individual_digits", false) ? SplitBehavior::Isolated : SplitBehavior::Contiguous);
     }},
    {"Punctuation",
     [](Fields &fields) { return split(characterPattern(isPunctuation), behaviorOf(fields, "Isolated")); }},
    {"Whitespace", [](Fields &) { return split(*regexPattern(R"(\w+|[^\w\s]+)"), SplitBehavior::Removed, true); }},
    {"WhitespaceSplit", [](Fields &) { return split(characterPattern(isSpace), SplitBehavior::Removed); }},
    {"BertPreTokenizer",
     [](Fields &) {
       return allOf({split(characterPattern(isSpace), SplitBehavior::Removed),
                     split(characterPattern(isPunctuation), SplitBehavior::Isolated)});
     }},
    {"UnicodeScripts", unicodeScripts},
    {"CharDelimiterSplit",
     [](Fields &fields) {
       Text delimiter = toText(fields.text("delimiter"));
       if (delimiter.empty())
         fields.fail("needs a character as 'delimiter'");
       return split(literalPattern(delimiter), SplitBehavior::Removed);
     }},
};

} // namespace

PreTokenizer split(Pattern pattern, SplitBehavior behavior, bool inverted) {
  return [=](std::vector<Word> &words) -> Status {
    std::vector<Word> out;
    std::vector<Span> matches;
    for (const Word &word : words) {
      matches.clear();
      if (Status searched = pattern(word.text, matches); !searched)
        return searched;
      cutWord(word, stretchesOf(matches, word.text.size(), inverted), behavior, out);
    }
    words = std::move(out);
    return Ok{};
  };
}

PreTokenizer byteAlphabet() {
  return forEach([](Word &word) { word.text = printable(word.text); });
}

Status readPreTokenizers(const Json &at, std::vector<PreTokenizer> &out) {
  return readSteps<PreTokenizer>(at, {"pre-tokenizer", "pretokenizers"}, kKinds, out);
}

} // namespace lpu::text
