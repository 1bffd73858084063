// Unigram: of all cuts of a word into pieces the one whose scores (log probabilities) add up to most, found by
// Viterbi's algorithm from left to right, the earlier start on ties. A character that is no piece costs ten more than
// the worst piece, and such characters in a row are one unknown token.
#include "Model.h"

#include "lpu/text/Utf8.h"

#include <algorithm>
#include <limits>

namespace lpu::text {
namespace {

class UnigramModel final : public Model {
public:
  UnigramModel(const isa::Tokenizer &data, bool falls) : vocabulary(data), byteFallback(falls) {
    for (TokenId id = 0; id < static_cast<TokenId>(data.tokens.size()); ++id)
      if (!hasType(data, id, TokenType::Unused))
        worst = std::min(worst, double{vocabulary.score(id)});
  }

  Status encode(std::string_view word, std::vector<TokenId> &out) const override {
    std::vector<Node> best(word.size() + 1);
    best[0].score = 0;
    for (std::size_t at = 0; at < word.size(); at += nextUtf8(word.substr(at)).length)
      extend(word, at, best);
    return emit(word, best, out);
  }

private:
  /// The best way to reach a place of the word.
  struct Node {
    double score = -std::numeric_limits<double>::infinity();
    std::size_t from = kNowhere;
    TokenId id = -1; ///< of the last piece; -1: unknown
  };
  static constexpr std::size_t kNowhere = std::numeric_limits<std::size_t>::max();
  static constexpr double kUnknownPenalty = 10;

  static void offer(Node &node, double score, std::size_t from, TokenId id) {
    if (node.from == kNowhere || score > node.score)
      node = {score, from, id};
  }

  void extend(std::string_view word, std::size_t at, std::vector<Node> &best) const {
    const std::size_t first = nextUtf8(word.substr(at)).length,
                      limit = std::min(word.size() - at, vocabulary.longest());
    bool isPiece = false;
    for (std::size_t length = first; length <= limit;) {
      if (TokenId id = vocabulary.find(word.substr(at, length)); id >= 0) {
        offer(best[at + length], best[at].score + vocabulary.score(id), at, id);
        isPiece |= length == first;
      }
      if (at + length == word.size())
        break;
      length += nextUtf8(word.substr(at + length)).length;
    }
    if (!isPiece)
      offer(best[at + first], best[at].score + worst - kUnknownPenalty, at, -1);
  }

  Status emit(std::string_view word, const std::vector<Node> &best, std::vector<TokenId> &out) const {
    std::vector<std::pair<std::string_view, TokenId>> pieces; // last first
    for (std::size_t end = word.size(); end > 0; end = best[end].from) {
      const Node &node = best[end];
      std::string_view piece = word.substr(node.from, end - node.from);
      if (node.id < 0 && !pieces.empty() && pieces.back().second < 0)
        pieces.back().first = {piece.data(), piece.size() + pieces.back().first.size()};
      else
        pieces.emplace_back(piece, node.id);
    }
    for (auto piece = pieces.rbegin(); piece != pieces.rend(); ++piece) {
      if (piece->second < 0 && byteFallback && vocabulary.findBytes(piece->first, out))
        continue;
      TokenId id = piece->second < 0 ? vocabulary.unknown() : piece->second;
      if (id < 0)
        return inexpressible(piece->first);
      out.push_back(id);
    }
    return Ok{};
  }

  Vocabulary vocabulary;
  bool byteFallback;
  double worst = 0;
};

} // namespace

std::unique_ptr<Model> unigramModel(const isa::Tokenizer &data, bool byteFallback) {
  return std::make_unique<UnigramModel>(data, byteFallback);
}

} // namespace lpu::text
