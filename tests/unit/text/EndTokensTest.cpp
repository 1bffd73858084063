#include "Vocabularies.h"

#include <gtest/gtest.h>

namespace lpu::text {
namespace {

using namespace test;

std::string ends(const isa::Tokenizer &data) {
  auto tokenizer = tokenizerOf(data);
  std::string out;
  for (TokenId id : tokenizer->endTokens()) {
    EXPECT_TRUE(tokenizer->isEnd(id));
    out += (out.empty() ? "" : " ") + std::string(tokenizer->piece(id));
  }
  return out;
}

TEST(EndTokens, ThoseTheFileNames) {
  isa::Tokenizer data = sentencePiece({"x", "y"});
  EXPECT_EQ(ends(data), "</s>");
  data.ends = {260, 2, 259};
  EXPECT_EQ(ends(data), "</s> x y");
  EXPECT_FALSE(tokenizerOf(data)->isEnd(1));
}

TEST(EndTokens, ThoseKnownByTheirText) {
  isa::Tokenizer data = sentencePiece({});
  for (const char *text : {"<|eot_id|>", "<|im_end|>", "<end_of_turn>", "<|endoftext|>", "<|im_start|>", "<|end|>"})
    addToken(data, text, 0, TokenType::Control);
  addToken(data, "<|eom_id|>", 0, TokenType::Normal); // badly converted files
  EXPECT_EQ(ends(data), "</s> <|eot_id|> <|im_end|> <end_of_turn> <|endoftext|> <|end|> <|eom_id|>");
}

TEST(EndTokens, PlainTextsOnlyWhereTheyAreMarked) {
  isa::Tokenizer data = sentencePiece({});
  data.eos = -1, data.types[2] = static_cast<std::int32_t>(TokenType::Normal);
  addToken(data, "[EOS]", 0, TokenType::Normal);
  EXPECT_EQ(ends(data), "");
  data.types.back() = static_cast<std::int32_t>(TokenType::Control);
  EXPECT_EQ(ends(data), "[EOS]");
}

TEST(EndTokens, HarmonyGoesOnAfterAMessage) {
  isa::Tokenizer data = sentencePiece({});
  for (const char *text : {"<|end|>", "<|return|>", "<|call|>"})
    addToken(data, text, 0, TokenType::Control);
  EXPECT_EQ(ends(data), "</s> <|return|> <|call|>");
}

TEST(EndTokens, WithoutAVocabulary) {
  isa::Tokenizer data;
  data.model = "none";
  data.eos = 7, data.ends = {7, 300};
  auto tokenizer = tokenizerOf(data);
  EXPECT_EQ(std::vector(tokenizer->endTokens().begin(), tokenizer->endTokens().end()), (std::vector<TokenId>{7, 300}));
}

} // namespace
} // namespace lpu::text
