// Index of a vocabulary.
#include "Vocabulary.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

namespace lpu::text {
namespace {

int hexDigit(char c) {
  if (c >= '0' && c <= '9')
    return c - '0';
  return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

bool isFoundByText(const isa::Tokenizer &data, TokenId id) {
  using enum TokenType;
  for (TokenType type : {Control, Unknown, Unused, Byte})
    if (hasType(data, id, type))
      return false;
  return !data.tokens[static_cast<std::size_t>(id)].empty();
}

} // namespace

bool hasType(const isa::Tokenizer &data, TokenId id, TokenType type) {
  return !data.types.empty() && data.types[static_cast<std::size_t>(id)] == static_cast<std::int32_t>(type);
}

int byteOfPiece(std::string_view piece) {
  if (piece.size() != 6 || !piece.starts_with("<0x") || piece[5] != '>')
    return -1;
  int high = hexDigit(piece[3]), low = hexDigit(piece[4]);
  return high < 0 || low < 0 ? -1 : high * 16 + low;
}

Vocabulary::Vocabulary(const isa::Tokenizer &tables) : data(tables) {
  bytes.fill(-1);
  for (TokenId id = 0; id < static_cast<TokenId>(data.tokens.size()); ++id) {
    if (int byte = byteOfPiece(piece(id)); byte >= 0 && !hasType(data, id, TokenType::UserDefined))
      bytes[static_cast<std::size_t>(byte)] = id;
    if (isFoundByText(data, id)) {
      index[piece(id)] = id;
      longestPiece = std::max(longestPiece, piece(id).size());
    }
  }
}

TokenId Vocabulary::find(std::string_view text) const {
  auto found = index.find(text);
  return found == index.end() ? -1 : found->second;
}

bool Vocabulary::findBytes(std::string_view text, std::vector<TokenId> &out) const {
  auto idOf = [&](char byte) { return bytes[static_cast<unsigned char>(byte)]; };
  if (std::ranges::any_of(text, [&](char byte) { return idOf(byte) < 0; }))
    return false;
  std::ranges::transform(text, std::back_inserter(out), idOf);
  return true;
}

float Vocabulary::score(TokenId id) const {
  float score = data.scores.empty() ? 0.0f : data.scores[static_cast<std::size_t>(id)];
  return std::isnan(score) ? -std::numeric_limits<float>::infinity() : score;
}

Error inexpressible(std::string_view piece) {
  std::string shown;
  for (unsigned char byte : piece)
    shown += fmt::format("{}0x{:02X}", shown.empty() ? "" : " ", byte);
  return {"tokenizer", fmt::format("'{}' ({}) of the text has no token in the vocabulary, nor is there an unknown "
                                   "token; leave it out or give --tokens",
                                   piece, shown)};
}

} // namespace lpu::text
