// What all tokenizers share: choice by the vocabulary's model name, the checks
// of its tables, BOS, and decoding of sequences. "none" is a program without a
// vocabulary: it runs on token ids, and its tokens stand for no bytes.
#include "lpu/text/Tokenizer.h"

#include <fmt/format.h>

namespace lpu::text {
namespace {

class NoTokenizer final : public Tokenizer {
public:
  explicit NoTokenizer(const isa::Tokenizer &data) : Tokenizer(data) {}
  Result<std::vector<TokenId>> encode(std::string_view) const override {
    return Error{"tokenizer",
                 "the program carries no vocabulary (tokenizer model 'none'); give token ids with --tokens"};
  }
  std::string bytes(TokenId) const override { return {}; }
};

Status checkTables(const isa::Tokenizer &data) {
  auto mismatch = [&](const char *what, std::size_t count) {
    return Error{"tokenizer",
                 fmt::format("{} {} for {} tokens; compile the model again", count, what, data.tokens.size())};
  };
  if (!data.types.empty() && data.types.size() != data.tokens.size())
    return mismatch("token types", data.types.size());
  if (!data.scores.empty() && data.scores.size() != data.tokens.size())
    return mismatch("scores", data.scores.size());
  auto size = static_cast<std::int64_t>(data.tokens.size());
  for (auto [name, id] : {std::pair{"BOS", data.bos}, {"EOS", data.eos}, {"unknown", data.unknown}})
    if (id < -1 || id >= size)
      return Error{"tokenizer",
                   fmt::format("{} token id {} is outside of the {} tokens; compile the model again", name, id, size)};
  return Ok{};
}

} // namespace

Result<std::unique_ptr<Tokenizer>> Tokenizer::create(const isa::Tokenizer &data) {
  if (data.model == "none" || data.model.empty())
    return std::unique_ptr<Tokenizer>(new NoTokenizer(data));
  if (Status status = checkTables(data); !status)
    return status.error();
  if (data.model == "llama")
    return createSentencePiece(data);
  if (data.model == "gpt2")
    return createByteLevelBpe(data);
  return Error{"tokenizer", fmt::format("model '{}' is not supported (llama, gpt2, none)", data.model)};
}

Result<std::vector<TokenId>> Tokenizer::encodePrompt(std::string_view text) const {
  auto ids = encode(text);
  if (ids && data.addBos && data.bos >= 0)
    ids->insert(ids->begin(), data.bos);
  return ids;
}

std::string Tokenizer::decode(const std::vector<TokenId> &ids) const {
  std::string out;
  for (TokenId id : ids)
    out += bytes(id);
  return out;
}

} // namespace lpu::text
