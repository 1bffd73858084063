// Shapes as YAML, and the weights made for them.

#include "lpu/compiler/Import/WeightStore.h"

#include "GgufBuilder.h"

#include <cmath>
#include <filesystem>
#include <gtest/gtest.h>

namespace {

using namespace lpu;
using namespace lpu::compiler;

const std::string kShape = "name: t\n"
                           "source: here\n"
                           "architecture: qwen2\n"
                           "layers: 2\n"
                           "hidden: 64\n"
                           "heads: 4\n"
                           "kv_heads: 2\n"
                           "head_dim: 16\n"
                           "ffn: 100\n"
                           "vocabulary: 50\n"
                           "context: 32\n"
                           "norm_eps: 1e-5\n"
                           "rope_base: 10000\n"
                           "tied_embeddings: true\n";

Result<std::shared_ptr<WeightStore>> open(const std::string &yaml, const std::string &weights) {
  std::string path = test::temporaryPath("shape.yaml");
  test::writeFile(path, {yaml.begin(), yaml.end()});
  return WeightStore::open(WeightStore::shapeName(path, weights));
}

std::string with(const std::string &key, const std::string &line) {
  std::size_t begin = kShape.find(key + ":"), end = kShape.find('\n', begin) + 1;
  return kShape.substr(0, begin) + line + kShape.substr(end);
}

TEST(Arch, ReadsEveryKey) {
  auto store = open(kShape, "none");
  ASSERT_TRUE(store) << store.error().str();
  const ModelShape &shape = (*store)->shape();
  EXPECT_EQ(shape.name, "t");
  EXPECT_EQ(shape.origin, "here");
  EXPECT_EQ(shape.architecture, "qwen2");
  EXPECT_EQ((std::array{shape.layers, shape.hidden, shape.heads, shape.kvHeads, shape.headDim, shape.ffn,
                        shape.vocabulary, shape.context}),
            (std::array{2u, 64u, 4u, 2u, 16u, 100u, 50u, 32u}));
  EXPECT_EQ(shape.eps, 1e-5f);
  EXPECT_EQ(shape.ropeBase, 10000.0);
  EXPECT_TRUE(shape.tied);
  EXPECT_EQ((*store)->tokenizer().model, "none");
  EXPECT_EQ((*store)->dimensions("blk.1.ffn_down.weight"), std::make_pair(64u, 100u));
  EXPECT_EQ((*store)->dimensions("blk.1.attn_k.bias"), std::make_pair(1u, 32u));
  EXPECT_FALSE((*store)->has("blk.2.ffn_down.weight"));
  EXPECT_FALSE((*store)->has("output.weight"));
}

TEST(Arch, WithoutWeightsNothingCanBeLoaded) {
  auto store = open(kShape, "none");
  ASSERT_TRUE(store);
  EXPECT_FALSE((*store)->hasWeights());
  auto values = (*store)->quantized("blk.0.attn_q.weight");
  ASSERT_FALSE(values);
  EXPECT_NE(values.error().str().find("has no values; choose --weights=random:SEED instead of none"),
            std::string::npos);
}

TEST(Arch, RandomWeightsDependOnSeedTensorRowAndColumnAlone) {
  auto one = open(kShape, "random:1"), again = open(kShape, "random:1"), two = open(kShape, "random:2");
  ASSERT_TRUE(one && again && two);
  auto q = *(*one)->load("blk.0.attn_q.weight");
  EXPECT_EQ(q, *(*again)->load("blk.0.attn_q.weight"));
  EXPECT_NE(q, *(*two)->load("blk.0.attn_q.weight"));
  EXPECT_NE(q, *(*one)->load("blk.1.attn_q.weight"));
  std::vector<float> row(64);
  ASSERT_TRUE((*one)->loadRow("blk.0.attn_q.weight", 7, row));
  EXPECT_TRUE(std::equal(row.begin(), row.end(), q.begin() + 7 * 64));
  // Every host makes these.
  EXPECT_EQ(q[0], 0x1.a5a568p-4f);
  EXPECT_EQ(q[7 * 64 + 63], 0x1.840894p-4f);
}

TEST(Arch, RandomWeightsHaveTheVarianceOfTrainedOnes) {
  auto store = open(kShape, "random:3");
  ASSERT_TRUE(store);
  for (std::string name : {"blk.0.ffn_gate.weight", "blk.1.ffn_down.weight", "token_embd.weight"}) {
    auto values = *(*store)->load(name);
    double mean = 0, squares = 0;
    for (float v : values)
      mean += v / static_cast<double>(values.size()), squares += v * static_cast<double>(v);
    double cols = (*store)->dimensions(name).second,
           deviation = 1 / std::sqrt(cols * static_cast<double>(values.size()));
    EXPECT_NEAR(mean, 0, 4 * deviation) << name;
    EXPECT_NEAR(squares / static_cast<double>(values.size()) * cols, 1, 0.05) << name;
  }
  auto gains = *(*store)->load("blk.1.ffn_norm.weight"), biases = *(*store)->load("blk.1.attn_v.bias");
  for (float g : gains)
    EXPECT_NEAR(g, 1, 0.1);
  for (float b : biases)
    EXPECT_NEAR(b, 0, 0.1);
}

struct BadShape {
  const char *name;
  std::string yaml, message;
};
void PrintTo(const BadShape &bad, std::ostream *out) { *out << bad.name; }

class Rejected : public testing::TestWithParam<BadShape> {};

TEST_P(Rejected, WithLineAndKey) {
  auto store = open(GetParam().yaml, "none");
  ASSERT_FALSE(store);
  EXPECT_NE(store.error().str().find(GetParam().message), std::string::npos) << store.error().str();
  EXPECT_EQ(store.error().str().find('\n'), std::string::npos);
}

INSTANTIATE_TEST_SUITE_P(
    Arch, Rejected,
    testing::Values(
        BadShape{"Missing", with("ffn", ""), "shape.yaml:1: error: key \"ffn\" is missing"},
        BadShape{"Unknown", kShape + "experts: 8\n", "shape.yaml:15: error: unknown key \"experts\""},
        BadShape{"Twice", kShape + "ffn: 8\n", "shape.yaml:15: error: key \"ffn\" appears twice"},
        BadShape{"Word", with("layers", "layers: two\n"), "shape.yaml:4: error: key \"layers\" must be a whole number"},
        BadShape{"Fraction", with("layers", "layers: 2.5\n"),
                 "shape.yaml:4: error: key \"layers\" must be a whole number"},
        BadShape{"List", with("layers", "layers: [2]\n"), "shape.yaml:4: error: key \"layers\" must be a whole number"},
        BadShape{"Zero", with("layers", "layers: 0\n"),
                 "shape.yaml:4: error: key \"layers\" is 0, out of range; 1 to 4096"},
        BadShape{"Huge", with("hidden", "hidden: 99999999999999\n"),
                 "shape.yaml:5: error: key \"hidden\" is 99999999999999, out of range"},
        BadShape{"NaN", with("rope_base", "rope_base: nan\n"),
                 "shape.yaml:13: error: key \"rope_base\" is nan, out of range"},
        BadShape{"Maybe", with("tied_embeddings", "tied_embeddings: maybe\n"),
                 "\"tied_embeddings\" must be true or false"},
        BadShape{"Empty", with("source", "source:\n"), "shape.yaml:2: error: key \"source\" must be a text"},
        BadShape{"Architecture", with("architecture", "architecture: mixtral\n"),
                 "shape.yaml:3: error: architecture \"mixtral\" is not supported"},
        BadShape{"Groups", with("kv_heads", "kv_heads: 3\n"),
                 "shape.yaml:7: error: key \"kv_heads\" is 3, which does not divide the 4 heads"},
        BadShape{"OddHead", with("head_dim", "head_dim: 15\n"),
                 "shape.yaml:8: error: key \"head_dim\" is 15; rope needs an even width"},
        BadShape{"WideHeads", with("head_dim", "head_dim: 65536\n"),
                 "shape.yaml:6: error: 4 heads of 65536 pass the largest width 131072"},
        BadShape{"Text", "just a text\n", "shape.yaml:1: error: a model's shape must be a map of keys"},
        BadShape{"Broken", "name: [\n", "error: not valid YAML"}),
    [](const auto &info) { return std::string(info.param.name); });

TEST(Arch, SaysWhenTheFileIsAbsent) {
  auto store = WeightStore::open(WeightStore::shapeName("/nonexistent/x.yaml", "none"));
  ASSERT_FALSE(store);
  EXPECT_NE(store.error().str().find("/nonexistent/x.yaml: error: cannot be opened"), std::string::npos);
}

TEST(Arch, WeightsAreNoneOrASeed) {
  for (const char *good : {"none", "random:0", "random:18446744073709551615"})
    EXPECT_TRUE(WeightStore::isWeightsChoice(good)) << good;
  for (const char *bad :
       {"", "some", "random", "random:", "random:x", "random:-1", "random:1 ", "random:18446744073709551616"})
    EXPECT_FALSE(WeightStore::isWeightsChoice(bad)) << bad;
}

TEST(Arch, ShippedShapesAreValid) {
  std::size_t count = 0;
  for (const auto &entry : std::filesystem::directory_iterator(LPU_ARCH_DIR)) {
    auto store = WeightStore::open(WeightStore::shapeName(entry.path(), "none"));
    EXPECT_TRUE(store) << store.error().str();
    ++count;
  }
  EXPECT_GE(count, 9u);
}

} // namespace
