#include "Vocabularies.h"

#include <gtest/gtest.h>

namespace lpu::text {
namespace {

using namespace test;

/// Pieces with ids from 0 on; `description` may leave out all but the model's type.
isa::Tokenizer pipeline(const std::vector<std::string> &pieces, std::string description,
                        const std::vector<float> &scores = {}) {
  isa::Tokenizer data;
  data.model = "pipeline";
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    bool isByte = pieces[i].starts_with("<0x");
    addToken(data, pieces[i], i < scores.size() ? scores[i] : 0,
             isByte                 ? TokenType::Byte
             : pieces[i] == "[UNK]" ? TokenType::Unknown
                                    : TokenType::Normal);
    if (pieces[i] == "[UNK]")
      data.unknown = static_cast<TokenId>(i);
  }
  data.pipeline = std::move(description);
  return data;
}

std::string encoded(const isa::Tokenizer &data, std::string_view text, EncodeOptions options = {}) {
  auto made = Tokenizer::create(data);
  EXPECT_TRUE(made) << made.error().str();
  auto ids = (*made)->encode(text, options);
  return ids ? spell(data, *ids) : "error: " + ids.error().message;
}

std::string refusal(const isa::Tokenizer &data) {
  auto made = Tokenizer::create(data);
  return made ? "" : made.error().message;
}

TEST(Description, BytePairs) {
  isa::Tokenizer data = pipeline({"a", "b", "c", "ab", "abc"}, R"({"model": {"type": "BPE"}})");
  data.mergePairs = {0, 1, 3, 2};
  EXPECT_EQ(encoded(data, "abcab"), "abc|ab");
  EXPECT_EQ(encoded(data, "ax").substr(0, 6), "error:");
  data.pipeline = R"({"model": {"type": "BPE", "ignore_merges": true}})";
  data.mergePairs.clear();
  EXPECT_EQ(encoded(data, "abc"), "abc");
  EXPECT_EQ(encoded(data, "abcab"), "a|b|c|a|b");
}

TEST(Description, BytePairsOfPartsOfWords) {
  isa::Tokenizer data = pipeline({"a", "##b", "##c</w>", "a##b", "ab", "abc</w>", "a</w>"}, R"({"model": {"type": "BPE",
      "continuing_subword_prefix": "##", "end_of_word_suffix": "</w>"}, "decoder": {"type": "BPEDecoder"}})");
  data.mergePairs = {0, 1, 4, 2};
  EXPECT_EQ(encoded(data, "abc"), "abc</w>");
  EXPECT_EQ(encoded(data, "a"), "a</w>");
  EXPECT_EQ(tokenizerOf(data)->decode({5, 6}), "abc a ");
}

TEST(Description, UnknownCharactersOfBytePairs) {
  isa::Tokenizer data = pipeline({"[UNK]", "a", "<0xC3>", "<0xA9>"}, R"({"model": {"type": "BPE"}})");
  EXPECT_EQ(encoded(data, "xya"), "[UNK]|[UNK]|a");
  data.pipeline = R"({"model": {"type": "BPE", "fuse_unk": true, "byte_fallback": true}})";
  EXPECT_EQ(encoded(data, "xyaxéyz"), "[UNK]|a|[UNK]|<0xC3>|<0xA9>|[UNK]");
}

TEST(Description, Unigram) {
  isa::Tokenizer data =
      pipeline({"[UNK]", "a", "b", "ab", "abb", "bb"}, R"({"model": {"type": "Unigram"}})", {0, -2, -2, -2.5f, -6, -3});
  EXPECT_EQ(encoded(data, "abb"), "ab|b"); // -4.5, before a|bb (-5) and abb (-6)
  EXPECT_EQ(encoded(data, "xyab"), "[UNK]|ab");
  data.scores[4] = -4;
  EXPECT_EQ(encoded(data, "abb"), "abb");
}

TEST(Description, UnigramFallsBackToBytes) {
  isa::Tokenizer data = pipeline({"a", "<0xC3>", "<0xA9>"}, R"({"model": {"type": "Unigram", "byte_fallback": true}})");
  EXPECT_EQ(encoded(data, "aé"), "a|<0xC3>|<0xA9>");
  EXPECT_EQ(encoded(data, "ax").substr(0, 6), "error:");
}

TEST(Description, WordPiece) {
  isa::Tokenizer data = pipeline({"[UNK]", "un", "##aff", "##able", "aff", ","}, R"({"model": {"type": "WordPiece",
      "continuing_subword_prefix": "##", "max_input_chars_per_word": 20}, "normalizer": {"type": "BertNormalizer"},
      "pre_tokenizer": {"type": "BertPreTokenizer"}, "decoder": {"type": "WordPiece", "prefix": "##"}})");
  EXPECT_EQ(encoded(data, "UNaffable, aff"), "un|##aff|##able|,|aff");
  EXPECT_EQ(encoded(data, "unafx aff"), "[UNK]|aff");
  EXPECT_EQ(encoded(data, std::string(21, 'u')), "[UNK]");
  EXPECT_EQ(tokenizerOf(data)->decode({1, 2, 3}), " unaffable");
}

TEST(Description, WordLevel) {
  isa::Tokenizer data = pipeline({"[UNK]", "red", "fox", ","}, R"({"model": {"type": "WordLevel", "unk_token": "[UNK]"},
      "pre_tokenizer": {"type": "Whitespace"}})");
  EXPECT_EQ(encoded(data, "red  fox, foxy"), "red|fox|,|[UNK]");
  EXPECT_EQ(tokenizerOf(data)->decode({1, 2}), " red fox");
  data.unknown = -1;
  EXPECT_EQ(encoded(data, "foxy").substr(0, 6), "error:");
}

TEST(Description, TokensThatAreNotNormalizedInNormalizedText) {
  isa::Tokenizer data = pipeline({"[UNK]", "▁", "a", "<t>"}, R"({"model": {"type": "SentencePiece"},
      "normalizer": {"type": "SentencePiece"}, "added_tokens": [{"id": 3, "normalized": true, "verbatim": true}]})");
  EXPECT_EQ(encoded(data, "<t>a <t>"), "_|<t>|a|_|<t>");
  EXPECT_EQ(encoded(data, "xy a"), "_|[UNK]|_|a"); // two characters, one unknown token
}

TEST(Description, PromptsBeginAndEndAsTheTemplateSays) {
  std::string model = R"({"model": {"type": "BPE"}, "post_processor": )";
  isa::Tokenizer data = pipeline({"a", "<s>", "</s>"}, model + R"({"type": "TemplateProcessing", "single": [
      {"SpecialToken": {"id": "<s>"}}, {"Sequence": {"id": "A"}}, {"SpecialToken": {"id": "</s>"}}],
      "special_tokens": {"<s>": {"id": "<s>", "ids": [1]}, "</s>": {"ids": [2, 2]}}}})");
  auto tokenizer = tokenizerOf(data);
  EXPECT_EQ(*tokenizer->encodePrompt("a"), (std::vector<TokenId>{1, 0, 2, 2}));
  EXPECT_TRUE(tokenizer->addsBos());
  EXPECT_EQ(tokenizer->bos(), 1);
  data.pipeline = model + R"({"type": "BertProcessing", "sep": ["</s>", 2], "cls": ["<s>", 1]}})";
  EXPECT_EQ(*tokenizerOf(data)->encodePrompt("a"), (std::vector<TokenId>{1, 0, 2}));
  data.pipeline = model + R"({"type": "ByteLevel"}})";
  EXPECT_FALSE(tokenizerOf(data)->addsBos());
  data.pipeline = model + R"({"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "<x>"}}]}})";
  EXPECT_NE(refusal(data).find("'<x>'"), std::string::npos);
}

TEST(Description, AddedTokensBeforeAndAfterNormalizing) {
  isa::Tokenizer data =
      pipeline({"a", "b", "AB", "É"}, R"({"model": {"type": "BPE"}, "normalizer": {"type": "Lowercase"},
      "added_tokens": [{"id": 2, "normalized": true}, {"id": 3, "normalized": false, "special": true}]})");
  data.types[2] = static_cast<std::int32_t>(TokenType::UserDefined);
  EXPECT_EQ(encoded(data, "Abba"), "AB|b|a");
  EXPECT_EQ(encoded(data, "aÉb", {.special = true}), "a|É|b");
  EXPECT_EQ(encoded(data, "aéb", {.special = true}).substr(0, 6), "error:");
}

TEST(Description, DecodersOfBytes) {
  isa::Tokenizer data = pipeline({"Ã©", "Ġa", "é"}, R"({"model": {"type": "BPE"}, "decoder": {"type": "ByteLevel"}})");
  data.types[2] = static_cast<std::int32_t>(TokenType::UserDefined);
  EXPECT_EQ(tokenizerOf(data)->decode({0, 1, 2}), "é aé");
  data = pipeline({"▁a", "<0x41>"}, R"({"model": {"type": "BPE", "byte_fallback": true}, "decoder": {"type": "Sequence",
      "decoders": [{"type": "Replace", "pattern": {"String": "▁"}, "content": " "}, {"type": "ByteFallback"},
      {"type": "Fuse"}, {"type": "Strip", "content": " ", "start": 1, "stop": 0}]}})");
  EXPECT_EQ(tokenizerOf(data)->decode({0, 1, 0}), " aA a");
}

TEST(Description, WhatIsNotKnownIsNamedInEveryStage) {
  for (const char *stage : {"normalizer", "pre_tokenizer", "post_processor", "decoder"}) {
    isa::Tokenizer data =
        pipeline({"a"}, fmt::format(R"({{"model": {{"type": "BPE"}}, "{}": {{"type": "Morse"}}}})", stage));
    EXPECT_NE(refusal(data).find("\"Morse\" is not supported"), std::string::npos) << refusal(data);
  }
  EXPECT_NE(refusal(pipeline({"a"}, R"({"model": {"type": "Morse"}})")).find("\"Morse\""), std::string::npos);
  EXPECT_NE(refusal(pipeline({"a"}, R"({"model": {"type": "BPE"}, "added_tokens": [{"id": 1}]})")).find("1 tokens"),
            std::string::npos);
  EXPECT_NE(refusal(pipeline({"a"}, "{]")).find("JSON"), std::string::npos);
  EXPECT_NE(refusal(pipeline({"a"}, "")).find("JSON"), std::string::npos);
}

TEST(Description, TheTemplateOfChatsIsCarried) {
  isa::Tokenizer data = pipeline({"a"}, R"({"model": {"type": "BPE"}})");
  data.chatTemplate = "{{ bos_token }}";
  EXPECT_EQ(tokenizerOf(data)->chatTemplate(), "{{ bos_token }}");
}

} // namespace
} // namespace lpu::text
