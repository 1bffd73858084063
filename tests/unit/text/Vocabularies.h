// Small vocabularies for tests.
#pragma once

#include "lpu/text/Tokenizer.h"

#include <fmt/format.h>

#include <string>
#include <vector>

namespace lpu::text::test {

/// At the end.
inline void addToken(isa::Tokenizer &to, std::string piece, float score, TokenType type) {
  to.tokens.push_back(std::move(piece));
  to.scores.push_back(score);
  to.types.push_back(static_cast<std::int32_t>(type));
}

/// <unk> <s> </s>, 256 byte tokens from id 3 on, then `pieces` ('_' stands for
/// the space mark), each scoring one less than the one before.
inline isa::Tokenizer sentencePiece(const std::vector<std::string> &pieces) {
  isa::Tokenizer t;
  t.model = "llama";
  t.unknown = 0, t.bos = 1, t.eos = 2;
  addToken(t, "<unk>", 0, TokenType::Unknown);
  addToken(t, "<s>", 0, TokenType::Control);
  addToken(t, "</s>", 0, TokenType::Control);
  for (int b = 0; b < 256; ++b)
    addToken(t, fmt::format("<0x{:02X}>", b), 0, TokenType::Byte);
  float score = 0;
  for (const std::string &piece : pieces) {
    std::string spelled;
    for (char c : piece)
      spelled += c == '_' ? std::string("\xE2\x96\x81") : std::string(1, c);
    addToken(t, spelled, score--, TokenType::Normal);
  }
  return t;
}

/// The part of stories260K's vocabulary that some of its reference prompts touch,
/// in its order (scores fall by one per piece there, too).
inline isa::Tokenizer storiesVocabulary() {
  return sentencePiece({"_t",  "he",    "_a",    "_w",   "nd",    "_the",    "ed",    "_to",  "_b",  "_and",  "_h",
                        "_wa", "_T",    "it",    "re",   "_l",    "_d",      "_c",    "ay",   "er",  "_was",  "om",
                        "im",  "on",    "il",    "_The", "at",    "_ha",     "an",    "le",   "_L",  "_th",   "ily",
                        "_\"", "_Lily", "_u",    "_O",   "_On",   "_day",    "ce",    "ig",   "_up", "_I",    "ve",
                        "nt",  "itt",   "ime",   "_big", "ittle", "_little", "_time", "_One", "her", "_want", "_li",
                        "_do", "_Once", "_upon", "_",    "e",     "a",       "t",     "o",    "h",   "n",     "i",
                        "d",   "s",     "r",     "l",    "y",     "m",       "w",     "u",    "p",   "g",     "c",
                        "b",   ",",     "T",     "v",    "\"",    "L",       "O",     "I",    "M"});
}

inline std::unique_ptr<Tokenizer> tokenizerOf(const isa::Tokenizer &data) {
  auto made = Tokenizer::create(data);
  return made ? std::move(*made) : nullptr;
}

/// Pieces of `ids`, '_' for the space mark, joined by '|'.
inline std::string spell(const isa::Tokenizer &data, const std::vector<TokenId> &ids) {
  std::string out;
  for (TokenId id : ids) {
    std::string piece = data.tokens.at(id);
    for (std::size_t at; (at = piece.find("\xE2\x96\x81")) != std::string::npos;)
      piece.replace(at, 3, "_");
    out += (out.empty() ? "" : "|") + piece;
  }
  return out;
}

} // namespace lpu::text::test
