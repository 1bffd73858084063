// SentencePiece's byte-pair encoding: start from single characters (bytes where a character is no piece) and keep
// joining the adjacent pair whose joined piece scores best, leftmost on ties.
#include "MergePairs.h"
#include "Model.h"

#include "lpu/text/Utf8.h"

namespace lpu::text {
namespace {

class SentencePieceModel final : public Model {
public:
  SentencePieceModel(const isa::Tokenizer &data, bool fuses) : vocabulary(data), fusesUnknown(fuses) {}

  Status encode(std::string_view word, std::vector<TokenId> &out) const override {
    std::vector<TokenId> characters;
    for (std::string_view rest = word; !rest.empty();) {
      std::string_view piece = rest.substr(0, nextUtf8(rest).length);
      if (Status status = addCharacter(piece, characters); !status)
        return status;
      rest.remove_prefix(piece.size());
    }
    std::vector<TokenId> merged = mergePairs(characters, [&](TokenId a, TokenId b) { return join(a, b); });
    out.insert(out.end(), merged.begin(), merged.end());
    return Ok{};
  }

private:
  Status addCharacter(std::string_view piece, std::vector<TokenId> &ids) const {
    if (TokenId id = vocabulary.find(piece); id >= 0) {
      ids.push_back(id);
      return Ok{};
    }
    if (fusesUnknown && !vocabulary.findBytes(piece, ids)) {
      if (vocabulary.unknown() < 0)
        return inexpressible(piece);
      if (ids.empty() || ids.back() != vocabulary.unknown())
        ids.push_back(vocabulary.unknown());
    }
    for (std::size_t i = 0; i < piece.size() && !fusesUnknown; ++i) {
      std::string_view byte = piece.substr(i, 1);
      if (vocabulary.findBytes(byte, ids))
        continue;
      if (vocabulary.unknown() < 0)
        return inexpressible(byte);
      ids.push_back(vocabulary.unknown());
    }
    return Ok{};
  }

  std::optional<Join> join(TokenId a, TokenId b) const {
    if (vocabulary.piece(a).size() + vocabulary.piece(b).size() > vocabulary.longest())
      return {};
    TokenId joined = vocabulary.find(std::string(vocabulary.piece(a)).append(vocabulary.piece(b)));
    return joined < 0 ? std::nullopt : std::optional(Join{-double{vocabulary.score(joined)}, joined});
  }

  Vocabulary vocabulary;
  bool fusesUnknown;
};

} // namespace

std::unique_ptr<Model> sentencePieceModel(const isa::Tokenizer &data, bool fusesUnknown) {
  return std::make_unique<SentencePieceModel>(data, fusesUnknown);
}

} // namespace lpu::text
