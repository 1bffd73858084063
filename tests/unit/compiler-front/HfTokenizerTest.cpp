// What the files beside the weights of a Hugging Face folder say of text.
#include "HuggingFace.h"

#include <gtest/gtest.h>

namespace lpu::compiler {
namespace {

constexpr const char *kTokenizer = R"({"model": {"type": "BPE", "vocab": {"a": 0, "b": 1, "ab": 2}, "merges": ["a b"],
    "unk_token": "a"}, "added_tokens": [{"id": 3, "content": "<end>", "special": true, "lstrip": true},
    {"id": 9, "content": "<x>"}], "normalizer": {"type": "NFC"}})";

HfConfig configOf(std::uint32_t vocabulary) {
  HfConfig config;
  config.shape.vocabulary = vocabulary;
  return config;
}

isa::Tokenizer tokenizerOf(const char *text, std::uint32_t vocabulary = 6) {
  auto parsed = parseHfTokenizer(text, "tokenizer.json", configOf(vocabulary));
  EXPECT_TRUE(parsed) << parsed.error().str();
  return parsed ? *parsed : isa::Tokenizer();
}

TEST(HfTokenizer, TablesAndDescription) {
  isa::Tokenizer t = tokenizerOf(kTokenizer);
  EXPECT_EQ(t.model, "pipeline");
  EXPECT_EQ(t.tokens.size(), 10u); // an id beyond the embedding makes room for itself
  EXPECT_EQ(t.tokens[2], "ab");
  EXPECT_EQ(t.tokens[9], "<x>");
  EXPECT_EQ(t.types, (std::vector<std::int32_t>{2, 1, 1, 3, 5, 5, 5, 5, 5, 4}));
  EXPECT_EQ(t.mergePairs, (std::vector<std::int32_t>{0, 1}));
  EXPECT_EQ(t.unknown, 0);
  EXPECT_NE(t.pipeline.find("NFC"), std::string::npos);
  EXPECT_NE(t.pipeline.find("lstrip"), std::string::npos);
  EXPECT_EQ(t.pipeline.find("vocab"), std::string::npos);
}

TEST(HfTokenizer, BosOfTheTemplate) {
  EXPECT_FALSE(tokenizerOf(kTokenizer).addBos);
  isa::Tokenizer t = tokenizerOf(R"({"model": {"type": "BPE", "vocab": {"a": 0, "<s>": 1}, "merges": []},
      "post_processor": {"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "<s>"}}]}})");
  EXPECT_TRUE(t.addBos);
  EXPECT_EQ(t.bos, 1);
}

TEST(HfTokenizer, ModelsWithoutTheirType) {
  EXPECT_NE(tokenizerOf(R"({"model": {"vocab": {"a": 0}, "merges": []}})").pipeline.find("\"BPE\""), std::string::npos);
  isa::Tokenizer unigram = tokenizerOf(R"({"model": {"vocab": [["a", -1.5]], "unk_id": 0}})");
  EXPECT_EQ(unigram.scores.size(), unigram.tokens.size());
  EXPECT_EQ(unigram.scores[0], -1.5f);
  EXPECT_NE(tokenizerOf(R"({"model": {"vocab": {"a": 0}}})").pipeline.find("\"WordLevel\""), std::string::npos);
  EXPECT_NE(tokenizerOf(R"({"model": {"vocab": {"a": 0}, "continuing_subword_prefix": "##"}})")
                .pipeline.find("\"WordPiece\""),
            std::string::npos);
}

TEST(HfTokenizer, EndTokensOfAllFiles) {
  isa::Tokenizer t = tokenizerOf(kTokenizer);
  ASSERT_TRUE(parseGenerationConfig(R"({"eos_token_id": [1, 2, 700]})", "g", 6, t));
  EXPECT_EQ(t.ends, (std::vector<std::int32_t>{1, 2})); // 700 is no token of the model
  ASSERT_TRUE(parseGenerationConfig(R"({"eos_token_id": 4})", "g", 6, t));
  ASSERT_TRUE(parseGenerationConfig(R"({"eos_token_id": null})", "g", 6, t));
  ASSERT_TRUE(parseTokenizerConfig(R"({"eos_token": "<end>"})", "c", t));
  ASSERT_TRUE(parseTokenizerConfig(R"({"eos_token": {"content": "b"}})", "c", t));
  ASSERT_TRUE(parseTokenizerConfig(R"({"eos_token": "<none>"})", "c", t));
  EXPECT_EQ(t.ends, (std::vector<std::int32_t>{1, 2, 4, 3, 1}));
}

TEST(HfTokenizer, EndTokensOfTheModelsConfiguration) {
  auto config = parseHfConfig(R"({"model_type": "llama", "hidden_size": 32, "intermediate_size": 64, "vocab_size": 9,
      "num_hidden_layers": 1, "num_attention_heads": 2, "max_position_embeddings": 64, "rms_norm_eps": 1e-5,
      "hidden_act": "silu", "eos_token_id": [7, 5]})",
                              "config.json");
  ASSERT_TRUE(config) << config.error().str();
  EXPECT_EQ(config->eos, 7);
  EXPECT_EQ(config->ends, (std::vector<std::int32_t>{7, 5}));
}

TEST(HfTokenizer, TemplatesOfChats) {
  isa::Tokenizer t = tokenizerOf(kTokenizer);
  ASSERT_TRUE(parseTokenizerConfig(R"({"chat_template": "{{ x }}"})", "c", t));
  EXPECT_EQ(t.chatTemplate, "{{ x }}");
  ASSERT_TRUE(parseTokenizerConfig(R"({"chat_template": [{"name": "tools", "template": "no"},
                                       {"name": "default", "template": "yes"}]})",
                                   "c", t));
  EXPECT_EQ(t.chatTemplate, "yes");
}

TEST(HfTokenizer, FaultsNameTheFile) {
  for (const char *text : {"7", "{}", R"({"model": {"type": "BPE", "vocab": {"a": -1}, "merges": []}})",
                           R"({"model": {"type": "BPE", "vocab": {"a": 0}, "merges": ["a a"]}})",
                           R"({"model": {"type": "Unigram", "vocab": [["a", "b"]]}})",
                           R"({"model": {"type": "BPE", "vocab": {}, "merges": []}, "decoder": {"type": "CTC"}})"}) {
    auto parsed = parseHfTokenizer(text, "tokenizer.json", configOf(6));
    ASSERT_FALSE(parsed) << text;
    EXPECT_EQ(parsed.error().place, "tokenizer.json");
  }
}

} // namespace
} // namespace lpu::compiler
