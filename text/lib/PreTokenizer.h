// Steps that split text into the words inside which a model looks for tokens.
#pragma once

#include "Steps.h"

#include <cstdint>

namespace lpu::text {

struct Word {
  Text text;            ///< not empty once a step is through
  bool isFirst = false; ///< begins where the whole text does
};

/// Cuts and rewrites words in place. Error: a pattern that takes too long.
using PreTokenizer = std::function<Status(std::vector<Word> &)>;

/// What becomes of the matches of a pattern.
enum class SplitBehavior : std::uint8_t { Removed, Isolated, MergedWithPrevious, MergedWithNext, Contiguous };

/// `inverted`: what lies between the matches is taken for the matches.
PreTokenizer split(Pattern pattern, SplitBehavior behavior, bool inverted = false);
/// Bytes become printable characters.
PreTokenizer byteAlphabet();

/// Appends the steps of a description's "pre_tokenizer".
Status readPreTokenizers(const Json &at, std::vector<PreTokenizer> &out);

} // namespace lpu::text
