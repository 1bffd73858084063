// WordLevel: a word is a token. WordPiece: the longest piece that begins a word, then the longest that begins the rest,
// and so on; a word in which a rest has none is unknown as a whole.
#include "Model.h"

#include "lpu/text/Utf8.h"

#include <algorithm>

namespace lpu::text {
namespace {

class WordPieceModel final : public Model {
public:
  WordPieceModel(const isa::Tokenizer &data, WordPieceOptions asked) : vocabulary(data), options(std::move(asked)) {}

  Status encode(std::string_view word, std::vector<TokenId> &out) const override {
    const std::size_t before = out.size();
    if (isShortEnough(word) && addPieces(word, out))
      return Ok{};
    out.resize(before);
    if (vocabulary.unknown() < 0)
      return inexpressible(word);
    out.push_back(vocabulary.unknown());
    return Ok{};
  }

private:
  bool isShortEnough(std::string_view word) const {
    std::size_t characters = 0;
    for (; !word.empty(); word.remove_prefix(nextUtf8(word).length))
      ++characters;
    return characters <= options.longestWord;
  }

  bool addPieces(std::string_view word, std::vector<TokenId> &out) const {
    for (std::size_t at = 0; at < word.size();) {
      const std::string prefix = at > 0 ? options.innerPrefix : "";
      std::size_t length = std::min(word.size() - at, vocabulary.longest());
      TokenId id = -1;
      while (length > 0 && (id = vocabulary.find(prefix + std::string(word.substr(at, length)))) < 0)
        --length;
      if (id < 0)
        return false;
      out.push_back(id);
      at += length;
    }
    return true;
  }

  Vocabulary vocabulary;
  WordPieceOptions options;
};

class WordLevelModel final : public Model {
public:
  explicit WordLevelModel(const isa::Tokenizer &data) : vocabulary(data) {}

  Status encode(std::string_view word, std::vector<TokenId> &out) const override {
    const TokenId found = vocabulary.find(word), id = found >= 0 ? found : vocabulary.unknown();
    if (id < 0)
      return inexpressible(word);
    out.push_back(id);
    return Ok{};
  }

private:
  Vocabulary vocabulary;
};

} // namespace

std::unique_ptr<Model> wordLevelModel(const isa::Tokenizer &data) { return std::make_unique<WordLevelModel>(data); }

std::unique_ptr<Model> wordPieceModel(const isa::Tokenizer &data, WordPieceOptions options) {
  return std::make_unique<WordPieceModel>(data, std::move(options));
}

} // namespace lpu::text
