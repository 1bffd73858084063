// Shape and tokenizer of good files, with and without the optional parts.

#include "lpu/compiler/Import/WeightStore.h"

#include "GgufBuilder.h"

#include <gtest/gtest.h>

namespace {

using namespace lpu;
using namespace lpu::compiler;
using lpu::test::GgufBuilder;

std::shared_ptr<WeightStore> openOrFail(const GgufBuilder &builder) {
  std::string path = test::temporaryPath("model.gguf");
  test::writeFile(path, builder.bytes());
  auto store = WeightStore::open(path);
  EXPECT_TRUE(store) << store.error().str();
  return store ? *store : nullptr;
}

TEST(LlamaModel, ReadsAllHyperparameters) {
  auto store = openOrFail(test::TinyLlama{}.build());
  ASSERT_TRUE(store);
  const ModelShape &s = store->shape();
  EXPECT_EQ(s.name, "tiny");
  EXPECT_EQ(s.architecture, "llama");
  EXPECT_EQ(
      std::vector<std::uint32_t>({s.layers, s.hidden, s.heads, s.kvHeads, s.headDim, s.ffn, s.vocabulary, s.context}),
      std::vector<std::uint32_t>({2, 32, 4, 2, 8, 24, 20, 128}));
  EXPECT_EQ(s.eps, 1e-5f);
  EXPECT_EQ(s.ropeBase, 10000.0);
  EXPECT_FALSE(s.tied);
  EXPECT_FALSE(s.ropeFreqs);
  EXPECT_EQ(s.outputName(), "output.weight");
}

TEST(LlamaModel, TiedEmbeddingsAndRopeFrequencies) {
  auto store = openOrFail(test::TinyLlama{.tied = true, .ropeFreqs = true}.build());
  ASSERT_TRUE(store);
  EXPECT_TRUE(store->shape().tied);
  EXPECT_TRUE(store->shape().ropeFreqs);
  EXPECT_EQ(store->shape().outputName(), "token_embd.weight");
}

TEST(LlamaModel, DefaultsOfOptionalKeys) {
  GgufBuilder b = test::TinyLlama{.kvHeads = 4}.build();
  b.erase("llama.attention.head_count_kv")
      .erase("llama.attention.key_length")
      .erase("llama.rope.freq_base")
      .erase("llama.rope.dimension_count");
  auto store = openOrFail(b);
  ASSERT_TRUE(store);
  EXPECT_EQ(store->shape().kvHeads, 4u);
  EXPECT_EQ(store->shape().headDim, 8u);
  EXPECT_EQ(store->shape().ropeBase, 10000.0);
}

TEST(LlamaModel, HeadsMayBeWiderThanTheModel) {
  auto store = openOrFail(test::TinyLlama{.headDim = 16}.build());
  ASSERT_TRUE(store);
  EXPECT_EQ(store->dimensions("blk.0.attn_q.weight"), std::make_pair(64u, 32u));
}

TEST(LlamaModel, SentencePieceTokenizer) {
  auto store = openOrFail(test::TinyLlama{}.build());
  ASSERT_TRUE(store);
  const isa::Tokenizer &t = store->tokenizer();
  EXPECT_EQ(t.model, "llama");
  EXPECT_EQ(t.tokens.size(), 20u);
  EXPECT_EQ(t.tokens[7], "t7");
  EXPECT_EQ(t.scores[7], -1.0f);
  EXPECT_EQ(t.types[7], 1);
  EXPECT_EQ(t.bos, 1);
  EXPECT_EQ(t.eos, 2);
  EXPECT_EQ(t.unknown, 0); // not in the file: the usual one
  EXPECT_TRUE(t.addBos);
  EXPECT_TRUE(t.addSpacePrefix);
}

TEST(LlamaModel, ByteLevelTokenizer) {
  GgufBuilder b = test::TinyLlama{}.build();
  b.string("tokenizer.ggml.model", "gpt2")
      .string("tokenizer.ggml.pre", "llama-bpe")
      .strings("tokenizer.ggml.merges", {"t 1", "t 2"});
  b.erase("tokenizer.ggml.scores").boolean("tokenizer.ggml.add_bos_token", true);
  auto store = openOrFail(b);
  ASSERT_TRUE(store);
  EXPECT_EQ(store->tokenizer().model, "gpt2");
  EXPECT_EQ(store->tokenizer().pre, "llama-bpe");
  EXPECT_EQ(store->tokenizer().merges, (std::vector<std::string>{"t 1", "t 2"}));
  EXPECT_TRUE(store->tokenizer().addBos);
  EXPECT_FALSE(store->tokenizer().addSpacePrefix);
}

TEST(LlamaModel, BosByPreTokenizerWhereNoKeySays) {
  GgufBuilder b = test::TinyLlama{}.build();
  b.string("tokenizer.ggml.model", "gpt2").strings("tokenizer.ggml.merges", {"t 1"});
  auto addsBos = [&](const char *name) {
    auto store = openOrFail(b.string("tokenizer.ggml.pre", name));
    return store && store->tokenizer().addBos;
  };
  EXPECT_TRUE(addsBos("llama-bpe"));
  EXPECT_TRUE(addsBos("falcon3"));
  EXPECT_FALSE(addsBos("qwen2"));
  EXPECT_FALSE(addsBos("smaug-bpe"));
  b.boolean("tokenizer.ggml.add_bos_token", true);
  EXPECT_TRUE(addsBos("qwen2"));
  auto unnamed = openOrFail(b.erase("tokenizer.ggml.pre"));
  ASSERT_TRUE(unnamed);
  EXPECT_EQ(unnamed->tokenizer().pre, "default");
}

TEST(LlamaModel, EndTokensAndTemplateOfChats) {
  GgufBuilder b = test::TinyLlama{}.build();
  b.u32("tokenizer.ggml.eot_token_id", 5)
      .u32("tokenizer.ggml.eom_token_id", 7)
      .string("tokenizer.chat_template", "{{}}");
  auto store = openOrFail(b);
  ASSERT_TRUE(store);
  EXPECT_EQ(store->tokenizer().ends, (std::vector<std::int32_t>{2, 5, 7}));
  EXPECT_EQ(store->tokenizer().chatTemplate, "{{}}");
}

TEST(LlamaModel, UsualTokenIdsOfSentencePiece) {
  GgufBuilder b = test::TinyLlama{}.build();
  b.erase("tokenizer.ggml.bos_token_id").erase("tokenizer.ggml.eos_token_id");
  auto store = openOrFail(b);
  ASSERT_TRUE(store);
  EXPECT_EQ(store->tokenizer().bos, 1);
  EXPECT_EQ(store->tokenizer().eos, 2);
  EXPECT_EQ(store->tokenizer().unknown, 0);

  b.u32("tokenizer.ggml.bos_token_id", 7).u32("tokenizer.ggml.unknown_token_id", 5);
  store = openOrFail(b);
  ASSERT_TRUE(store);
  EXPECT_EQ(store->tokenizer().bos, 7);
  EXPECT_EQ(store->tokenizer().eos, 2);
  EXPECT_EQ(store->tokenizer().unknown, 5);
}

TEST(LlamaModel, NoUsualTokenIdsBeyondTheVocabularyOrForOtherTokenizers) {
  GgufBuilder b = test::TinyLlama{.vocabulary = 2}.build();
  b.erase("tokenizer.ggml.eos_token_id");
  auto store = openOrFail(b);
  ASSERT_TRUE(store);
  EXPECT_EQ(store->tokenizer().bos, 1);
  EXPECT_EQ(store->tokenizer().eos, -1);

  b = test::TinyLlama{}.build();
  b.string("tokenizer.ggml.model", "gpt2").strings("tokenizer.ggml.merges", {"t 1"});
  b.erase("tokenizer.ggml.bos_token_id").erase("tokenizer.ggml.eos_token_id");
  store = openOrFail(b);
  ASSERT_TRUE(store);
  EXPECT_EQ(store->tokenizer().bos, -1);
  EXPECT_EQ(store->tokenizer().eos, -1);
  EXPECT_EQ(store->tokenizer().unknown, -1);
}

std::vector<float> ropeDivisors(const GgufBuilder &builder) {
  auto store = openOrFail(builder);
  if (!store || !store->shape().ropeFreqs)
    return {};
  EXPECT_EQ(store->dimensions(WeightStore::kRopeFreqs), std::make_pair(1u, 4u));
  auto values = store->load(WeightStore::kRopeFreqs);
  EXPECT_TRUE(values) << values.error().str();
  return values ? *values : std::vector<float>();
}

TEST(LlamaModel, LinearRopeScalingDividesFrequencies) {
  GgufBuilder b = test::TinyLlama{}.build();
  b.string("llama.rope.scaling.type", "none").f32("llama.rope.scaling.factor", 4);
  EXPECT_TRUE(ropeDivisors(b).empty());
  b.string("llama.rope.scaling.type", "linear");
  EXPECT_EQ(ropeDivisors(b), std::vector<float>(4, 4.0f));
  b.erase("llama.rope.scaling.type"); // linear is what a factor alone means
  EXPECT_EQ(ropeDivisors(b), std::vector<float>(4, 4.0f));
  b.erase("llama.rope.scaling.factor").f32("llama.rope.scale_linear", 2.5f);
  EXPECT_EQ(ropeDivisors(b), std::vector<float>(4, 2.5f));
  b.f32("llama.rope.scale_linear", 1);
  EXPECT_TRUE(ropeDivisors(b).empty());
}

TEST(LlamaModel, LinearRopeScalingMultipliesTheFilesDivisors) {
  GgufBuilder b = test::TinyLlama{.ropeFreqs = true}.build();
  b.tensorF32("rope_freqs.weight", {4}, {1, 2, 3, 0.5f}).f32("llama.rope.scaling.factor", 8);
  EXPECT_EQ(ropeDivisors(b), (std::vector<float>{8, 16, 24, 4}));
}

TEST(LlamaModel, RopeDivisorsArePositive) {
  for (float bad : {0.0f, -1.0f, 1e-40f}) {
    GgufBuilder b = test::TinyLlama{.ropeFreqs = true}.build();
    b.tensorF32("rope_freqs.weight", {4}, {1, bad, 3, 1});
    auto store = openOrFail(b);
    ASSERT_TRUE(store);
    auto values = store->load(WeightStore::kRopeFreqs);
    ASSERT_FALSE(values) << bad;
    EXPECT_NE(values.error().message.find("value [0, 1] is"), std::string::npos) << values.error().str();
  }
}

TEST(LlamaModel, NoTokenizer) {
  auto store = openOrFail(test::TinyLlama{.tokenizer = false}.build());
  ASSERT_TRUE(store);
  EXPECT_EQ(store->tokenizer().model, "none");
}

} // namespace
