// Byte-level BPE ("gpt2" vocabularies): text is cut into words by the
// pre-tokenizer, each byte of a word becomes a printable character, and inside a
// word the adjacent pair with the lowest merge rank is joined, leftmost first,
// until none is left. Same heap over a linked list as SentencePiece.cpp, here
// over pieces of one word instead of ids. add_space_prefix does not apply.
#include "lpu/text/PreTokenizer.h"
#include "lpu/text/Tokenizer.h"
#include "lpu/text/Utf8.h"

#include <fmt/format.h>

#include <array>
#include <queue>
#include <unordered_map>

namespace lpu::text {
namespace {

/// GPT-2's printable stand-in for each byte: printable Latin-1 characters stand
/// for themselves, the others are numbered from U+0100 on.
std::array<char32_t, 256> byteCharacters() {
  std::array<char32_t, 256> out{};
  char32_t next = 0x100;
  for (unsigned b = 0; b < 256; ++b) {
    bool printable = (b >= 0x21 && b <= 0x7E) || (b >= 0xA1 && b <= 0xAC) || b >= 0xAE;
    out[b] = printable ? b : next++;
  }
  return out;
}

struct Piece {
  std::size_t begin, end; ///< within the word's printable form; empty: merged away
  int previous, next;
};

struct Pair {
  std::int32_t rank;
  int left;
  std::size_t begin, middle, end; ///< what the two pieces spanned when offered
  bool operator<(const Pair &o) const { return rank != o.rank ? rank > o.rank : left > o.left; }
};

class ByteLevelBpe final : public Tokenizer {
public:
  explicit ByteLevelBpe(const isa::Tokenizer &data) : Tokenizer(data), pattern(prePattern(data.pre)) {
    auto characters = byteCharacters();
    for (int b = 0; b < 256; ++b) {
      appendUtf8(printable[b], characters[b]);
      byteOf.emplace(characters[b], static_cast<char>(b));
    }
    for (TokenId id = 0; inRange(id); ++id)
      if (!hasType(id, TokenType::Control) && !hasType(id, TokenType::Unknown))
        index[data.tokens[id]] = id;
    for (std::size_t rank = 0; rank < data.merges.size(); ++rank)
      ranks.emplace(data.merges[rank], static_cast<std::int32_t>(rank));
  }

  Result<std::vector<TokenId>> encode(std::string_view text) const override {
    if (!pattern)
      return Error{"tokenizer",
                   fmt::format("pre-tokenizer '{}' is not supported; give token ids with --tokens", data.pre)};
    std::vector<TokenId> ids;
    for (std::string_view word : splitWords(*pattern, text))
      if (Status status = encodeWord(word, ids); !status)
        return status.error();
    return ids;
  }

  std::string bytes(TokenId id) const override {
    if (!inRange(id) || hasType(id, TokenType::Control))
      return {};
    if (hasType(id, TokenType::Unknown))
      return std::string(kReplacement);
    if (hasType(id, TokenType::UserDefined))
      return data.tokens[id];
    std::string out;
    for (std::string_view rest = data.tokens[id]; !rest.empty();) {
      Utf8Unit unit = nextUtf8(rest);
      auto found = unit.kind == Utf8Unit::Kind::Character ? byteOf.find(unit.codePoint) : byteOf.end();
      out += found != byteOf.end() ? std::string_view(&found->second, 1) : rest.substr(0, unit.length);
      rest.remove_prefix(unit.length);
    }
    return out;
  }

private:
  Status encodeWord(std::string_view raw, std::vector<TokenId> &ids) const {
    std::string word;
    std::vector<Piece> pieces;
    for (unsigned char byte : raw) {
      int at = static_cast<int>(pieces.size());
      pieces.push_back({word.size(), word.size() + printable[byte].size(), at - 1, at + 1});
      word += printable[byte];
    }
    pieces.back().next = -1;
    auto whole = pattern->wholeWords ? index.find(word) : index.end();
    if (whole != index.end()) {
      ids.push_back(whole->second);
      return Ok{};
    }
    merge(word, pieces);
    for (const Piece &piece : pieces)
      if (piece.begin != piece.end)
        if (Status status = emit(std::string_view(word).substr(piece.begin, piece.end - piece.begin), ids); !status)
          return status;
    return Ok{};
  }

  void offer(std::priority_queue<Pair> &heap, const std::string &word, const std::vector<Piece> &pieces,
             int left) const {
    int right = left < 0 ? -1 : pieces[left].next;
    if (right < 0)
      return;
    const Piece &a = pieces[left], &b = pieces[right];
    std::string key = word.substr(a.begin, a.end - a.begin) + ' ' + word.substr(b.begin, b.end - b.begin);
    if (auto found = ranks.find(key); found != ranks.end())
      heap.push({found->second, left, a.begin, a.end, b.end});
  }

  void merge(const std::string &word, std::vector<Piece> &pieces) const {
    std::priority_queue<Pair> heap;
    for (int i = 0; i < static_cast<int>(pieces.size()); ++i)
      offer(heap, word, pieces, i);
    while (!heap.empty()) {
      Pair best = heap.top();
      heap.pop();
      Piece &left = pieces[best.left];
      if (left.begin != best.begin || left.end != best.middle || left.next < 0 || pieces[left.next].end != best.end)
        continue;
      Piece &right = pieces[left.next];
      left.end = right.end;
      left.next = right.next;
      right.begin = right.end;
      if (left.next >= 0)
        pieces[left.next].previous = best.left;
      offer(heap, word, pieces, left.previous);
      offer(heap, word, pieces, best.left);
    }
  }

  /// A piece that is no token falls back to its bytes' tokens.
  Status emit(std::string_view piece, std::vector<TokenId> &ids) const {
    if (auto found = index.find(piece); found != index.end()) {
      ids.push_back(found->second);
      return Ok{};
    }
    for (std::string_view rest = piece; !rest.empty();) {
      std::size_t length = nextUtf8(rest).length;
      auto found = index.find(rest.substr(0, length));
      TokenId id = found != index.end() ? found->second : data.unknown;
      if (id < 0)
        return Error{"tokenizer",
                     fmt::format("'{}' of the text has no token in the vocabulary, nor is there an unknown "
                                 "token; leave it out or give --tokens",
                                 rest.substr(0, length))};
      ids.push_back(id);
      rest.remove_prefix(length);
    }
    return Ok{};
  }

  std::optional<PrePattern> pattern;
  std::array<std::string, 256> printable;
  std::unordered_map<char32_t, char> byteOf;
  std::unordered_map<std::string_view, TokenId> index;
  std::unordered_map<std::string_view, std::int32_t> ranks;
};

} // namespace

Result<std::unique_ptr<Tokenizer>> createByteLevelBpe(const isa::Tokenizer &data) {
  for (std::size_t i = 0; i < data.merges.size(); ++i)
    if (data.merges[i].find(' ') == std::string::npos)
      return Error{"tokenizer", fmt::format("merge {} is not of the form 'left right'; compile the model again", i)};
  return std::unique_ptr<Tokenizer>(new ByteLevelBpe(data));
}

} // namespace lpu::text
