// SentencePiece's precompiled map of characters: what pieces of text become, as trained models carry it.
#pragma once

#include "lpu/isa/Result.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lpu::text {

/// A trie over UTF-8 whose leaves point into a blob of texts that end with 0.
class Charsmap {
public:
  /// `bytes`: size of the trie in bytes (32 bits, little-endian), its units of 32 bits, the texts. Error: what is wrong
  /// with them.
  static Result<Charsmap> read(std::string_view bytes);

  struct Match {
    std::size_t length = 0; ///< bytes of the beginning
    std::string_view text;  ///< what it becomes: a view of this map
  };
  /// The shortest and the longest beginning of `piece` that are mapped. Nothing: none is.
  std::optional<Match> shortest(std::string_view piece) const { return find(piece, true); }
  std::optional<Match> longest(std::string_view piece) const { return find(piece, false); }

private:
  std::optional<Match> find(std::string_view piece, bool first) const;

  std::vector<std::uint32_t> units;
  std::string texts;
};

} // namespace lpu::text
