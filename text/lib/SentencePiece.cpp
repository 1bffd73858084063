// SentencePiece-style tokenizer: start from single characters (bytes where a
// character is no piece) and keep merging the adjacent pair whose joined piece
// scores best, leftmost on ties. A heap of candidates over a linked list makes
// it O(n log n); candidates whose symbols have changed since are skipped when
// popped. Control, unknown and byte tokens are never made from text.
#include "lpu/text/Tokenizer.h"
#include "lpu/text/Utf8.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <queue>
#include <unordered_map>

namespace lpu::text {
namespace {

constexpr std::string_view kSpace = "\xE2\x96\x81"; // U+2581 stands for a space in pieces

int hexDigit(char c) {
  if (c >= '0' && c <= '9')
    return c - '0';
  if (c >= 'A' && c <= 'F')
    return c - 'A' + 10;
  return -1;
}

/// The byte a piece "<0xXX>" stands for, or -1.
int byteOfPiece(std::string_view piece) {
  if (piece.size() != 6 || !piece.starts_with("<0x") || piece[5] != '>')
    return -1;
  int high = hexDigit(piece[3]), low = hexDigit(piece[4]);
  return high < 0 || low < 0 ? -1 : high * 16 + low;
}

std::string replaceAll(std::string_view text, std::string_view from, std::string_view to) {
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    bool match = text.substr(at).starts_with(from);
    out += match ? to : text.substr(at, 1);
    at += match ? from.size() : 1;
  }
  return out;
}

struct Symbol {
  TokenId id; ///< -1: merged into the symbol before it
  int previous, next;
};

struct Candidate {
  float score;
  int left;
  TokenId leftId, rightId, joined;
  /// std::priority_queue pops the largest: best score, then leftmost.
  bool operator<(const Candidate &o) const { return score != o.score ? score < o.score : left > o.left; }
};

class SentencePiece final : public Tokenizer {
public:
  explicit SentencePiece(const isa::Tokenizer &data) : Tokenizer(data) {
    byteIds.fill(-1);
    for (TokenId id = 0; inRange(id); ++id) {
      const std::string &piece = data.tokens[id];
      int byte = byteOfPiece(piece);
      if (byte >= 0 && !hasType(id, TokenType::UserDefined))
        byteIds[byte] = id;
      else if (!hasType(id, TokenType::Control) && !hasType(id, TokenType::Unknown) && !piece.empty()) {
        index[piece] = id;
        longest = std::max(longest, piece.size());
      }
    }
  }

  Result<std::vector<TokenId>> encode(std::string_view text) const override {
    std::string spaced = (data.addSpacePrefix ? " " : "") + std::string(text);
    auto ids = characters(replaceAll(spaced, " ", kSpace));
    return ids ? merge(*ids) : ids;
  }

  std::string bytes(TokenId id) const override {
    if (!inRange(id) || hasType(id, TokenType::Control))
      return {};
    if (hasType(id, TokenType::Unknown))
      return std::string(kReplacement);
    int byte = byteOfPiece(data.tokens[id]);
    if (byte >= 0 && byteIds[byte] == id)
      return std::string(1, static_cast<char>(byte));
    return replaceAll(data.tokens[id], kSpace, " ");
  }

private:
  Result<std::vector<TokenId>> characters(std::string_view text) const {
    std::vector<TokenId> ids;
    while (!text.empty()) {
      Utf8Unit unit = nextUtf8(text);
      std::string_view piece = text.substr(0, unit.length);
      auto found = unit.kind == Utf8Unit::Kind::Character ? index.find(piece) : index.end();
      if (found != index.end())
        ids.push_back(found->second);
      else if (Status status = fallBack(piece, ids); !status)
        return status.error();
      text.remove_prefix(unit.length);
    }
    return ids;
  }

  Status fallBack(std::string_view piece, std::vector<TokenId> &ids) const {
    for (unsigned char byte : piece) {
      TokenId id = byteIds[byte] >= 0 ? byteIds[byte] : data.unknown;
      if (id < 0)
        return Error{"tokenizer",
                     fmt::format("byte 0x{:02X} of the text has no token in the vocabulary, nor is there an "
                                 "unknown token; leave it out or give --tokens",
                                 byte)};
      ids.push_back(id);
    }
    return Ok{};
  }

  void offer(std::priority_queue<Candidate> &heap, const std::vector<Symbol> &symbols, int left) const {
    int right = left < 0 ? -1 : symbols[left].next;
    if (right < 0)
      return;
    TokenId a = symbols[left].id, b = symbols[right].id;
    if (data.tokens[a].size() + data.tokens[b].size() > longest)
      return;
    auto found = index.find(data.tokens[a] + data.tokens[b]);
    if (found != index.end())
      heap.push({scoreOf(found->second), left, a, b, found->second});
  }

  float scoreOf(TokenId id) const {
    float score = data.scores.empty() ? 0.0f : data.scores[id];
    return std::isnan(score) ? -std::numeric_limits<float>::infinity() : score;
  }

  std::vector<TokenId> merge(const std::vector<TokenId> &ids) const {
    std::vector<Symbol> symbols;
    int count = static_cast<int>(ids.size());
    for (int i = 0; i < count; ++i)
      symbols.push_back({ids[i], i - 1, i + 1 < count ? i + 1 : -1});
    std::priority_queue<Candidate> heap;
    for (int i = 0; i < count; ++i)
      offer(heap, symbols, i);
    while (!heap.empty()) {
      Candidate best = heap.top();
      heap.pop();
      Symbol &left = symbols[best.left];
      if (left.id != best.leftId || left.next < 0 || symbols[left.next].id != best.rightId)
        continue;
      Symbol &right = symbols[left.next];
      left.id = best.joined;
      left.next = right.next;
      right.id = -1;
      if (left.next >= 0)
        symbols[left.next].previous = best.left;
      offer(heap, symbols, left.previous);
      offer(heap, symbols, best.left);
    }
    std::vector<TokenId> out;
    for (const Symbol &symbol : symbols)
      if (symbol.id >= 0)
        out.push_back(symbol.id);
    return out;
  }

  std::unordered_map<std::string_view, TokenId> index;
  std::array<TokenId, 256> byteIds;
  std::size_t longest = 0;
};

} // namespace

Result<std::unique_ptr<Tokenizer>> createSentencePiece(const isa::Tokenizer &data) {
  return std::unique_ptr<Tokenizer>(new SentencePiece(data));
}

} // namespace lpu::text
