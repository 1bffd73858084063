#include "Vocabularies.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>

namespace lpu::text {
namespace {

using namespace test;

std::vector<TokenId> encode(const isa::Tokenizer &data, std::string_view text) {
  auto tokenizer = Tokenizer::create(data);
  EXPECT_TRUE(tokenizer);
  auto ids = (*tokenizer)->encode(text);
  EXPECT_TRUE(ids) << ids.error().str();
  return *ids;
}

// Segmentations of the reference prompts of stories260K.
TEST(SentencePiece, ReferencePrompts) {
  isa::Tokenizer data = storiesVocabulary();
  auto spelled = [&](const char *text) { return spell(data, encode(data, text)); };
  EXPECT_EQ(spelled("Once upon a time"), "_Once|_upon|_a|_time");
  EXPECT_EQ(spelled("One day, a little boy"), "_One|_day|,|_a|_little|_b|o|y");
  EXPECT_EQ(spelled("The cat and the dog"), "_The|_c|at|_and|_the|_do|g");
  EXPECT_EQ(spelled("Lily wanted to"), "_Lily|_want|ed|_to");
  EXPECT_EQ(spelled("There was a big tree"), "_The|re|_was|_a|_big|_t|re|e");
  EXPECT_EQ(spelled("\"Mom, can I have"), "_\"|M|om|,|_c|an|_I|_ha|ve");
}

TEST(SentencePiece, PromptGetsBosAsTheMetadataSays) {
  isa::Tokenizer data = storiesVocabulary();
  EXPECT_EQ(spell(data, *tokenizerOf(data)->encodePrompt("a")), "<s>|_a");
  data.addBos = false;
  EXPECT_EQ(spell(data, *tokenizerOf(data)->encodePrompt("a")), "_a");
  data.addBos = true, data.addSpacePrefix = false;
  EXPECT_EQ(spell(data, *tokenizerOf(data)->encodePrompt("a")), "<s>|a");
  data.bos = -1;
  EXPECT_EQ(spell(data, *tokenizerOf(data)->encodePrompt("a")), "a");
}

TEST(SentencePiece, EmptyTextHasNoTokens) {
  isa::Tokenizer data = storiesVocabulary();
  EXPECT_TRUE(encode(data, "").empty());
  EXPECT_EQ(spell(data, *tokenizerOf(data)->encodePrompt("")), "<s>");
  EXPECT_EQ(spell(data, encode(data, " ")), "_|_");
}

TEST(SentencePiece, TextBehindASpecialTokenBeginsAnew) {
  isa::Tokenizer data = storiesVocabulary();
  EXPECT_EQ(spell(data, *tokenizerOf(data)->encode("a</s>the", {.special = true})), "_a|</s>|_the");
}

TEST(SentencePiece, TiesGoLeftmostAndBestScoreGoesFirst) {
  isa::Tokenizer data = sentencePiece({"aa", "ab", "a", "b"});
  data.addSpacePrefix = false;
  EXPECT_EQ(spell(data, encode(data, "aaa")), "aa|a");
  EXPECT_EQ(spell(data, encode(data, "aab")), "aa|b"); // "aa" scores above "ab"
  std::swap(data.scores[259], data.scores[260]);
  EXPECT_EQ(spell(data, encode(data, "aab")), "a|ab");
  data.scores.assign(data.scores.size(), 0);
  EXPECT_EQ(spell(data, encode(data, "aab")), "aa|b"); // equal scores: leftmost
  EXPECT_EQ(spell(data, encode(data, "aaaaa")), "aa|aa|a");
}

TEST(SentencePiece, CharactersOutsideTheVocabularyBecomeBytes) {
  isa::Tokenizer data = storiesVocabulary();
  EXPECT_EQ(spell(data, encode(data, "t\xC3\xA9\n")), "_t|<0xC3>|<0xA9>|<0x0A>");
  EXPECT_EQ(spell(data, encode(data, "\xFFt")), "_|<0xFF>|t"); // no UTF-8 at all
}

TEST(SentencePiece, ControlAndByteTokensAreNotMadeFromText) {
  isa::Tokenizer data =
      sentencePiece({"<s", "s>", "<", "s", ">", "0x4", "<0x4", "1", "1>", "0", "x", "4", "0x", "<0x"});
  data.addSpacePrefix = false;
  EXPECT_EQ(spell(data, encode(data, "<s>")), "<s|>");
  EXPECT_EQ(spell(data, encode(data, "<0x41>")), "<0x4|1>");
}

TEST(SentencePiece, WithoutBytesTheUnknownTokenOrAnError) {
  isa::Tokenizer data;
  data.model = "llama";
  addToken(data, "<unk>", 0, TokenType::Unknown);
  addToken(data, "a", 0, TokenType::Normal);
  data.addSpacePrefix = data.addBos = false;
  data.unknown = 0;
  EXPECT_EQ(encode(data, "ab"), (std::vector<TokenId>{1, 0}));
  data.unknown = -1;
  auto ids = tokenizerOf(data)->encode("ab");
  ASSERT_FALSE(ids);
  EXPECT_NE(ids.error().message.find("0x62"), std::string::npos);
}

TEST(SentencePiece, Decoding) {
  isa::Tokenizer data = storiesVocabulary();
  auto tokenizer = tokenizerOf(data);
  EXPECT_EQ(tokenizer->bytes(0), "\xEF\xBF\xBD");
  EXPECT_EQ(tokenizer->bytes(1), "");
  EXPECT_EQ(tokenizer->bytes(3 + 0x41), "A");
  EXPECT_EQ(tokenizer->bytes(3), std::string(1, '\0'));
  EXPECT_EQ(tokenizer->bytes(259), " t");
  EXPECT_EQ(tokenizer->bytes(-1), "");
  EXPECT_EQ(tokenizer->bytes(100000), "");
}

RC_GTEST_PROP(SentencePiece, AnyBytesComeBack, (const std::string &text)) {
  isa::Tokenizer data = storiesVocabulary();
  data.addSpacePrefix = *rc::gen::arbitrary<bool>();
  auto tokenizer = tokenizerOf(data);
  const char *prefix = data.addSpacePrefix && !text.empty() ? " " : "";
  RC_ASSERT(tokenizer->decode(*tokenizer->encode(text)) == prefix + text);
}

/// The rule as it reads: scan all pairs, join the best, start again.
std::vector<TokenId> quadratic(const isa::Tokenizer &data, std::vector<TokenId> ids) {
  while (true) {
    TokenId best = -1;
    std::size_t where = 0;
    for (std::size_t j = 0; j + 1 < ids.size(); ++j) {
      auto found = std::ranges::find(data.tokens, data.tokens[ids[j]] + data.tokens[ids[j + 1]]);
      TokenId joined = found == data.tokens.end() ? -1 : static_cast<TokenId>(found - data.tokens.begin());
      if (joined >= 0 && (best < 0 || data.scores[joined] > data.scores[best]))
        best = joined, where = j;
    }
    if (best < 0)
      return ids;
    ids[where] = best;
    ids.erase(ids.begin() + static_cast<std::ptrdiff_t>(where) + 1);
  }
}

RC_GTEST_PROP(SentencePiece, HeapMergesAsTheRuleReads, ()) {
  isa::Tokenizer data = sentencePiece({"a", "b", "aa", "ab", "ba", "bb", "aab", "aba", "abab", "bba", "aaaa"});
  data.addSpacePrefix = false;
  for (std::size_t id = 259; id < data.scores.size(); ++id)
    data.scores[id] = static_cast<float>(*rc::gen::inRange(0, 4));
  auto text = *rc::gen::container<std::string>(rc::gen::element('a', 'b', 'b', 'a', '\n'));
  std::vector<TokenId> start;
  for (char c : text)
    start.push_back(c == 'a' ? 259 : c == 'b' ? 260 : 3 + c);
  RC_ASSERT(encode(data, text) == quadratic(data, start));
}

TEST(Tokenizer, RefusesTablesThatDoNotFit) {
  isa::Tokenizer data = storiesVocabulary();
  data.scores.pop_back();
  EXPECT_FALSE(Tokenizer::create(data));
  data = storiesVocabulary();
  data.types.pop_back();
  EXPECT_FALSE(Tokenizer::create(data));
  data = storiesVocabulary();
  data.eos = 100000;
  EXPECT_FALSE(Tokenizer::create(data));
  data = storiesVocabulary();
  data.model = "rwkv";
  auto made = Tokenizer::create(data);
  ASSERT_FALSE(made);
  EXPECT_NE(made.error().message.find("rwkv"), std::string::npos);
}

TEST(Tokenizer, NoneKnowsNoText) {
  isa::Tokenizer data;
  data.model = "none";
  auto tokenizer = tokenizerOf(data);
  auto ids = tokenizer->encodePrompt("a");
  ASSERT_FALSE(ids);
  EXPECT_NE(ids.error().message.find("--tokens"), std::string::npos);
  EXPECT_EQ(tokenizer->decode({1, 2}), "");
}

} // namespace
} // namespace lpu::text
