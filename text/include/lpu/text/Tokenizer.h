// Text to token ids and back, from the vocabulary a program carries.
#pragma once

#include "lpu/isa/Program.h"
#include "lpu/isa/Result.h"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace lpu::text {

using TokenId = std::int32_t;

/// GGUF token types.
enum class TokenType : std::int32_t { Normal = 1, Unknown = 2, Control = 3, UserDefined = 4, Unused = 5, Byte = 6 };

class Tokenizer {
public:
  /// For models "llama", "gpt2" and "none". `data` must outlive the tokenizer.
  /// Error: unknown model, or tables that do not fit together.
  static Result<std::unique_ptr<Tokenizer>> create(const isa::Tokenizer &data);
  virtual ~Tokenizer() = default;

  /// Ids of `text` without BOS; text never becomes a control token. Error: the
  /// vocabulary cannot express it (or there is none).
  virtual Result<std::vector<TokenId>> encode(std::string_view text) const = 0;
  /// Bytes a token stands for; control tokens and ids out of range: none. The
  /// bytes of one token need not be whole UTF-8 characters.
  virtual std::string bytes(TokenId id) const = 0;

  /// `encode`, after a BOS if the metadata asks for one.
  Result<std::vector<TokenId>> encodePrompt(std::string_view text) const;
  /// Bytes of a sequence.
  std::string decode(const std::vector<TokenId> &ids) const;

  TokenId bos() const { return data.bos; } ///< -1: none
  TokenId eos() const { return data.eos; } ///< -1: none

protected:
  explicit Tokenizer(const isa::Tokenizer &data) : data(data) {}
  bool inRange(TokenId id) const { return id >= 0 && static_cast<std::size_t>(id) < data.tokens.size(); }
  bool hasType(TokenId id, TokenType type) const {
    return !data.types.empty() && data.types[id] == static_cast<std::int32_t>(type);
  }
  const isa::Tokenizer &data;
};

Result<std::unique_ptr<Tokenizer>> createSentencePiece(const isa::Tokenizer &data);
Result<std::unique_ptr<Tokenizer>> createByteLevelBpe(const isa::Tokenizer &data);

} // namespace lpu::text
