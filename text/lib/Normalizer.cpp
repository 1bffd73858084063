// Normalizers as Hugging Face's library defines them. Unicode's forms are ICU's.
#include "Normalizer.h"

#include "ByteAlphabet.h"
#include "CharsmapNormalizers.h"

#include <unicode/locid.h>
#include <unicode/normalizer2.h>
#include <unicode/uchar.h>

namespace lpu::text {
namespace {

constexpr std::size_t kLargestText = std::size_t{1} << 30; ///< ICU counts in 32 bits

Error tooLong() { return {"tokenizer", "the text becomes too long to normalize; use less of it at a time"}; }

using Form = const icu::Normalizer2 *(*)(UErrorCode &);

Normalizer unicodeForm(Form instance) {
  return [instance](Text &text) -> Status {
    UErrorCode code = U_ZERO_ERROR;
    const icu::UnicodeString changed = instance(code)->normalize(aliasOf(text), code);
    if (U_FAILURE(code))
      return tooLong();
    text.assign(changed.getBuffer(), static_cast<std::size_t>(changed.length()));
    return Ok{};
  };
}

/// `change` gets each character and appends what it becomes.
template <typename Change> void rewrite(Text &text, Change change) {
  Text out;
  out.reserve(text.size());
  for (std::size_t at = 0; at < text.size();)
    change(nextCharacter(text, at), out);
  text = std::move(out);
}

template <typename Predicate> void keepIf(Text &text, Predicate keeps) {
  rewrite(text, [&](UChar32 c, Text &out) {
    if (keeps(c))
      appendCharacter(out, c);
  });
}

/// Character by character, so that no rule looks at a word's end (Σ is always σ).
void lower(Text &text) {
  rewrite(text, [](UChar32 c, Text &out) {
    icu::UnicodeString lowered(c);
    lowered.toLower(icu::Locale::getRoot());
    out.append(lowered.getBuffer(), static_cast<std::size_t>(lowered.length()));
  });
}

void stripSpaces(Text &text, bool left, bool right) {
  std::size_t begin = 0, end = text.size();
  for (std::size_t next = 0; left && next < text.size() && isSpace(nextCharacter(text, next));)
    begin = next;
  for (std::size_t next = end; right && next > begin && isSpace(previousCharacter(text, next));)
    end = next;
  text = text.substr(begin, end - begin);
}

bool isChinese(UChar32 c) {
  return (c >= 0x4E00 && c <= 0x9FFF) || (c >= 0x3400 && c <= 0x4DBF) || (c >= 0x20000 && c <= 0x2A6DF) ||
         (c >= 0x2A700 && c <= 0x2B73F) || (c >= 0x2B740 && c <= 0x2B81F) || (c >= 0x2B920 && c <= 0x2CEAF) ||
         (c >= 0xF900 && c <= 0xFAFF) || (c >= 0x2F800 && c <= 0x2FA1F);
}

/// Controls go, but for the white ones, and every space is the plain one.
void cleanBert(UChar32 c, Text &out) {
  constexpr std::uint32_t kOther = U_GC_CC_MASK | U_GC_CF_MASK | U_GC_CO_MASK | U_GC_CN_MASK;
  bool isWhite = c == '\t' || c == '\n' || c == '\r';
  if (c == 0 || c == 0xFFFD || (!isWhite && (U_GET_GC_MASK(c) & kOther) != 0))
    return;
  appendCharacter(out, isWhite || isSpace(c) ? UChar32{' '} : c);
}

void spaceChinese(UChar32 c, Text &out) {
  if (isChinese(c))
    out += u' ';
  appendCharacter(out, c);
  if (isChinese(c))
    out += u' ';
}

Normalizer bert(Fields &fields) {
  bool cleans = fields.flag("clean_text", true), chinese = fields.flag("handle_chinese_chars", true),
       lowers = fields.flag("lowercase", true), strips = fields.flag("strip_accents", lowers);
  return [=, decompose = unicodeForm(icu::Normalizer2::getNFDInstance)](Text &text) -> Status {
    if (cleans)
      rewrite(text, cleanBert);
    if (chinese)
      rewrite(text, spaceChinese);
    if (strips) {
      if (Status done = decompose(text); !done)
        return done;
      keepIf(text, [](UChar32 c) { return u_charType(c) != U_NON_SPACING_MARK; });
    }
    if (lowers)
      lower(text);
    return Ok{};
  };
}

/// The rules that models for translation added: controls go, and what looks like a space becomes one.
void cleanNmt(UChar32 c, Text &out) {
  const bool isControl =
      (c >= 0x1 && c <= 0x8) || c == 0xB || (c >= 0xE && c <= 0x1F) || c == 0x7F || c == 0x8F || c == 0x9F;
  const bool isBlank = c == 0x9 || c == 0xA || c == 0xC || c == 0xD || c == 0x1680 || (c >= 0x200B && c <= 0x200F) ||
                       c == 0x2028 || c == 0x2029 || c == 0x2581 || c == 0xFEFF || c == 0xFFFD;
  if (!isControl)
    appendCharacter(out, isBlank ? UChar32{' '} : c);
}

constexpr StepKind<Normalizer> kKinds[] = {
    {"NFC", [](Fields &) { return unicodeForm(icu::Normalizer2::getNFCInstance); }},
    {"NFD", [](Fields &) { return unicodeForm(icu::Normalizer2::getNFDInstance); }},
    {"NFKC", [](Fields &) { return unicodeForm(icu::Normalizer2::getNFKCInstance); }},
    {"NFKD", [](Fields &) { return unicodeForm(icu::Normalizer2::getNFKDInstance); }},
    {"Lowercase", [](Fields &) { return Normalizer([](Text &text) -> Status { return lower(text), Ok{}; }); }},
    {"StripAccents",
     [](Fields &) {
       return Normalizer([](Text &text) -> Status {
         keepIf(text, [](UChar32 c) { return (U_GET_GC_MASK(c) & U_GC_M_MASK) == 0; });
         return Ok{};
       });
     }},
    {"Strip",
     [](Fields &fields) {
       bool left = fields.flag("strip_left", true), right = fields.flag("strip_right", true);
       return Normalizer([=](Text &text) -> Status { return stripSpaces(text, left, right), Ok{}; });
     }},
    {"Replace", [](Fields &fields) { return replace(fields.pattern("pattern"), toText(fields.text("content"))); }},
    {"Prepend", [](Fields &fields) { return prepend(toText(fields.text("prepend"))); }},
    {"BertNormalizer", bert},
    {"Precompiled", precompiled},
    {"SentencePiece", sentencePieceRules},
    {"Nmt", [](Fields &) { return Normalizer([](Text &text) -> Status { return rewrite(text, cleanNmt), Ok{}; }); }},
    {"ByteLevel",
     [](Fields &) { return Normalizer([](Text &text) -> Status { return text = printable(text), Ok{}; }); }},
};

} // namespace

Normalizer prepend(Text before) {
  return [before = std::move(before)](Text &text) -> Status {
    if (!text.empty())
      text.insert(0, before);
    return Ok{};
  };
}

Normalizer replace(Pattern pattern, Text content) {
  return [pattern = std::move(pattern), content = std::move(content)](Text &text) -> Status {
    std::vector<Span> found;
    if (Status searched = pattern(text, found); !searched)
      return searched;
    Text out;
    std::size_t done = 0;
    for (const Span &span : found) {
      out.append(text, done, span.begin - done).append(content);
      done = span.end;
      if (out.size() > kLargestText)
        return tooLong();
    }
    text = out.append(text, done);
    return Ok{};
  };
}

Status readNormalizers(const Json &at, std::vector<Normalizer> &out) {
  return readSteps<Normalizer>(at, {"normalizer", "normalizers"}, kKinds, out);
}

Status applyAll(const std::vector<Normalizer> &steps, Text &text) {
  for (const Normalizer &step : steps)
    if (Status applied = step(text); !applied)
      return applied;
  return Ok{};
}

} // namespace lpu::text
