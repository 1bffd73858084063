#include "Vocabularies.h"
#include "lpu/text/Utf8.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace lpu::text {
namespace {

using namespace test;

std::string printable(unsigned byte) {
  bool plain = (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte <= 0xAC) || byte >= 0xAE;
  unsigned before = 0; // bytes below this one that have no printable form of their own
  for (unsigned b = 0; b < byte; ++b)
    before += !((b >= 0x21 && b <= 0x7E) || (b >= 0xA1 && b <= 0xAC) || b >= 0xAE);
  std::string out;
  appendUtf8(out, plain ? byte : 0x100 + before);
  return out;
}

/// Ids 0..255 are the bytes; merges make the tokens that follow.
isa::Tokenizer byteLevel(const std::vector<std::string> &merges, const char *pre = "gpt-2") {
  isa::Tokenizer t;
  t.model = "gpt2";
  t.pre = pre;
  t.addBos = false;
  for (unsigned b = 0; b < 256; ++b)
    addToken(t, printable(b), 0, TokenType::Normal);
  for (const std::string &merge : merges) {
    t.merges.push_back(merge);
    std::string joined = merge;
    joined.erase(joined.find(' '), 1);
    addToken(t, joined, 0, TokenType::Normal);
  }
  return t;
}

std::string encoded(const isa::Tokenizer &data, std::string_view text) {
  return spell(data, *tokenizerOf(data)->encode(text));
}

TEST(ByteLevelBpe, MergesByRankInsideWords) {
  // U+0120 is the space's printable form.
  isa::Tokenizer data = byteLevel({"l o", "lo w", "e r", "\xC4\xA0 low", "n e", "w e"});
  EXPECT_EQ(encoded(data, "low"), "low");
  EXPECT_EQ(encoded(data, "low lower"), "low|\xC4\xA0low|er");
  EXPECT_EQ(encoded(data, "newer"), "ne|w|er");               // "e r" ranks above "w e", so no "we"
  EXPECT_EQ(encoded(data, "lo\nw"), "lo|\xC4\x8A|w");         // words are apart
  EXPECT_EQ(encoded(byteLevel({"a a"}), "aaaaa"), "aa|aa|a"); // leftmost first
}

TEST(ByteLevelBpe, WholeWordsSkipMergesWhereThePatternSaysSo) {
  isa::Tokenizer data = byteLevel({"a b"}, "llama-bpe");
  addToken(data, "abc", 0, TokenType::Normal); // no merge makes it
  EXPECT_EQ(encoded(data, "abc"), "abc");
  data.pre = "gpt-2";
  EXPECT_EQ(encoded(data, "abc"), "ab|c");
}

TEST(ByteLevelBpe, ControlTokensAreNotMadeFromTextNorShown) {
  isa::Tokenizer data = byteLevel({"< |", "<| >"});
  data.types.back() = static_cast<std::int32_t>(TokenType::Control);
  EXPECT_EQ(encoded(data, "<|>"), "<||>"); // "<|" and ">": the merge that makes the control token is left out
  EXPECT_EQ(tokenizerOf(data)->bytes(257), "");
}

TEST(ByteLevelBpe, UserDefinedTokensAreSpelledPlainly) {
  isa::Tokenizer data = byteLevel({});
  addToken(data, "<tool call>", 0, TokenType::UserDefined);
  EXPECT_EQ(tokenizerOf(data)->bytes(256), "<tool call>");
}

TEST(ByteLevelBpe, AddedTokensAreOneId) {
  isa::Tokenizer data = byteLevel({});
  addToken(data, "<think>", 0, TokenType::UserDefined);
  addToken(data, "<|im_start|>", 0, TokenType::Control);
  auto tokenizer = tokenizerOf(data);
  EXPECT_EQ(*tokenizer->encode("<think>"), (std::vector<TokenId>{256}));
  EXPECT_EQ(*tokenizer->encode("a<|im_start|>b", {.special = true}), (std::vector<TokenId>{'a', 257, 'b'}));
  EXPECT_EQ(tokenizer->encode("a<|im_start|>b")->size(), 14u);
  EXPECT_EQ(tokenizer->piece(257), "<|im_start|>");
  EXPECT_EQ(tokenizer->piece(258), "");
}

TEST(ByteLevelBpe, ProgramsOfOldHaveNoPreTokenizersName) {
  EXPECT_EQ(encoded(byteLevel({"1 2"}, ""), "12"), "12"); // GPT-2's splitting
}

TEST(ByteLevelBpe, Errors) {
  isa::Tokenizer data = byteLevel({});
  data.merges.push_back("nospace");
  EXPECT_FALSE(Tokenizer::create(data));
  data = byteLevel({}, "morse");
  auto made = Tokenizer::create(data);
  ASSERT_FALSE(made);
  EXPECT_NE(made.error().message.find("\"morse\""), std::string::npos);
  EXPECT_NE(made.error().message.find("deepseek-llm"), std::string::npos);
}

RC_GTEST_PROP(ByteLevelBpe, AnyBytesComeBack, (const std::string &text)) {
  for (const char *pre : {"gpt-2", "llama-bpe", "smollm"}) {
    isa::Tokenizer data = byteLevel({"a b", "ab c", "b c", "\xC4\xA0 a", "\xC4\xA0 \xC4\xA0"}, pre);
    auto tokenizer = tokenizerOf(data);
    RC_ASSERT(tokenizer->decode(*tokenizer->encode(text)) == text);
  }
}

} // namespace
} // namespace lpu::text
