// Pipelines of vocabularies as GGUF has them: SentencePiece's ("llama"), and those over bytes ("gpt2") with a
// pre-tokenizer's name. Which tokens are added ones is told by their types.
#include "Pipeline.h"

#include "lpu/text/PreTokenizers.h"

#include <fmt/format.h>

namespace lpu::text {
namespace {

constexpr std::string_view kMark = "\xE2\x96\x81"; // U+2581 stands for a space in pieces

AddedTokens addedByType(const isa::Tokenizer &data) {
  std::vector<AddedToken> added;
  for (TokenId id = 0; id < static_cast<TokenId>(data.tokens.size()); ++id) {
    bool isSpecial = hasType(data, id, TokenType::Control) || hasType(data, id, TokenType::Unknown);
    if (const std::string &piece = data.tokens[static_cast<std::size_t>(id)];
        !piece.empty() && (isSpecial || hasType(data, id, TokenType::UserDefined)))
      added.push_back({id, toText(piece), isSpecial});
  }
  return AddedTokens(std::move(added));
}

Status buildSentencePiece(const isa::Tokenizer &data, Pipeline &out) {
  if (data.addSpacePrefix)
    out.normalizers.push_back(prepend(u" "));
  out.normalizers.push_back(replace(literalPattern(u" "), toText(kMark)));
  out.model = sentencePieceModel(data);
  out.decoder = {bytesFromFallback(), respell(std::string(kMark), " ")};
  return Ok{};
}

/// Programs compiled before names were checked have none for GPT-2's splitting.
Status buildByteLevel(const isa::Tokenizer &data, Pipeline &out) {
  const NamedPreTokenizer *named = findPreTokenizer(data.pre.empty() ? "gpt-2" : data.pre);
  if (!named)
    return Error{"", fmt::format("the pre-tokenizer \"{}\" is not known ({} are)", data.pre, preTokenizerNames())};
  for (std::size_t i = 0; i < data.merges.size(); ++i)
    if (data.merges[i].find(' ', 1) == std::string::npos)
      return Error{"", fmt::format("merge {} is not of the form 'left right'", i)};
  for (std::string_view expression : named->patterns)
    out.preTokenizers.push_back(split(*regexPattern(expression), SplitBehavior::Isolated));
  out.preTokenizers.push_back(byteAlphabet());
  out.model = bytePairModel(data, {.wholeWords = named->wholeWords, .innerPrefix = "", .endSuffix = ""});
  out.decoder = {bytesFromAlphabet()};
  return Ok{};
}

} // namespace

Result<std::unique_ptr<const Pipeline>> buildPipeline(const isa::Tokenizer &data) {
  auto out = std::make_unique<Pipeline>();
  Status built = Error{
      "", fmt::format("the tokenizer's model \"{}\" is not supported (llama, gpt2, pipeline, none are)", data.model)};
  if (data.model == "pipeline") {
    built = readDescription(data, *out);
  } else {
    out->raw = addedByType(data);
    if (data.addBos && data.bos >= 0)
      out->before = {data.bos};
    if (data.model == "llama")
      built = buildSentencePiece(data, *out);
    else if (data.model == "gpt2")
      built = buildByteLevel(data, *out);
  }
  if (!built)
    return built.error();
  return std::unique_ptr<const Pipeline>(std::move(out));
}

} // namespace lpu::text
