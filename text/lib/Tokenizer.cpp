// What all tokenizers share: the checks of the tables, the way of text through the pipeline, and decoding. "none" is a
// program without a vocabulary: it runs on token ids, and its tokens stand for no bytes.
#include "lpu/text/Tokenizer.h"

#include "EndTokens.h"
#include "Pipeline.h"
#include "lpu/text/Utf8.h"

#include <fmt/format.h>

#include <algorithm>

namespace lpu::text {
namespace {

bool isWithoutVocabulary(const isa::Tokenizer &data) { return data.model == "none" || data.model.empty(); }

Status checkIds(const isa::Tokenizer &data) {
  auto size = static_cast<std::int64_t>(data.tokens.size());
  auto isOutside = [&](TokenId id) { return id < -1 || id >= size; };
  for (auto [name, id] : {std::pair{"BOS", data.bos}, {"EOS", data.eos}, {"unknown", data.unknown}})
    if (isOutside(id))
      return Error{"", fmt::format("{} token id {} is outside of the {} tokens", name, id, size)};
  for (const std::vector<TokenId> *ids : {&data.ends, &data.mergePairs})
    if (auto id = std::ranges::find_if(*ids, [&](TokenId i) { return i < 0 || isOutside(i); }); id != ids->end())
      return Error{"", fmt::format("token id {} is outside of the {} tokens", *id, size)};
  return Ok{};
}

Status checkTables(const isa::Tokenizer &data) {
  auto mismatch = [&](const char *what, std::size_t count) {
    return Error{"", fmt::format("{} {} for {} tokens", count, what, data.tokens.size())};
  };
  if (!data.types.empty() && data.types.size() != data.tokens.size())
    return mismatch("token types", data.types.size());
  if (!data.scores.empty() && data.scores.size() != data.tokens.size())
    return mismatch("scores", data.scores.size());
  return checkIds(data);
}

/// Tokens of a piece of text that no added token is found in.
Status encodeWords(const Pipeline &pipeline, Text text, bool isFirst, std::vector<TokenId> &ids) {
  std::vector<Word> words;
  words.push_back({std::move(text), isFirst});
  for (const PreTokenizer &step : pipeline.preTokenizers)
    if (Status done = step(words); !done)
      return done;
  for (const Word &word : words)
    if (Status done = pipeline.model->encode(toBytes(word.text), ids); !done)
      return done;
  return Ok{};
}

Status encodeText(const Pipeline &pipeline, TextView given, bool isFirst, bool special, std::vector<TokenId> &ids) {
  Text text(given);
  if (Status done = applyAll(pipeline.normalizers, text); !done)
    return done;
  for (const Segment &segment : pipeline.normalized.cut(text, special)) {
    if (segment.id >= 0)
      ids.push_back(segment.id);
    else if (Status done =
                 encodeWords(pipeline, Text(segment.text), isFirst && segment.text.data() == text.data(), ids);
             !done)
      return done;
  }
  return Ok{};
}

constexpr std::size_t kLargestText = std::size_t{1} << 29; ///< bytes; ICU counts in 32 bits, and steps may lengthen

} // namespace

Tokenizer::Tokenizer(const isa::Tokenizer &tables) : data(tables), ends(endTokensOf(tables)) {}
Tokenizer::~Tokenizer() = default;

Result<std::unique_ptr<Tokenizer>> Tokenizer::create(const isa::Tokenizer &data) {
  if (!isWithoutVocabulary(data))
    if (Status status = checkTables(data); !status)
      return status.error();
  std::unique_ptr<Tokenizer> out(new Tokenizer(data));
  if (isWithoutVocabulary(data))
    return out;
  auto pipeline = buildPipeline(data);
  if (!pipeline)
    return pipeline.error();
  out->pipeline = std::move(*pipeline);
  return out;
}

Result<std::vector<TokenId>> Tokenizer::encode(std::string_view text, EncodeOptions options) const {
  if (!pipeline)
    return Error{"tokenizer",
                 "the program carries no vocabulary (tokenizer model 'none'); give token ids with --tokens"};
  if (text.size() > kLargestText)
    return Error{"tokenizer", fmt::format("the text has {} bytes, at most {} are cut at a time; use a part of it",
                                          text.size(), kLargestText)};
  std::vector<TokenId> ids;
  const Text whole = toText(text);
  for (const Segment &segment : pipeline->raw.cut(whole, options.special)) {
    if (segment.id >= 0)
      ids.push_back(segment.id);
    else if (Status done =
                 encodeText(*pipeline, segment.text, segment.text.data() == whole.data(), options.special, ids);
             !done)
      return done.error();
  }
  return ids;
}

Result<std::vector<TokenId>> Tokenizer::encodePrompt(std::string_view text, EncodeOptions options) const {
  auto ids = encode(text, options);
  if (!ids)
    return ids;
  ids->insert(ids->begin(), pipeline->before.begin(), pipeline->before.end());
  ids->insert(ids->end(), pipeline->behind.begin(), pipeline->behind.end());
  return ids;
}

std::string Tokenizer::bytes(TokenId id) const {
  if (!pipeline || !inRange(id) || hasType(data, id, TokenType::Control))
    return {};
  if (hasType(data, id, TokenType::Unknown))
    return std::string(kReplacement);
  std::string out(piece(id));
  for (const DecodeStep &step : pipeline->decoder)
    step(out, hasType(data, id, TokenType::UserDefined));
  return out;
}

std::string Tokenizer::decode(const std::vector<TokenId> &ids) const {
  std::string out;
  for (TokenId id : ids)
    out += bytes(id);
  return out;
}

std::string_view Tokenizer::piece(TokenId id) const {
  return inRange(id) ? std::string_view(data.tokens[static_cast<std::size_t>(id)]) : std::string_view();
}

TokenId Tokenizer::bos() const { return pipeline && !pipeline->before.empty() ? pipeline->before.front() : data.bos; }
TokenId Tokenizer::eos() const { return data.eos; }
bool Tokenizer::addsBos() const { return pipeline && !pipeline->before.empty(); }
std::span<const TokenId> Tokenizer::endTokens() const { return ends; }
bool Tokenizer::isEnd(TokenId id) const { return std::ranges::binary_search(ends, id); }
std::string_view Tokenizer::chatTemplate() const { return data.chatTemplate; }

} // namespace lpu::text
