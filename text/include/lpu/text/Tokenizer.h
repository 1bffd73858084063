// Text to token ids and back, from the vocabulary a program carries. Text goes through a pipeline: added tokens are cut
// out, normalizers rewrite what lies between them, pre-tokenizers split it into words, and the model makes tokens of
// each word (docs/spec/tokenizers.md).
#pragma once

#include "lpu/isa/Program.h"
#include "lpu/isa/Result.h"

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace lpu::text {

using TokenId = std::int32_t;

/// GGUF token types.
enum class TokenType : std::int32_t { Normal = 1, Unknown = 2, Control = 3, UserDefined = 4, Unused = 5, Byte = 6 };

struct EncodeOptions {
  /// Text that spells a special token ("<|im_end|>") becomes that token, as templates of a chat want it. Else it is
  /// text like any other. Added tokens that are not special are always one id.
  bool special = false;
};

struct Pipeline;

class Tokenizer {
public:
  /// `data` must outlive the tokenizer. Error: a step, a pre-tokenizer or a model that is not known (named, with those
  /// that are), or tables that do not fit together. The error's place is empty: the caller knows the file.
  static Result<std::unique_ptr<Tokenizer>> create(const isa::Tokenizer &data);
  ~Tokenizer();

  /// Ids of `text`, without those that a prompt begins or ends with. Empty text has none. Error: the vocabulary cannot
  /// express it (or there is none). An id may be beyond the model's embedding: added tokens need no row there.
  Result<std::vector<TokenId>> encode(std::string_view text, EncodeOptions options = {}) const;
  /// `encode`, with the tokens before and behind it that the vocabulary asks for (BOS, most often).
  Result<std::vector<TokenId>> encodePrompt(std::string_view text, EncodeOptions options = {}) const;

  /// Bytes a token stands for; special tokens and ids out of range: none. The bytes of one token need not be whole
  /// UTF-8 characters.
  std::string bytes(TokenId id) const;
  /// Bytes of a sequence.
  std::string decode(const std::vector<TokenId> &ids) const;
  /// The token as the vocabulary spells it ("Ġthe", "▁the", "<|eot_id|>"), for people to read; out of range: empty.
  std::string_view piece(TokenId id) const;

  TokenId bos() const; ///< -1: none
  TokenId eos() const; ///< the first that the file names; -1: none
  /// Whether `encodePrompt` begins with `bos()`.
  bool addsBos() const;
  /// All tokens that end a generation, ascending: those the file names, and those known by their text.
  std::span<const TokenId> endTokens() const;
  bool isEnd(TokenId id) const;
  /// The Jinja template of chats; empty: none.
  std::string_view chatTemplate() const;

private:
  explicit Tokenizer(const isa::Tokenizer &data);
  bool inRange(TokenId id) const { return id >= 0 && static_cast<std::size_t>(id) < data.tokens.size(); }

  const isa::Tokenizer &data;
  std::unique_ptr<const Pipeline> pipeline; ///< null: no vocabulary, ids alone
  std::vector<TokenId> ends;
};

} // namespace lpu::text
