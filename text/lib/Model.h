// Models: from the bytes of a word to its tokens.
#pragma once

#include "Vocabulary.h"

#include <memory>

namespace lpu::text {

class Model {
public:
  virtual ~Model() = default;
  /// Appends the tokens of `word`. Error: the vocabulary cannot express it.
  virtual Status encode(std::string_view word, std::vector<TokenId> &out) const = 0;
};

struct BytePairOptions {
  bool wholeWords = false;   ///< a word that is a token is taken without merging
  bool byteFallback = false; ///< a character without a token becomes those of its bytes, "<0xXX>"
  bool fusesUnknown = false; ///< unknown characters in a row are one token
  std::string innerPrefix,
      endSuffix; ///< of a word's characters but the first, of its last, as the vocabulary spells them
};
/// Byte-pair encoding by the ranks of merges: data.mergePairs, or data.merges ("left right") where there are none.
std::unique_ptr<Model> bytePairModel(const isa::Tokenizer &data, BytePairOptions options);

/// SentencePiece's byte-pair encoding, by the scores of what the pairs make. Where characters have neither token nor
/// bytes, `fusesUnknown` makes one unknown token of those in a row; else each of their bytes is one, as in llama.cpp.
std::unique_ptr<Model> sentencePieceModel(const isa::Tokenizer &data, bool fusesUnknown = false);

/// The cut of the word whose scores add up to most.
std::unique_ptr<Model> unigramModel(const isa::Tokenizer &data, bool byteFallback);

struct WordPieceOptions {
  std::string innerPrefix = "##"; ///< of pieces but a word's first
  std::size_t longestWord = 100;  ///< in characters; longer ones are unknown
};
/// The longest piece that begins the word, then that which begins the rest.
std::unique_ptr<Model> wordPieceModel(const isa::Tokenizer &data, WordPieceOptions options);

/// The word is a token, or it is unknown.
std::unique_ptr<Model> wordLevelModel(const isa::Tokenizer &data);

} // namespace lpu::text
