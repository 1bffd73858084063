// Tokens that are found in text before it is split into words.
#pragma once

#include "Text.h"
#include "lpu/text/Tokenizer.h"

#include <optional>
#include <unordered_map>
#include <vector>

namespace lpu::text {

struct AddedToken {
  TokenId id;
  Text text; ///< not empty
  bool special = false;
  bool singleWord = false;                    ///< not where a letter or digit touches it
  bool takesLeft = false, takesRight = false; ///< swallows the spaces beside it ("lstrip", "rstrip")
};

/// A piece of a text: a token, or what lies between.
struct Segment {
  TextView text;
  TokenId id = -1; ///< -1: no token
};

class AddedTokens {
public:
  explicit AddedTokens(std::vector<AddedToken> tokens);
  /// The text cut at its tokens, the leftmost first and of those that begin there the longest. Special ones count as
  /// text unless `special`, but nothing is found inside of them. No segment is empty.
  std::vector<Segment> cut(TextView text, bool special) const;

private:
  const AddedToken *longestAt(TextView text, std::size_t at) const;
  int step(int node, char16_t unit) const;

  std::vector<AddedToken> tokens;
  std::unordered_map<std::uint64_t, int> edges; ///< of a trie: (node, unit) → node; 0 is the root
  std::vector<int> tokenAt;                     ///< per node; -1: none ends there
};

} // namespace lpu::text
