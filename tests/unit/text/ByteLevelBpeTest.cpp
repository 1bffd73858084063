#include "Vocabularies.h"
#include "lpu/text/PreTokenizer.h"
#include "lpu/text/Unicode.h"
#include "lpu/text/Utf8.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace lpu::text {
namespace {

using namespace test;

std::string words(const char *pattern, std::string_view text) {
  std::string out;
  for (std::string_view word : splitWords(*prePattern(pattern), text))
    out += (out.empty() ? "" : "|") + std::string(word);
  return out;
}

TEST(PreTokenizer, Gpt2) {
  EXPECT_EQ(words("gpt-2", "Hello world"), "Hello| world");
  EXPECT_EQ(words("gpt-2", "I'll don't we've THEY'RE"), "I|'ll| don|'t| we|'ve| THEY|'|RE");
  EXPECT_EQ(words("gpt-2", "a  b   \tc"), "a| | b|   |\t|c"); // "\s+(?!\S)" leaves the last space
  EXPECT_EQ(words("gpt-2", "x = 12345, y!"), "x| =| 12345|,| y|!");
  EXPECT_EQ(words("gpt-2", "end  \n"), "end|  \n");
  EXPECT_EQ(words("gpt-2", "one\n\ntwo"), "one|\n|\n|two");
  EXPECT_EQ(words("gpt-2", "\xC3\x9C"
                           "ber \xE6\x97\xA5\xE6\x9C\xAC 5\xC2\xBD"),
            "\xC3\x9C"
            "ber| \xE6\x97\xA5\xE6\x9C\xAC| 5\xC2\xBD");
  EXPECT_EQ(words("gpt-2", ""), "");
}

TEST(PreTokenizer, Llama3) {
  EXPECT_EQ(words("llama-bpe", "Hello world"), "Hello| world");
  EXPECT_EQ(words("llama-bpe", "THEY'RE we'Ll"), "THEY|'RE| we|'Ll");
  EXPECT_EQ(words("llama-bpe", "1234567 8"), "123|456|7| |8");
  EXPECT_EQ(words("llama-bpe", "a  b"), "a| | b");
  EXPECT_EQ(words("llama-bpe", "(word) \tx"), "(word|)| |\tx");
  EXPECT_EQ(words("llama-bpe", "stop.\n\nnext"), "stop|.\n\n|next");
  EXPECT_EQ(words("llama-bpe", "a \n \n  b"), "a| \n \n| | b");
  EXPECT_EQ(words("qwen2", "123"), "1|2|3");
}

TEST(PreTokenizer, SmolLmCutsDigitsFirst) { EXPECT_EQ(words("smollm", "in 2024, ok"), "in| |2|0|2|4|,| ok"); }

TEST(PreTokenizer, UnknownNamesAreNotGuessed) { EXPECT_FALSE(prePattern("deepseek-llm")); }

RC_GTEST_PROP(PreTokenizer, WordsAreTheText, (const std::string &text)) {
  for (const char *name : {"gpt-2", "smollm", "llama-bpe", "qwen2"}) {
    std::string joined;
    for (std::string_view word : splitWords(*prePattern(name), text)) {
      RC_ASSERT(!word.empty());
      joined += word;
    }
    RC_ASSERT(joined == text);
  }
}

TEST(Unicode, Classes) {
  for (char32_t c :
       {U'a', U'Z', U'\u00AA', U'\u00E9', U'\u0416', U'\u05D0', U'\u3042', U'\u65E5', U'\uAC00', U'\U00010400'})
    EXPECT_TRUE(isLetter(c) && !isNumber(c) && !isSpace(c)) << static_cast<unsigned>(c);
  for (char32_t c : {U'0', U'\u00B2', U'\u00BD', U'\u0664', U'\u2167', U'\u3007'})
    EXPECT_TRUE(isNumber(c) && !isLetter(c)) << static_cast<unsigned>(c);
  for (char32_t c : {U' ', U'\t', U'\u0085', U'\u00A0', U'\u3000'})
    EXPECT_TRUE(isSpace(c) && !isLetter(c)) << static_cast<unsigned>(c);
  for (char32_t c : {U'_', U'-', U'\u0301', U'\u20AC', U'\U0001F642'})
    EXPECT_FALSE(isLetter(c) || isNumber(c) || isSpace(c)) << static_cast<unsigned>(c);
}

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
  EXPECT_EQ(encoded(data, "<|>"),
            "<|||>"); // the bytes '<', '|', '>' after the merged piece was found to be no text token
  EXPECT_EQ(tokenizerOf(data)->bytes(257), "");
}

TEST(ByteLevelBpe, UserDefinedTokensAreSpelledPlainly) {
  isa::Tokenizer data = byteLevel({});
  addToken(data, "<tool call>", 0, TokenType::UserDefined);
  EXPECT_EQ(tokenizerOf(data)->bytes(256), "<tool call>");
}

TEST(ByteLevelBpe, Errors) {
  isa::Tokenizer data = byteLevel({});
  data.merges.push_back("nospace");
  EXPECT_FALSE(Tokenizer::create(data));
  data = byteLevel({}, "deepseek-llm");
  auto ids = tokenizerOf(data)->encode("a");
  ASSERT_FALSE(ids);
  EXPECT_NE(ids.error().message.find("deepseek-llm"), std::string::npos);
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
