// Byte-pair encoding: the characters of a word are tokens, and the adjacent pair with the lowest merge rank is joined,
// leftmost first, until none is left. Vocabularies over bytes get here in their printable spelling.
#include "MergePairs.h"
#include "Model.h"

#include "lpu/text/Utf8.h"

namespace lpu::text {
namespace {

std::uint64_t pairKey(TokenId a, TokenId b) {
  return static_cast<std::uint64_t>(static_cast<std::uint32_t>(a)) << 32 | static_cast<std::uint32_t>(b);
}

class BytePairModel final : public Model {
public:
  BytePairModel(const isa::Tokenizer &data, BytePairOptions asked) : vocabulary(data), options(std::move(asked)) {
    joins.reserve(data.mergePairs.size() / 2 + data.merges.size());
    for (std::size_t i = 0; i + 1 < data.mergePairs.size(); i += 2)
      addMerge(data.mergePairs[i], data.mergePairs[i + 1]);
    for (const std::string &merge : data.merges) {
      std::size_t space = merge.find(' ', 1); // a token may be a space itself
      if (space != std::string::npos)
        addMerge(vocabulary.find(merge.substr(0, space)), vocabulary.find(merge.substr(space + 1)));
    }
  }

  Status encode(std::string_view word, std::vector<TokenId> &out) const override {
    if (TokenId whole = options.wholeWords ? vocabulary.find(word) : -1; whole >= 0) {
      out.push_back(whole);
      return Ok{};
    }
    std::vector<TokenId> characters;
    if (Status status = addCharacters(word, characters); !status)
      return status;
    std::vector<TokenId> merged = mergePairs(characters, [&](TokenId a, TokenId b) -> std::optional<Join> {
      auto found = joins.find(pairKey(a, b));
      return found == joins.end() ? std::nullopt : std::optional(found->second);
    });
    out.insert(out.end(), merged.begin(), merged.end());
    return Ok{};
  }

private:
  /// What a merge makes may be no token that text becomes; the merge is then left out.
  void addMerge(TokenId left, TokenId right) {
    double rank = ranks++;
    if (left < 0 || right < 0)
      return;
    std::string_view rest = vocabulary.piece(right);
    if (rest.starts_with(options.innerPrefix))
      rest.remove_prefix(options.innerPrefix.size());
    TokenId joined = vocabulary.find(std::string(vocabulary.piece(left)).append(rest));
    if (joined >= 0)
      joins.try_emplace(pairKey(left, right), Join{rank, joined});
  }

  Status addCharacters(std::string_view word, std::vector<TokenId> &ids) const {
    bool afterUnknown = false;
    for (std::size_t at = 0; at < word.size();) {
      std::size_t length = nextUtf8(word.substr(at)).length;
      std::string_view raw = word.substr(at, length);
      std::string spelled = (at > 0 ? options.innerPrefix : "") + std::string(raw);
      at += length;
      if (at == word.size())
        spelled += options.endSuffix;
      TokenId id = vocabulary.find(spelled);
      if (id < 0 && options.byteFallback && vocabulary.findBytes(raw, ids)) {
        afterUnknown = false;
        continue;
      }
      bool isUnknown = id < 0;
      if (isUnknown && (id = vocabulary.unknown()) < 0)
        return inexpressible(raw);
      if (!isUnknown || !afterUnknown || !options.fusesUnknown)
        ids.push_back(id);
      afterUnknown = isUnknown;
    }
    return Ok{};
  }

  Vocabulary vocabulary;
  BytePairOptions options;
  std::unordered_map<std::uint64_t, Join> joins;
  double ranks = 0;
};

} // namespace

std::unique_ptr<Model> bytePairModel(const isa::Tokenizer &data, BytePairOptions options) {
  return std::make_unique<BytePairModel>(data, std::move(options));
}

} // namespace lpu::text
