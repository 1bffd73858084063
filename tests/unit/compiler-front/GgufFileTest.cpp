// Good GGUF files: every metadata kind and the tensor table come back as written.

#include "lpu/compiler/Import/GgufFile.h"

#include "GgufBuilder.h"

#include <gtest/gtest.h>

namespace {

using namespace lpu;
using namespace lpu::compiler;
using lpu::test::GgufBuilder;

std::shared_ptr<const GgufFile> openOrFail(const GgufBuilder &builder) {
  std::string path = test::temporaryPath("good.gguf");
  test::writeFile(path, builder.bytes());
  auto file = GgufFile::open(path);
  EXPECT_TRUE(file) << file.error().str();
  return file ? *file : nullptr;
}

GgufBuilder oneTensor() {
  GgufBuilder b;
  b.tensorF32("w", {4, 2}, {1, 2, 3, 4, 5, 6, 7, 8});
  return b;
}

TEST(GgufFile, ReadsVersionsTwoAndThree) {
  for (std::uint32_t version : {2u, 3u}) {
    GgufBuilder b = oneTensor();
    b.version = version;
    auto file = openOrFail(b);
    ASSERT_TRUE(file);
    EXPECT_EQ(file->version(), version);
  }
}

TEST(GgufFile, FindsTensorsWithRowsAndColumns) {
  GgufBuilder b = oneTensor();
  b.tensorF32("v", {3}, {9, 8, 7});
  auto file = openOrFail(b);
  ASSERT_TRUE(file);
  const GgufTensor *w = file->findTensor("w"), *v = file->findTensor("v");
  ASSERT_TRUE(w && v);
  EXPECT_EQ(w->rows, 2u);
  EXPECT_EQ(w->cols, 4u);
  EXPECT_EQ(w->bytes, 32u);
  EXPECT_EQ(v->rows, 1u);
  EXPECT_EQ(v->cols, 3u);
  EXPECT_EQ(file->findTensor("x"), nullptr);
  float first;
  std::memcpy(&first, file->data(*v).data(), 4);
  EXPECT_EQ(first, 9.0f);
  EXPECT_EQ(v->offset % 32, 0u);
}

TEST(GgufFile, ReadsIntegersOfEveryWidth) {
  GgufBuilder b;
  b.set("u8", 0, {200})
      .set("i8", 1, {100})
      .set("u16", 2, GgufBuilder::raw<std::uint16_t>(60000))
      .set("i16", 3, GgufBuilder::raw<std::int16_t>(30000));
  b.u32("u32", 4000000000u)
      .set("i32", 5, GgufBuilder::raw<std::int32_t>(2000000000))
      .set("u64", 10, GgufBuilder::raw<std::uint64_t>(1ull << 40));
  b.set("i64", 11, GgufBuilder::raw<std::int64_t>(1ll << 41));
  auto file = openOrFail(b);
  ASSERT_TRUE(file);
  auto value = [&](const char *key) {
    auto found = file->unsignedValue(key, UINT64_MAX);
    return found ? found->value_or(0) : 0;
  };
  EXPECT_EQ(value("u8"), 200u);
  EXPECT_EQ(value("i8"), 100u);
  EXPECT_EQ(value("u16"), 60000u);
  EXPECT_EQ(value("i16"), 30000u);
  EXPECT_EQ(value("u32"), 4000000000u);
  EXPECT_EQ(value("i32"), 2000000000u);
  EXPECT_EQ(value("u64"), 1ull << 40);
  EXPECT_EQ(value("i64"), 1ull << 41);
}

TEST(GgufFile, ReadsFloatsBoolsStringsAndArrays) {
  GgufBuilder b;
  b.f32("f32", 1.5f)
      .set("f64", 12, GgufBuilder::raw(2.25))
      .boolean("yes", true)
      .boolean("no", false)
      .string("s", "héllo");
  b.strings("ss", {"a", "", "bc"}).floats("fs", {1, 2, 3}).ints("is", {-1, 7});
  auto file = openOrFail(b);
  ASSERT_TRUE(file);
  EXPECT_EQ(**file->floatValue("f32"), 1.5);
  EXPECT_EQ(**file->floatValue("f64"), 2.25);
  EXPECT_TRUE(**file->boolValue("yes"));
  EXPECT_FALSE(**file->boolValue("no"));
  EXPECT_EQ(**file->stringValue("s"), "héllo");
  EXPECT_EQ(**file->stringArray("ss", 10), (std::vector<std::string>{"a", "", "bc"}));
  EXPECT_EQ(**file->floatArray("fs", 10), (std::vector<float>{1, 2, 3}));
  EXPECT_EQ(**file->intArray("is", 10), (std::vector<std::int32_t>{-1, 7}));
  EXPECT_FALSE(file->floatValue("absent")->has_value());
}

TEST(GgufFile, SkipsNestedArrays) {
  GgufBuilder b;
  auto inner = [](std::vector<std::uint8_t> values) {
    GgufBuilder::Bytes out = GgufBuilder::raw<std::uint32_t>(0);
    auto count = GgufBuilder::raw<std::uint64_t>(values.size());
    out.insert(out.end(), count.begin(), count.end());
    out.insert(out.end(), values.begin(), values.end());
    return out;
  };
  GgufBuilder::Bytes outer = GgufBuilder::raw<std::uint32_t>(9), count = GgufBuilder::raw<std::uint64_t>(2);
  outer.insert(outer.end(), count.begin(), count.end());
  for (auto part : {inner({1, 2}), inner({3})})
    outer.insert(outer.end(), part.begin(), part.end());
  b.set("nested", 9, outer).u32("after", 5);
  auto file = openOrFail(b);
  ASSERT_TRUE(file);
  EXPECT_EQ(**file->unsignedValue("after", 10), 5u);
}

TEST(GgufFile, HonoursTheAlignmentKey) {
  GgufBuilder b = oneTensor();
  b.u32("general.alignment", 256);
  b.alignment = 256;
  b.tensorF32("v", {1}, {42});
  auto file = openOrFail(b);
  ASSERT_TRUE(file);
  EXPECT_EQ(file->findTensor("v")->offset % 256, 0u);
  float value;
  std::memcpy(&value, file->data(*file->findTensor("v")).data(), 4);
  EXPECT_EQ(value, 42.0f);
}

TEST(GgufFile, QuotesTextForErrors) {
  EXPECT_EQ(quote("a\nb\"\x01"), "\"a\\x0ab\\x22\\x01\"");
  EXPECT_EQ(quote(std::string(100, 'x')), "\"" + std::string(64, 'x') + "…\"");
}

} // namespace
