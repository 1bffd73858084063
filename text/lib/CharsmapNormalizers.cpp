// Two ways with one map: Hugging Face's looks at clusters of characters, SentencePiece's at the longest beginning.
#include "CharsmapNormalizers.h"

#include "Charsmap.h"

#include "lpu/isa/Base64.h"
#include "lpu/text/Utf8.h"

#include <fmt/format.h>
#include <unicode/brkiter.h>
#include <unicode/locid.h>

#include <memory>

namespace lpu::text {
namespace {

constexpr std::string_view kMark = "\xE2\x96\x81";

/// Null: no map, as for the rule "identity", or an error of the fields.
std::shared_ptr<const Charsmap> mapOf(Fields &fields) {
  auto bytes = fromBase64(fields.text("precompiled_charsmap", ""));
  if (!bytes)
    fields.fail("has a 'precompiled_charsmap' that is no base64");
  if (!bytes || bytes->empty())
    return nullptr;
  auto map = Charsmap::read(*bytes);
  if (map)
    return std::make_shared<const Charsmap>(std::move(*map));
  fields.fail("has a 'precompiled_charsmap' that " + map.error().message);
  return nullptr;
}

/// A cluster of less than six bytes of UTF-8 is looked up as a whole, and the shortest beginning that is found stands
/// for all of it; else each character is. (In SentencePiece itself the longest counts, wherever it ends.)
void appendMapped(const Charsmap &map, TextView cluster, Text &out) {
  constexpr std::size_t kWhole = 6;
  const std::string bytes = toBytes(cluster);
  if (const auto whole = bytes.size() < kWhole ? map.shortest(bytes) : std::nullopt) {
    out += toText(whole->text);
    return;
  }
  for (std::size_t at = 0; at < cluster.size();) {
    const std::size_t begin = at;
    nextCharacter(cluster, at);
    const TextView character = cluster.substr(begin, at - begin);
    const auto mapped = map.shortest(toBytes(character));
    out += mapped ? toText(mapped->text) : Text(character);
  }
}

struct Rules {
  std::shared_ptr<const Charsmap> map;
  bool prefix, merges, escapes, suffix;

  std::string_view space() const { return escapes ? kMark : " "; }

  /// What the beginning of `rest`, which moves behind it, becomes.
  std::string_view next(std::string_view &rest) const {
    const auto mapped = map ? map->longest(rest) : std::nullopt;
    const std::size_t length = mapped ? mapped->length : nextUtf8(rest).length;
    const std::string_view out = mapped ? mapped->text : rest.substr(0, length);
    rest.remove_prefix(length);
    return out;
  }

  std::string apply(std::string_view rest) const {
    for (std::string_view ahead = rest; merges && !ahead.empty() && next(ahead) == " ";)
      rest = ahead;
    std::string out;
    if (rest.empty())
      return out;
    if (prefix && !suffix)
      out += space();
    for (bool afterSpace = merges; !rest.empty();) {
      std::string_view piece = next(rest);
      while (afterSpace && piece.starts_with(' '))
        piece.remove_prefix(1);
      for (char c : piece)
        out += c == ' ' ? space() : std::string_view(&c, 1);
      afterSpace = merges && (piece.empty() ? afterSpace : piece.ends_with(' '));
    }
    while (merges && out.ends_with(space()))
      out.resize(out.size() - space().size());
    if (prefix && suffix)
      out += space();
    return out;
  }
};

} // namespace

Normalizer precompiled(Fields &fields) {
  return [map = mapOf(fields)](Text &text) -> Status {
    if (!map)
      return Ok{};
    UErrorCode code = U_ZERO_ERROR;
    std::unique_ptr<icu::BreakIterator> clusters(
        icu::BreakIterator::createCharacterInstance(icu::Locale::getRoot(), code));
    if (U_FAILURE(code))
      return Error{"tokenizer",
                   fmt::format("ICU finds no clusters of characters ({}); install its data", u_errorName(code))};
    const icu::UnicodeString given = aliasOf(text); // to which the iterator points
    clusters->setText(given);
    Text out;
    out.reserve(text.size());
    for (std::int32_t begin = clusters->first(), end; (end = clusters->next()) != icu::BreakIterator::DONE; begin = end)
      appendMapped(*map, TextView(text).substr(static_cast<std::size_t>(begin), static_cast<std::size_t>(end - begin)),
                   out);
    text = std::move(out);
    return Ok{};
  };
}

Normalizer sentencePieceRules(Fields &fields) {
  Rules rules{mapOf(fields), fields.flag("add_dummy_prefix", true), fields.flag("remove_extra_whitespaces", true),
              fields.flag("escape_whitespaces", true), fields.flag("treat_whitespace_as_suffix", false)};
  return [rules = std::move(rules)](Text &text) -> Status { return text = toText(rules.apply(toBytes(text))), Ok{}; };
}

} // namespace lpu::text
