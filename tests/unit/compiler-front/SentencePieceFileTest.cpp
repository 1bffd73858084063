// What is no tokenizer.model, and what stands beside one. Good files: SentencePieceFileOracleTest.cpp.
#include "SentencePieceFile.h"

#include "lpu/text/Tokenizer.h"

#include <gtest/gtest.h>

namespace lpu::compiler {
namespace {

HfConfig configOf(std::uint32_t vocabulary) {
  HfConfig config;
  config.shape.vocabulary = vocabulary;
  return config;
}

std::string refusal(std::string_view bytes, std::string_view settings = "") {
  auto read = parseSentencePiece(bytes, "tokenizer.model", settings, configOf(8));
  return read ? "" : read.error().str();
}

TEST(SentencePieceFile, WhatIsNone) {
  EXPECT_NE(refusal("").find("is no vocabulary of SentencePiece"), std::string::npos);
  EXPECT_NE(refusal("{}").find("is no vocabulary of SentencePiece"), std::string::npos);
  EXPECT_NE(refusal("IQ== 0\nIg== 1\n").find("tiktoken"), std::string::npos);
  EXPECT_NE(refusal(std::string("\x0a\x7f", 2) + "a").find("damaged"), std::string::npos); // longer than the file
  // One piece, and the model type of words.
  EXPECT_NE(refusal(std::string("\x0a\x03\x0a\x01"
                                "a\x12\x02\x18\x03",
                                9))
                .find("words or characters"),
            std::string::npos);
}

TEST(SentencePieceFile, AddedTokensOfTheSettings) {
  const std::string file("\x0a\x05\x0a\x01"
                         "a\x18\x01\x0a\x05\x0a\x01"
                         "b\x18\x01",
                         14);
  auto read = parseSentencePiece(file, "tokenizer.model", R"({"add_bos_token": false, "added_tokens_decoder": {
      "5": {"content": "<|im_end|>", "special": true}, "9": {"content": "<x>", "special": false}}})",
                                 configOf(8));
  ASSERT_TRUE(read) << read.error().str();
  EXPECT_EQ(read->tokens.size(), 10u); // an id beyond the embedding makes room for itself
  EXPECT_EQ(read->tokens[5], "<|im_end|>");
  EXPECT_EQ(read->types[5], 3);
  EXPECT_EQ(read->types[9], 4);
  EXPECT_FALSE(read->addBos);
  EXPECT_NE(refusal(file, R"({"added_tokens_decoder": {"x": {"content": "y"}}})").find("added token"),
            std::string::npos);
  EXPECT_NE(refusal(file, "{]").find("JSON"), std::string::npos);
}

} // namespace
} // namespace lpu::compiler
