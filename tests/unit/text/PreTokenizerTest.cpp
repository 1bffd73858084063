#include "PreTokenizer.h"
#include "lpu/text/PreTokenizers.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace lpu::text {
namespace {

/// Words, joined by '|'.
std::string cut(const std::vector<PreTokenizer> &steps, std::string_view text) {
  std::vector<Word> words{{toText(text), true}};
  for (const PreTokenizer &step : steps)
    EXPECT_TRUE(step(words));
  std::string out;
  for (const Word &word : words)
    out += (out.empty() ? "" : "|") + toBytes(word.text);
  return out;
}

std::vector<PreTokenizer> named(std::string_view name) {
  std::vector<PreTokenizer> steps;
  for (std::string_view pattern : findPreTokenizer(name)->patterns)
    steps.push_back(split(*regexPattern(pattern), SplitBehavior::Isolated));
  return steps;
}

std::string words(std::string_view name, std::string_view text) { return cut(named(name), text); }

/// Of a description's "pre_tokenizer".
std::string described(const char *json, std::string_view text) {
  std::vector<PreTokenizer> steps;
  EXPECT_TRUE(readPreTokenizers(Json::parse(json), steps)) << json;
  return cut(steps, text);
}

std::string refusal(const char *json) {
  std::vector<PreTokenizer> steps;
  Status read = readPreTokenizers(Json::parse(json), steps);
  return read ? "" : read.error().message;
}

TEST(PreTokenizer, Gpt2) {
  EXPECT_EQ(words("gpt-2", "Hello world"), "Hello| world");
  EXPECT_EQ(words("gpt-2", "I'll don't we've THEY'RE"), "I|'ll| don|'t| we|'ve| THEY|'|RE");
  EXPECT_EQ(words("gpt-2", "a  b   \tc"), "a| | b|   |\t|c"); // "\s+(?!\S)" leaves the last space
  EXPECT_EQ(words("gpt-2", "x = 12345, y!"), "x| =| 12345|,| y|!");
  EXPECT_EQ(words("gpt-2", "end  \n"), "end|  \n");
  EXPECT_EQ(words("gpt-2", "one\n\ntwo"), "one|\n|\n|two");
  EXPECT_EQ(words("gpt-2", "Über 日本 5½"), "Über| 日本| 5½");
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

TEST(PreTokenizer, OthersByName) {
  EXPECT_EQ(words("smollm", "in 2024, ok"), "in| |2|0|2|4|,| ok");
  EXPECT_EQ(words("default", "a $12345!!"), "a| |$|123|45|!!");
  EXPECT_EQ(words("tekken", "helloWorld HTTPServer 12"), "hello|World| HTTPServer| |1|2");
  EXPECT_EQ(words("gpt-4o", "helloWorld's 1234/\n"), "hello|World's| |123|4|/\n");
  EXPECT_EQ(words("deepseek-v3", "a漢字b 12345 .x"), "a|漢字|b| |123|45| .|x");
  EXPECT_EQ(words("deepseek-llm", "ab 漢字! 12"), "ab| |漢字|!| |12");
  EXPECT_EQ(words("deepseek-coder", "ab!\n12"), "ab|!|\n|1|2");
  EXPECT_EQ(words("bloom", "one, two"), "one|,| two");
  EXPECT_EQ(words("superbpe", "1234567"), "1|234|567");
}

TEST(PreTokenizer, EveryNameHasPatternsThatCompile) {
  std::string names = preTokenizerNames() + ", ";
  std::size_t count = 0;
  for (std::size_t at = 0, end; (end = names.find(", ", at)) != std::string::npos; at = end + 2, ++count) {
    const NamedPreTokenizer *found = findPreTokenizer(names.substr(at, end - at));
    ASSERT_TRUE(found);
    for (std::string_view pattern : found->patterns)
      EXPECT_TRUE(regexPattern(pattern)) << pattern;
  }
  EXPECT_GE(count, 60u);
}

TEST(PreTokenizer, BosByName) {
  for (const char *name : {"llama-bpe", "llama3", "llama-v3", "falcon3", "pixtral", "tekken", "chameleon"})
    EXPECT_TRUE(findPreTokenizer(name)->addsBos) << name;
  for (const char *name : {"default", "gpt-2", "qwen2", "deepseek-r1-qwen", "megrez", "smaug-bpe", "smollm", "gpt-4o"})
    EXPECT_FALSE(findPreTokenizer(name)->addsBos) << name;
}

TEST(PreTokenizer, UnknownNamesAreNotGuessed) {
  EXPECT_FALSE(findPreTokenizer("qwen"));
  EXPECT_FALSE(findPreTokenizer(""));
}

TEST(PreTokenizer, ByteLevel) {
  EXPECT_EQ(described(R"({"type": "ByteLevel"})", "Hi there"), "ĠHi|Ġthere");
  EXPECT_EQ(described(R"({"type": "ByteLevel"})", " Hi"), "ĠHi");
  EXPECT_EQ(described(R"({"type": "ByteLevel", "add_prefix_space": false})", "é"), "Ã©");
  EXPECT_EQ(described(R"({"type": "ByteLevel", "add_prefix_space": false, "use_regex": false})", "a b\n"), "aĠbĊ");
}

TEST(PreTokenizer, Digits) {
  EXPECT_EQ(described(R"({"type": "Digits", "individual_digits": true})", "a12b"), "a|1|2|b");
  EXPECT_EQ(described(R"({"type": "Digits"})", "a12b½"), "a|12|b|½");
}

TEST(PreTokenizer, SplitBehaviors) {
  auto with = [](std::string behavior, const char *more = "") {
    return described(
        (R"({"type": "Split", "pattern": {"String": "-"}, "behavior": ")" + behavior + "\"" + more + "}").c_str(),
        "the-final--countdown");
  };
  EXPECT_EQ(with("Removed"), "the|final|countdown");
  EXPECT_EQ(with("Isolated"), "the|-|final|-|-|countdown");
  EXPECT_EQ(with("MergedWithPrevious"), "the-|final-|-|countdown");
  EXPECT_EQ(with("MergedWithNext"), "the|-final|-|-countdown");
  EXPECT_EQ(with("Contiguous"), "the|-|final|--|countdown");
  EXPECT_EQ(with("Removed", R"(, "invert": true)"), "-|-|-");
  EXPECT_EQ(
      described(R"({"type": "Split", "pattern": {"Regex": "\\d+|[^\\d]"}, "behavior": "Removed", "invert": true})",
                "a12"),
      "a|12");
}

TEST(PreTokenizer, SpacesAndPunctuation) {
  EXPECT_EQ(described(R"({"type": "Whitespace"})", "Hey, man! x_1  ok"), "Hey|,|man|!|x_1|ok");
  EXPECT_EQ(described(R"({"type": "WhitespaceSplit"})", "Hey, man!\u00a0ok "), "Hey,|man!|ok");
  EXPECT_EQ(described(R"({"type": "Punctuation"})", "a!?b$…"), "a|!|?|b|$|…");
  EXPECT_EQ(described(R"({"type": "Punctuation", "behavior": "Contiguous"})", "a!?b"), "a|!?|b");
  EXPECT_EQ(described(R"({"type": "BertPreTokenizer"})", "it's ok."), "it|'|s|ok|.");
  EXPECT_EQ(described(R"({"type": "CharDelimiterSplit", "delimiter": "_"})", "a_b__c"), "a|b|c");
}

TEST(PreTokenizer, Metaspace) {
  EXPECT_EQ(described(R"({"type": "Metaspace"})", "Hey  you"), "▁Hey|▁|▁you");
  EXPECT_EQ(described(R"({"type": "Metaspace", "prepend_scheme": "always"})", " Hey"), "▁Hey");
  EXPECT_EQ(described(R"({"type": "Metaspace", "prepend_scheme": "never"})", "Hey you"), "Hey|▁you");
  EXPECT_EQ(described(R"({"type": "Metaspace", "add_prefix_space": false})", "Hey you"), "Hey|▁you");
  EXPECT_EQ(described(R"({"type": "Metaspace", "split": false})", "Hey you"), "▁Hey▁you");
  const char *first = R"({"type": "Sequence", "pretokenizers": [{"type": "WhitespaceSplit"},
                          {"type": "Metaspace", "prepend_scheme": "first"}]})";
  EXPECT_EQ(described(first, "Hey you"), "▁Hey|you");
  EXPECT_EQ(described(first, " Hey"), "Hey");
}

TEST(PreTokenizer, WhatIsNotKnownIsNamed) {
  std::string unknown = refusal(R"({"type": "Sequence", "pretokenizers": [{"type": "Digits"}, {"type": "Morse"}]})");
  EXPECT_NE(unknown.find("\"Morse\""), std::string::npos) << unknown;
  EXPECT_NE(unknown.find("WhitespaceSplit"), std::string::npos) << unknown;
  EXPECT_NE(refusal(R"({"type": "Split", "pattern": {"Regex": "(a"}, "behavior": "Isolated"})").find("'(a'"),
            std::string::npos);
  EXPECT_NE(refusal(R"({"type": "Split", "pattern": {"String": "a"}, "behavior": "Scattered"})").find("Scattered"),
            std::string::npos);
  EXPECT_NE(refusal(R"({"type": "Metaspace", "prepend_scheme": "last"})").find("last"), std::string::npos);
  EXPECT_NE(refusal(R"({"type": "Digits", "individual_digits": 3})").find("individual_digits"), std::string::npos);
  EXPECT_NE(refusal(R"({"type": "Split", "behavior": "Isolated"})").find("pattern"), std::string::npos);
  EXPECT_NE(refusal("[1]"), "");
}

TEST(PreTokenizer, LongRuns) {
  for (const char *name : {"gpt-2", "llama-bpe", "gpt-4o", "deepseek-v3"})
    for (const char *piece : {" ", "\n", " \n", "a", "!"}) {
      std::string text;
      for (int i = 0; i < 200'000; ++i)
        text += piece;
      EXPECT_EQ(words(name, text).size(), text.size()) << name << " " << piece; // one word
    }
}

TEST(PreTokenizer, AnExpressionThatSearchesForAgesGivesUp) {
  auto pattern = regexPattern("(a|aa)+$");
  ASSERT_TRUE(pattern);
  std::vector<Span> found;
  Status searched = (*pattern)(Text(4000, u'a') + u"b", found);
  ASSERT_FALSE(searched);
  EXPECT_NE(searched.error().message.find("(a|aa)+$"), std::string::npos);
}

RC_GTEST_PROP(PreTokenizer, WordsAreTheText, (const std::string &text)) {
  for (const char *name : {"default", "gpt-2", "smollm", "llama-bpe", "qwen2", "tekken", "gpt-4o", "deepseek-llm",
                           "deepseek-v3", "falcon", "bloom"}) {
    std::vector<Word> words{{toText(text), true}};
    std::string joined;
    for (const PreTokenizer &step : named(name))
      RC_ASSERT(bool(step(words)));
    for (const Word &word : words)
      joined += toBytes(word.text);
    RC_ASSERT(joined == text);
  }
}

TEST(PreTokenizer, UnicodeScripts) {
  const char *json = R"({"type": "UnicodeScripts"})";
  EXPECT_EQ(described(json, "どこで生れ。Yes"), "どこで生れ|。|Yes");
  EXPECT_EQ(described(json, "Apples are りんご 林檎"), "Apples are |りんご 林檎"); // kana go with Han, spaces with any
  EXPECT_EQ(described(json, "カー ー да ja"), "カー ー |да |ja");
  EXPECT_EQ(described(json, "  a"), "a"); // what stands before the first script is lost, as in that library
  EXPECT_EQ(described(json, "  "), "");
}

} // namespace
} // namespace lpu::text
