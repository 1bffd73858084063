// tokenizer.model files as SentencePiece's own trainer writes them, against that library.
#include "SentencePieceFile.h"

#include "lpu/text/Tokenizer.h"

#include <gtest/gtest.h>
#include <sentencepiece_processor.h>
#include <sentencepiece_trainer.h>

namespace lpu::compiler {

/// The importer's own is linked with its reader of ONNX, which must not be here.
std::string quote(std::string_view text) { return '"' + std::string(text) + '"'; }

namespace {

HfConfig configOf(std::uint32_t vocabulary) {
  HfConfig config;
  config.shape.vocabulary = vocabulary;
  return config;
}

const std::vector<std::string> kTexts = {
    "the quick brown fox jumps over the lazy dog", "she sells sea shells by the sea shore",  "ab abab ababab babab",
    "über größere Häuser, ﬁne ＡＢＣ １２",        "there there the other then <tag> <tag>", "12 123 1234 in 2024"};

class Sentences final : public sentencepiece::SentenceIterator {
public:
  bool done() const override { return at == kTexts.size(); }
  void Next() override { ++at; }
  const std::string &value() const override { return kTexts[at]; }
  sentencepiece::util::Status status() const override { return {}; }

private:
  std::size_t at = 0;
};

const std::vector<std::string> kPrompts = {"",
                                           " ",
                                           "the dog",
                                           "  the   dog  ",
                                           "the\tdog\n\nsea",
                                           "ﬁne ＡＢＣ ①②",
                                           "e\u0301 \u00e9 Häuser",
                                           "日本語 ab",
                                           "🙂🙂 the",
                                           "<tag>a <tag> b<tag><tag>",
                                           "<s> the </s>",
                                           "\u3000wide\u3000space",
                                           "１２３ 123",
                                           "▁the ▁",
                                           "a\u200bb \ufeffc",
                                           "abab 2024",
                                           "\r\n",
                                           "\u1e9b\u0323 ﬃ",
                                           "カ\u3099 ｶﾞ",
                                           "the <unk> end"};

class SentencePieceOracle : public testing::TestWithParam<std::string> {};

TEST_P(SentencePieceOracle, SameIds) {
  std::string bytes;
  Sentences sentences;
  ASSERT_TRUE(sentencepiece::SentencePieceTrainer::Train(
                  "--vocab_size=340 --hard_vocab_limit=false --character_coverage=0.98 --minloglevel=2 "
                  "--user_defined_symbols=<tag> " +
                      GetParam(),
                  &sentences, &bytes)
                  .ok());
  sentencepiece::SentencePieceProcessor processor;
  ASSERT_TRUE(processor.LoadFromSerializedProto(bytes).ok());
  auto data = parseSentencePiece(bytes, "tokenizer.model", "", configOf(0));
  ASSERT_TRUE(data) << data.error().str();
  auto tokenizer = text::Tokenizer::create(*data);
  ASSERT_TRUE(tokenizer);
  EXPECT_EQ((*tokenizer)->bos(), processor.bos_id());
  for (const std::string &prompt : kPrompts) {
    std::vector<int> expected;
    ASSERT_TRUE(processor.Encode(prompt, &expected).ok());
    auto ids = (*tokenizer)->encode(prompt);
    ASSERT_TRUE(ids) << ids.error().str();
    EXPECT_EQ(*ids, expected) << prompt;
  }
}

INSTANTIATE_TEST_SUITE_P(
    Kinds, SentencePieceOracle,
    testing::Values(
        "--model_type=bpe", "--model_type=unigram",
        "--model_type=bpe --byte_fallback=true --normalization_rule_name=identity --remove_extra_whitespaces=false",
        "--model_type=unigram --byte_fallback=true --remove_extra_whitespaces=false",
        "--model_type=bpe --add_dummy_prefix=false --byte_fallback=true",
        "--model_type=unigram --add_dummy_prefix=false --normalization_rule_name=nmt_nfkc_cf",
        "--model_type=unigram --treat_whitespace_as_suffix=true"));

} // namespace
} // namespace lpu::compiler
