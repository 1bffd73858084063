// Bad GGUF files end in one error that names the file, the place and the cause;
// never in a crash (run under the asan preset) or a large allocation.

#include "lpu/compiler/Import/WeightStore.h"

#include "GgufBuilder.h"

#include <filesystem>
#include <functional>
#include <gtest/gtest.h>

namespace {

using namespace lpu;
using namespace lpu::compiler;
using lpu::test::GgufBuilder;

std::string errorOf(const GgufBuilder::Bytes &bytes) {
  std::string path = test::temporaryPath("bad.gguf");
  test::writeFile(path, bytes);
  auto store = WeightStore::open(path);
  if (store)
    return "";
  EXPECT_EQ(store.error().place, path);
  EXPECT_EQ(store.error().str().find('\n'), std::string::npos);
  return store.error().message;
}

struct BadCase {
  const char *name;
  std::function<void(GgufBuilder &)> damage;
  const char *expected; ///< part of the message
};

void PrintTo(const BadCase &c, std::ostream *out) { *out << c.name; }

class Malformed : public testing::TestWithParam<BadCase> {};

TEST_P(Malformed, IsRejectedWithItsCause) {
  GgufBuilder file = test::TinyLlama{}.build();
  GetParam().damage(file);
  EXPECT_NE(errorOf(file.bytes()).find(GetParam().expected), std::string::npos) << "message: " << errorOf(file.bytes());
}

const char *const kQ = "blk.0.attn_q.weight";

const BadCase kStructure[] = {
    {"WrongMagic", [](auto &f) { f.magic = "GGML"; }, "starts with \"GGML\", not \"GGUF\""},
    {"VersionOne", [](auto &f) { f.version = 1; }, "version 1 is not supported (2 and 3 are)"},
    {"VersionFour", [](auto &f) { f.version = 4; }, "version 4 is not supported"},
    {"BigEndian", [](auto &f) { f.version = 0x03000000; }, "big-endian"},
    {"AbsurdTensorCount", [](auto &f) { f.tensorCount = INT64_MAX; }, "tensor count 9223372036854775807 is impossible"},
    {"AbsurdKeyCount", [](auto &f) { f.keyCount = INT64_MAX; }, "key count 9223372036854775807 is impossible"},
    {"OneKeyTooMany", [](auto &f) { f.keyCount = static_cast<std::int64_t>(f.entries.size()) + 1; }, "at byte"},
    {"OneTensorTooMany", [](auto &f) { f.tensorCount = static_cast<std::int64_t>(f.tensors.size()) + 1; }, "at byte"},
    {"EmptyKey", [](auto &f) { f.u32("", 1); }, "a key is empty"},
    {"LongKey", [](auto &f) { f.u32(std::string(300, 'k'), 1); }, "key of 300 bytes"},
    {"UnknownKind",
     [](auto &f) {
       f.set("odd", 13, {0, 0, 0, 0});
     },
     "value kind 13 does not exist"},
    {"DuplicateKey", [](auto &f) { f.entries.push_back(f.entries[3]); }, "is given twice"},
    {"StringPastEnd", [](auto &f) { f.set("long", 8, GgufBuilder::raw<std::uint64_t>(1 << 20)); },
     "key \"long\" at byte"},
    {"StringLengthWraps", [](auto &f) { f.set("long", 8, GgufBuilder::raw<std::uint64_t>(UINT64_MAX)); },
     "18446744073709551615 bytes"},
    {"BoolOfTwo", [](auto &f) { f.set("maybe", 7, {2}); }, "a bool of value 2"},
    {"ArrayPastEnd",
     [](auto &f) {
       auto value = GgufBuilder::raw<std::uint32_t>(12);
       auto count = GgufBuilder::raw<std::uint64_t>(std::uint64_t{1} << 61);
       value.insert(value.end(), count.begin(), count.end());
       f.set("many", 9, value);
     },
     "2305843009213693952 elements of kind float64"},
    {"DeeplyNestedArray",
     [](auto &f) {
       GgufBuilder::Bytes value;
       for (int i = 0; i < 100; ++i) {
         auto kind = GgufBuilder::raw<std::uint32_t>(9), low = GgufBuilder::raw<std::uint32_t>(1),
              high = GgufBuilder::raw<std::uint32_t>(0);
         for (auto part : {kind, low, high})
           value.insert(value.end(), part.begin(), part.end());
       }
       f.set("deep", 9, value);
     },
     "nested deeper than 4"},
    {"AlignmentZero", [](auto &f) { f.u32("general.alignment", 0); },
     "\"general.alignment\": 0 is not a multiple of 8"},
    {"AlignmentOdd", [](auto &f) { f.u32("general.alignment", 12); }, "12 is not a multiple of 8"},
    {"AlignmentText", [](auto &f) { f.string("general.alignment", "32"); }, "found string, expected an integer"},
    {"NamelessTensor", [](auto &f) { f.at(kQ).name = ""; }, "a tensor has no name"},
    {"NoDimensions", [](auto &f) { f.at(kQ).dims = {}; }, "0 dimensions (1 to 4 are possible)"},
    {"FiveDimensions",
     [](auto &f) {
       f.at(kQ).dims = {32, 32, 1, 1, 1};
     },
     "5 dimensions"},
    {"ZeroDimension",
     [](auto &f) {
       f.at(kQ).dims = {32, 0};
     },
     "dimension 1 is 0"},
    {"ProductWraps",
     [](auto &f) {
       f.at(kQ).dims = {std::uint64_t{1} << 33, std::uint64_t{1} << 33};
     },
     "dimension 1 is 8589934592, impossible"},
    {"UnsupportedType", [](auto &f) { f.at(kQ).type = 21; },
     "IQ3_S are not supported (F32, F16, BF16, Q8_0, Q4_0, Q4_1, Q5_0, Q5_1, Q2_K, Q3_K, Q4_K, Q5_K, Q6_K, IQ4_NL, "
     "IQ4_XS are)"},
    {"UnknownType", [](auto &f) { f.at(kQ).type = 4711; }, "type 4711 are not supported"},
    {"PartialBlocks", [](auto &f) { f.at("blk.0.ffn_down.weight").type = 8; },
     "rows of 24 values are not whole Q8_0 blocks of 32"},
    {"PartialQ41", [](auto &f) { f.at("blk.0.ffn_down.weight").type = 3; }, "not whole Q4_1 blocks of 32"},
    {"PartialQ50", [](auto &f) { f.at("blk.0.ffn_down.weight").type = 6; }, "not whole Q5_0 blocks of 32"},
    {"PartialQ51", [](auto &f) { f.at("blk.0.ffn_down.weight").type = 7; }, "not whole Q5_1 blocks of 32"},
    {"PartialQ4K", [](auto &f) { f.at(kQ).type = 12; }, "rows of 32 values are not whole Q4_K blocks of 256"},
    {"PartialQ5K",
     [](auto &f) {
       f.tensor(kQ, {320, 4}, 13, GgufBuilder::Bytes(4 * 2 * 176));
     },
     "rows of 320 values are not whole Q5_K blocks of 256"},
    {"PartialQ6K",
     [](auto &f) {
       f.tensor(kQ, {16, 256}, 14, GgufBuilder::Bytes(16 * 210));
     },
     "rows of 16 values are not whole Q6_K blocks of 256"},
    {"TypeWantsMoreThanTheFileHolds",
     [](auto &f) {
       f.tensor("token_embd.weight", {256, std::uint64_t{1} << 39}, 14, GgufBuilder::Bytes(210));
     },
     "its data (115448720916480 bytes at"},
    {"MisalignedOffset", [](auto &f) { f.at(kQ).offset = 12345; },
     "offset 12345 is not a multiple of the alignment 32"},
    {"OffsetPastEnd", [](auto &f) { f.at(kQ).offset = 1 << 30; }, "passes the end of the file"},
    {"OffsetWraps", [](auto &f) { f.at(kQ).offset = INT64_MAX - 31; }, "passes the end of the file"},
    {"DuplicateTensor", [](auto &f) { f.tensors.push_back(f.at(kQ)); }, "is listed twice"},
    {"OverlappingTensors", [](auto &f) { f.at(kQ).offset = 0; }, "overlap"},
};
INSTANTIATE_TEST_SUITE_P(Structure, Malformed, testing::ValuesIn(kStructure),
                         [](const auto &info) { return info.param.name; });

const BadCase kModel[] = {
    {"NoArchitecture", [](auto &f) { f.erase("general.architecture"); }, "\"general.architecture\" is missing"},
    {"OtherArchitecture", [](auto &f) { f.string("general.architecture", "mamba"); },
     "architecture \"mamba\" is not supported (\"llama\", \"qwen2\", \"qwen3\", \"phi3\", \"granite\", \"smollm3\", "
     "\"olmo2\", \"gemma2\" and \"gemma3\" are)"},
    {"ArchitectureNumber", [](auto &f) { f.u32("general.architecture", 1); }, "found uint32, expected string"},
    {"NoBlockCount", [](auto &f) { f.erase("llama.block_count"); }, "\"llama.block_count\" is missing"},
    {"ZeroHeads", [](auto &f) { f.u32("llama.attention.head_count", 0); }, "is 0, at least 1"},
    {"NegativeLayers", [](auto &f) { f.set("llama.block_count", 5, GgufBuilder::raw<std::int32_t>(-2)); },
     "a negative value is out of range"},
    {"AbsurdLayers", [](auto &f) { f.u32("llama.block_count", 4000000000u); }, "4000000000 is out of range"},
    {"FloatContext", [](auto &f) { f.f32("llama.context_length", 128); }, "found float32, expected an integer"},
    {"HeadsPerLayer",
     [](auto &f) {
       f.ints("llama.attention.head_count_kv", {2, 2});
     },
     "found array of int32, expected an integer"},
    {"KvHeadsDoNotDivide", [](auto &f) { f.u32("llama.attention.head_count_kv", 3); },
     "3, which does not divide the 4 heads"},
    {"HiddenNotDivisible", [](auto &f) { f.erase("llama.attention.key_length").u32("llama.attention.head_count", 5); },
     "32, not divisible by 5 heads"},
    {"OddHead", [](auto &f) { f.u32("llama.attention.key_length", 7); }, "heads are 7 wide"},
    {"OtherValueLength", [](auto &f) { f.u32("llama.attention.value_length", 16); }, "expected the key length 8"},
    {"NoEpsilon", [](auto &f) { f.erase("llama.attention.layer_norm_rms_epsilon"); },
     "layer_norm_rms_epsilon\" is missing"},
    {"NegativeEpsilon", [](auto &f) { f.f32("llama.attention.layer_norm_rms_epsilon", -1); },
     "a positive number is needed"},
    {"NanRopeBase", [](auto &f) { f.f32("llama.rope.freq_base", std::numeric_limits<float>::quiet_NaN()); },
     "a positive number is needed"},
    {"PartialRope", [](auto &f) { f.u32("llama.rope.dimension_count", 4); },
     "rope over a part of each head is not supported"},
    {"ScaledRope", [](auto &f) { f.string("llama.rope.scaling.type", "yarn"); },
     "\"yarn\"; only \"none\" and \"linear\" are supported"},
    {"LinearRopeWithoutFactor", [](auto &f) { f.string("llama.rope.scaling.type", "linear"); },
     "\"llama.rope.scaling.factor\" is missing"},
    {"RopeFactorZero", [](auto &f) { f.f32("llama.rope.scaling.factor", 0); }, "a positive number is needed"},
    {"RopeFactorTiny", [](auto &f) { f.f32("llama.rope.scaling.factor", 1e-30f); }, "out of range (1/1024 to 1048576)"},
    {"RopeFactorHuge", [](auto &f) { f.f32("llama.rope.scale_linear", 1e30f); }, "out of range (1/1024 to 1048576)"},
    {"Experts", [](auto &f) { f.u32("llama.expert_count", 8); }, "mixtures of experts are not supported"},
    {"VocabularyMismatch", [](auto &f) { f.u32("llama.vocab_size", 99); },
     "is 99, but \"token_embd.weight\" has 20 rows"},
    {"NoEmbedding", [](auto &f) { f.eraseTensor("token_embd.weight"); }, "tensor \"token_embd.weight\" is missing"},
    {"NoQuery", [](auto &f) { f.eraseTensor(kQ); }, "tensor \"blk.0.attn_q.weight\" is missing"},
    {"MissingLayer", [](auto &f) { f.u32("llama.block_count", 3); }, "tensor \"blk.2.attn_norm.weight\" is missing"},
    {"SurplusLayer", [](auto &f) { f.u32("llama.block_count", 1); }, "tensor \"blk.1."},
    {"Bias", [](auto &f) { f.tensorF32("blk.0.attn_q.bias", {32}, std::vector<float>(32)); },
     "\"blk.0.attn_q.bias\" is not part of the supported"},
    {"QueryShape",
     [](auto &f) {
       f.at(kQ).dims = {16, 64};
     },
     "found shape [64, 16], expected [32, 32]"},
    {"NormShape",
     [](auto &f) {
       f.at("output_norm.weight").dims = {16, 2};
     },
     "found shape [2, 16], expected [1, 32]"},
    {"TokenizerUnknown", [](auto &f) { f.string("tokenizer.ggml.model", "bert"); },
     "\"bert\", not supported (\"llama\" and \"gpt2\" are)"},
    {"TokensMissing", [](auto &f) { f.erase("tokenizer.ggml.tokens"); },
     "\"tokenizer.ggml.tokens\" has 0 elements, expected one per token"},
    {"ScoresShort",
     [](auto &f) {
       f.floats("tokenizer.ggml.scores", {1, 2});
     },
     "\"tokenizer.ggml.scores\" has 2 elements"},
    {"TokensAreNumbers",
     [](auto &f) {
       f.ints("tokenizer.ggml.tokens", {1, 2});
     },
     "found array of int32, expected array of string"},
    {"MergesMissing", [](auto &f) { f.string("tokenizer.ggml.model", "gpt2"); },
     "\"tokenizer.ggml.merges\" is missing"},
    {"PreTokenizerUnknown",
     [](auto &f) {
       f.string("tokenizer.ggml.model", "gpt2").strings("tokenizer.ggml.merges", {"t 1"});
       f.string("tokenizer.ggml.pre", "morse");
     },
     "key \"tokenizer.ggml.pre\" is \"morse\", a pre-tokenizer that is not known"},
    {"EosOutside", [](auto &f) { f.u32("tokenizer.ggml.eos_token_id", 20); }, "is 20, beyond the vocabulary of 20"},
};
INSTANTIATE_TEST_SUITE_P(Model, Malformed, testing::ValuesIn(kModel), [](const auto &info) { return info.param.name; });

TEST(GgufTruncated, EveryPrefixIsRejected) {
  GgufBuilder file = test::TinyLlama{.layers = 1, .vocabulary = 4}.build();
  GgufBuilder::Bytes bytes = file.bytes();
  for (std::size_t size = 1; size < bytes.size(); size += size < file.headerSize() ? 1 : 509)
    EXPECT_NE(errorOf({bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size)}), "")
        << "first " << size << " bytes";
}

TEST(GgufTruncated, NamesWhereTheFileEnds) {
  GgufBuilder file = test::TinyLlama{}.build();
  GgufBuilder::Bytes bytes = file.bytes();
  bytes.resize(file.headerSize() - 5);
  std::string at = std::to_string(file.headerSize() - 8);
  EXPECT_EQ(
      errorOf(bytes),
      "tensor \"output.weight\" at byte " + at +
          ": offset needs 8 bytes, the file ends after 3; the file is damaged or incomplete, fetch or export it again");
}

TEST(GgufMissing, FileFolderAndEmptyFile) {
  auto none = WeightStore::open("/nonexistent/model.gguf");
  ASSERT_FALSE(none);
  EXPECT_NE(none.error().message.find("cannot be opened: No such file"), std::string::npos);
  const std::string empty = test::temporaryPath("empty");
  std::filesystem::create_directory(empty);
  auto folder = WeightStore::open(empty);
  ASSERT_FALSE(folder);
  EXPECT_EQ(folder.error().place, empty);
  EXPECT_NE(folder.error().message.find("holds no model"), std::string::npos);
  EXPECT_NE(errorOf({}).find("is empty"), std::string::npos);
}

// Whatever a damaged byte does, opening and loading end in a value or an error.
TEST(GgufDamaged, FlippedBytesNeverCrash) {
  GgufBuilder file = test::TinyLlama{.layers = 1, .vocabulary = 4}.build();
  const GgufBuilder::Bytes good = file.bytes();
  std::uint32_t state = 7;
  int rejected = 0;
  for (int round = 0; round < 3000; ++round) {
    GgufBuilder::Bytes bytes = good;
    state = state * 1664525u + 1013904223u;
    bytes[(state >> 8) % file.headerSize()] ^= static_cast<std::uint8_t>(1u << (state >> 29));
    std::string path = test::temporaryPath("flipped.gguf");
    test::writeFile(path, bytes);
    auto store = WeightStore::open(path);
    rejected += !store;
    if (!store)
      continue;
    for (const char *name : {"token_embd.weight", "blk.0.attn_q.weight", "output.weight"}) {
      auto values = (*store)->load(name);
      EXPECT_TRUE(values || !values.error().message.empty());
    }
  }
  EXPECT_GT(rejected, 1000);
}

} // namespace
