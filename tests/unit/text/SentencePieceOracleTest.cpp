// Google's SentencePiece as the oracle, where it is installed: vocabularies that it trains, on texts of all kinds.
#include "Vocabularies.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#if __has_include(<sentencepiece_processor.h>)
#include <sentencepiece_processor.h>
#include <sentencepiece_trainer.h>

namespace lpu::text {
namespace {

/// Sentences for the trainer.
class Sentences final : public sentencepiece::SentenceIterator {
public:
  bool done() const override { return at == kTexts.size(); }
  void Next() override { ++at; }
  const std::string &value() const override { return kTexts[at]; }
  sentencepiece::util::Status status() const override { return {}; }

private:
  inline static const std::vector<std::string> kTexts{"the quick brown fox jumps over the lazy dog",
                                                      "she sells sea shells by the sea shore",
                                                      "ab abab ababab babab",
                                                      "über größere Häuser",
                                                      "there there the other then",
                                                      "12 123 1234 in 2024"};
  std::size_t at = 0;
};

/// A trained model, and the same vocabulary as a program carries it.
struct Oracle {
  sentencepiece::SentencePieceProcessor processor;
  isa::Tokenizer data;

  explicit Oracle(const std::string &type) {
    std::string model;
    Sentences sentences;
    EXPECT_TRUE(sentencepiece::SentencePieceTrainer::Train(
                    "--model_type=" + type +
                        " --vocab_size=340 --hard_vocab_limit=false --byte_fallback=true --character_coverage=0.98"
                        " --normalization_rule_name=identity --remove_extra_whitespaces=false --minloglevel=2",
                    &sentences, &model)
                    .ok());
    EXPECT_TRUE(processor.LoadFromSerializedProto(model).ok());
    for (int id = 0; id < processor.GetPieceSize(); ++id)
      test::addToken(data, processor.IdToPiece(id), processor.GetScore(id),
                     processor.IsUnknown(id)   ? TokenType::Unknown
                     : processor.IsControl(id) ? TokenType::Control
                     : processor.IsByte(id)    ? TokenType::Byte
                                               : TokenType::Normal);
    data.unknown = processor.unk_id();
    data.bos = processor.bos_id(), data.eos = processor.eos_id();
  }

  std::vector<TokenId> expected(const std::string &text) const {
    std::vector<int> ids;
    EXPECT_TRUE(processor.Encode(text, &ids).ok());
    return ids;
  }
};

Oracle &bytePairs() {
  static Oracle oracle("bpe");
  oracle.data.model = "llama";
  return oracle;
}

Oracle &unigram() {
  static Oracle oracle("unigram");
  oracle.data.model = "pipeline";
  oracle.data.pipeline = R"({"model": {"type": "Unigram", "byte_fallback": true}, "normalizer": {"type": "Sequence",
      "normalizers": [{"type": "Prepend", "prepend": "▁"}, {"type": "Replace", "pattern": {"String": " "},
      "content": "▁"}]}})";
  return oracle;
}

rc::Gen<std::string> texts() {
  return rc::gen::map(rc::gen::container<std::vector<std::string>>(
                          rc::gen::element<std::string>("the", "she", "sea", "ab", "a", "b", " ", "  ", "there", "é",
                                                        "ß", "日本", "🙂", "12", "x", "\n", "ther", "ell", "s")),
                      [](const std::vector<std::string> &parts) {
                        std::string text;
                        for (const std::string &part : parts)
                          text += part;
                        return text;
                      });
}

RC_GTEST_PROP(SentencePieceOracle, BytePairs, ()) {
  const std::string text = *texts();
  RC_ASSERT(*test::tokenizerOf(bytePairs().data)->encode(text) == bytePairs().expected(text));
}

RC_GTEST_PROP(SentencePieceOracle, Unigram, ()) {
  const std::string text = *texts();
  RC_ASSERT(*test::tokenizerOf(unigram().data)->encode(text) == unigram().expected(text));
}

} // namespace
} // namespace lpu::text
#endif
