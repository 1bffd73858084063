// Reads a description: the members "normalizer", "pre_tokenizer", "post_processor" and "decoder" of a tokenizer.json,
// "model" without its vocabulary and merges, and "added_tokens" with id and flags. Texts, types, scores and merges
// stand in the tables. What a tokenizer.model says is written in the same way, with three words of this project's own:
// the model and the normalizer "SentencePiece", and the flag "verbatim" of added tokens that are found in normalized
// text but are not normalized themselves. Truncation and padding are for batches and have no part here.
#include "Pipeline.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace lpu::text {
namespace {

bool isToken(const isa::Tokenizer &data, const Json &id) {
  return id.is_number_unsigned() && id.get<std::uint64_t>() < data.tokens.size();
}

Status readModel(const isa::Tokenizer &data, const Json &at, Pipeline &out) {
  Fields fields(at, "tokenizer");
  const std::string type = std::exchange(fields.type, "model");
  const bool byteFallback = fields.flag("byte_fallback", false);
  const bool isWordPiece = type == "WordPiece";
  // A null prefix is none, but in WordPiece files that leave it out it is the usual one.
  const std::string prefix = fields.text("continuing_subword_prefix", isWordPiece ? "##" : "");
  const std::int64_t longest = fields.number("max_input_chars_per_word", 100);
  if (type == "BPE")
    out.model = bytePairModel(data, {fields.flag("ignore_merges", false), byteFallback, fields.flag("fuse_unk", false),
                                     prefix, fields.text("end_of_word_suffix", "")});
  else if (type == "Unigram")
    out.model = unigramModel(data, byteFallback);
  else if (isWordPiece)
    out.model = wordPieceModel(data, {prefix, static_cast<std::size_t>(std::max<std::int64_t>(longest, 0))});
  else if (type == "WordLevel")
    out.model = wordLevelModel(data);
  else if (type == "SentencePiece")
    out.model = sentencePieceModel(data, true);
  else
    fields.fail(
        fmt::format("is of type \"{}\", which is not supported (BPE, Unigram, WordPiece, WordLevel are)", type));
  return fields.error ? Status(*fields.error) : Status(Ok{});
}

Status readAddedTokens(const isa::Tokenizer &data, const Json &list, Pipeline &out) {
  std::vector<AddedToken> raw, normalized;
  for (const Json &at : list.is_array() ? list : Json::array()) {
    const Json &id = member(at, "id");
    if (!isToken(data, id))
      return Error{"", fmt::format("an added token has an id that is none of the {} tokens", data.tokens.size())};
    Fields fields(at, "added token");
    AddedToken token{id.get<TokenId>(),
                     toText(data.tokens[id.get<std::size_t>()]),
                     fields.flag("special", false),
                     fields.flag("single_word", false),
                     fields.flag("lstrip", false),
                     fields.flag("rstrip", false)};
    const bool isNormalized = fields.flag("normalized", false);
    if (isNormalized && !fields.flag("verbatim", false))
      if (Status applied = applyAll(out.normalizers, token.text); !applied)
        return applied;
    if (fields.error)
      return *fields.error;
    if (!token.text.empty())
      (isNormalized ? normalized : raw).push_back(std::move(token));
  }
  out.raw = AddedTokens(std::move(raw));
  out.normalized = AddedTokens(std::move(normalized));
  return Ok{};
}

bool hasStep(const Json &at, std::string_view type) {
  if (at.is_array())
    return std::ranges::any_of(at, [&](const Json &step) { return hasStep(step, type); });
  return at.is_object() && (member(at, "type") == type || hasStep(member(at, "pretokenizers"), type));
}

/// Files without a decoder spell tokens as their other steps do; words that were cut at spaces stand apart.
Status readSpelling(const Json &json, Pipeline &out) {
  if (const Json &decoder = member(json, "decoder"); !decoder.is_null())
    return readDecoder(decoder, out.decoder);
  if (hasStep(member(json, "pre_tokenizer"), "ByteLevel"))
    out.decoder = {bytesFromAlphabet()};
  else if (member(member(json, "model"), "type") == "WordLevel")
    out.decoder = {[](std::string &token, bool) { token.insert(0, 1, ' '); }};
  else
    out.decoder = {respell("\xE2\x96\x81", " "), bytesFromFallback()};
  return Ok{};
}

// What stands before and behind a prompt: a template's special tokens, or the two of BERT.

struct TokenName {
  std::string text;
  Json ids; ///< a list; null where the text says all
};
struct Ends {
  std::vector<TokenName> before, behind;
};

Ends endsOfTemplate(Fields &fields) {
  Ends ends;
  bool isBehind = false;
  for (const Json &part : fields["single"].is_array() ? fields["single"] : Json::array()) {
    isBehind |= !member(part, "Sequence").is_null();
    const Json &name = member(member(part, "SpecialToken"), "id");
    if (!name.is_string())
      continue;
    const auto &text = name.get_ref<const std::string &>();
    (isBehind ? ends.behind : ends.before).push_back({text, member(member(fields["special_tokens"], text), "ids")});
  }
  return ends;
}

Ends endsOfBert(Fields &fields) {
  auto token = [&](const char *key) -> TokenName {
    const Json &pair = fields[key];
    if (!pair.is_array() || pair.size() != 2)
      fields.fail(fmt::format("needs [token, id] as '{}'", key));
    return {key, pair.is_array() && pair.size() == 2 ? Json::array({pair[1]}) : Json()};
  };
  return {{token("cls")}, {token("sep")}};
}

constexpr StepKind<Ends> kProcessors[] = {
    {"TemplateProcessing", endsOfTemplate},
    {"BertProcessing", endsOfBert},
    {"RobertaProcessing", endsOfBert},
    {"ByteLevel", [](Fields &) { return Ends(); }}, // changes offsets alone
};

/// Files made by hand may leave the ids to the text.
Status addToken(const isa::Tokenizer &data, const TokenName &name, std::vector<TokenId> &to) {
  if (name.ids.is_array() && std::ranges::all_of(name.ids, [&](const Json &id) { return isToken(data, id); })) {
    for (const Json &id : name.ids)
      to.push_back(id.get<TokenId>());
    return Ok{};
  }
  auto found = std::ranges::find(data.tokens, name.text);
  if (found == data.tokens.end())
    return Error{"", fmt::format("the post-processor names '{}', which is no token of the vocabulary", name.text)};
  to.push_back(static_cast<TokenId>(found - data.tokens.begin()));
  return Ok{};
}

Status readPostProcessor(const isa::Tokenizer &data, const Json &at, Pipeline &out) {
  std::vector<Ends> steps;
  if (Status read = readSteps<Ends>(at, {"post-processor", "processors"}, kProcessors, steps); !read)
    return read;
  for (const Ends &ends : steps) {
    for (const TokenName &name : ends.before)
      if (Status added = addToken(data, name, out.before); !added)
        return added;
    for (const TokenName &name : ends.behind)
      if (Status added = addToken(data, name, out.behind); !added)
        return added;
  }
  return Ok{};
}

} // namespace

Status readDescription(const isa::Tokenizer &data, Pipeline &out) {
  const Json json = Json::parse(data.pipeline, nullptr, false);
  if (!json.is_object())
    return Error{"", "the description of the tokenizer is no JSON"};
  if (Status read = readNormalizers(member(json, "normalizer"), out.normalizers); !read)
    return read;
  if (Status read = readPreTokenizers(member(json, "pre_tokenizer"), out.preTokenizers); !read)
    return read;
  if (Status read = readModel(data, member(json, "model"), out); !read)
    return read;
  if (Status read = readAddedTokens(data, member(json, "added_tokens"), out); !read)
    return read;
  if (Status read = readPostProcessor(data, member(json, "post_processor"), out); !read)
    return read;
  return readSpelling(json, out);
}

} // namespace lpu::text
