// The tokens of a vocabulary by their text, as models look for them.
#pragma once

#include "lpu/text/Tokenizer.h"

#include <array>
#include <unordered_map>

namespace lpu::text {

bool hasType(const isa::Tokenizer &data, TokenId id, TokenType type);

/// The byte that a token "<0xXX>" stands for, or -1.
int byteOfPiece(std::string_view piece);

/// Views of `data`, which must outlive it. Control, unknown, unused and byte tokens are not found by their text: text
/// never becomes one of them.
class Vocabulary {
public:
  explicit Vocabulary(const isa::Tokenizer &data);

  TokenId find(std::string_view piece) const; ///< -1: none
  /// Appends the tokens of the piece's bytes; false, and nothing appended, if one has none.
  bool findBytes(std::string_view piece, std::vector<TokenId> &out) const;
  std::string_view piece(TokenId id) const { return data.tokens[static_cast<std::size_t>(id)]; }
  float score(TokenId id) const; ///< NaN is minus infinity, none is 0
  TokenId unknown() const { return data.unknown; }
  std::size_t longest() const { return longestPiece; } ///< bytes

private:
  const isa::Tokenizer &data;
  std::unordered_map<std::string_view, TokenId> index;
  std::array<TokenId, 256> bytes{};
  std::size_t longestPiece = 0;
};

/// What a text gets that has neither token nor bytes nor an unknown token.
Error inexpressible(std::string_view piece);

} // namespace lpu::text
