// The reader of safetensors files: what it finds, and how it refuses.

#include "SafetensorsFile.h"

#include "GgufBuilder.h"

#include <cstring>
#include <gtest/gtest.h>

namespace {

using namespace lpu;
using namespace lpu::compiler;

Result<std::shared_ptr<const SafetensorsFile>> open(const std::string &table, std::size_t dataBytes,
                                                    std::uint64_t length) {
  std::vector<std::uint8_t> bytes(8 + table.size() + dataBytes);
  std::memcpy(bytes.data(), &length, 8);
  std::memcpy(bytes.data() + 8, table.data(), table.size());
  for (std::size_t i = 0; i < dataBytes; ++i)
    bytes[8 + table.size() + i] = static_cast<std::uint8_t>(i);
  std::string path = test::temporaryPath("x.safetensors");
  test::writeFile(path, bytes);
  return SafetensorsFile::open(path);
}
auto open(const std::string &table, std::size_t dataBytes) { return open(table, dataBytes, table.size()); }

TEST(Safetensors, FindsTensorsOfEveryType) {
  auto file = open(
      R"({"__metadata__":{"format":"pt"},"b":{"dtype":"F16","shape":[2,3],"data_offsets":[4,16]},)"
      R"("a":{"shape":[1],"data_offsets":[0,4],"dtype":"F32"},"c":{"dtype":"I8","shape":[],"data_offsets":[16,17]}}  )",
      17);
  ASSERT_TRUE(file) << file.error().str();
  ASSERT_EQ((*file)->tensors().size(), 3u);
  const SafetensorsTensor *b = (*file)->find("b");
  ASSERT_TRUE(b);
  EXPECT_EQ(b->type, SafetensorsType::F16);
  EXPECT_TRUE(b->hasShape(2, 3));
  EXPECT_FALSE(b->hasShape(3, 2));
  EXPECT_TRUE((*file)->find("a")->hasShape(1, 1));
  EXPECT_EQ((*file)->find("c")->type, SafetensorsType::I8);
  EXPECT_EQ((*file)->find("d"), nullptr);
  std::vector<float> values(2);
  (*file)->decode(*b, 1, values); // bytes 6 to 9
  EXPECT_EQ(values[0], 0x1.c18p-14f);
  EXPECT_EQ(values[1], 0x1.42p-13f);
}

struct BadTable {
  const char *name;
  std::string table;
  std::size_t dataBytes;
  const char *message;
};
void PrintTo(const BadTable &bad, std::ostream *out) { *out << bad.name; }

class MalformedFolder : public testing::TestWithParam<BadTable> {};

TEST_P(MalformedFolder, IsRefusedInOneLine) {
  auto file = open(GetParam().table, GetParam().dataBytes);
  ASSERT_FALSE(file);
  EXPECT_NE(file.error().str().find(GetParam().message), std::string::npos) << file.error().str();
  EXPECT_EQ(file.error().str().find('\n'), std::string::npos);
}

std::string tensor(const std::string &fields) { return R"({"t":{)" + fields + "}}"; }

INSTANTIATE_TEST_SUITE_P(
    Safetensors, MalformedFolder,
    testing::Values(
        BadTable{"Empty", "", 0, "not valid JSON"}, BadTable{"Cut", R"({"t":{"dtype")", 0, "not valid JSON at byte"},
        BadTable{"List", "[]", 0, "is no object"}, BadTable{"Number", "{\"t\":1}", 0, "wrong kind"},
        BadTable{"Nested", R"({"t":{"dtype":{}}})", 0, "wrong kind"},
        BadTable{"DeepLists", std::string(100000, '['), 0, "is no object"},
        BadTable{"ListOfLists", tensor(R"("shape":[[1]])"), 0, "wrong kind"},
        BadTable{"NoType", tensor(R"("shape":[1],"data_offsets":[0,4])"), 4, "lacks one of"},
        BadTable{"NoShape", tensor(R"("dtype":"F32","data_offsets":[0,4])"), 4, "lacks one of"},
        BadTable{"NoOffsets", tensor(R"("dtype":"F32","shape":[1])"), 4, "lacks one of"},
        BadTable{"OneOffset", tensor(R"("dtype":"F32","shape":[1],"data_offsets":[0])"), 4, "lacks one of"},
        BadTable{"ThreeOffsets", tensor(R"("dtype":"F32","shape":[1],"data_offsets":[0,4,4])"), 4, "too many numbers"},
        BadTable{"NineDimensions", tensor(R"("dtype":"F32","shape":[1,1,1,1,1,1,1,1,1],"data_offsets":[0,4])"), 4,
                 "too many numbers"},
        BadTable{"ShapeTwice", tensor(R"("shape":[1],"shape":[1])"), 4, "\"shape\" twice"},
        BadTable{"OtherKey", tensor(R"("layout":"F32")"), 4, "unknown key \"layout\""},
        BadTable{"Negative", tensor(R"("dtype":"F32","shape":[-1],"data_offsets":[0,4])"), 4, "wrong kind"},
        BadTable{"Fraction", tensor(R"("dtype":"F32","shape":[1.5],"data_offsets":[0,4])"), 4, "wrong kind"},
        BadTable{"UnknownType", tensor(R"("dtype":"F31","shape":[1],"data_offsets":[0,4])"), 4,
                 "unknown element type \"F31\""},
        BadTable{"Beyond", tensor(R"("dtype":"F32","shape":[2],"data_offsets":[0,8])"), 7,
                 "bytes 0 to 8 of 7 bytes of data"},
        BadTable{"Backwards", tensor(R"("dtype":"F32","shape":[1],"data_offsets":[4,0])"), 4, "bytes 4 to 0"},
        BadTable{"WrongSize", tensor(R"("dtype":"F32","shape":[2],"data_offsets":[0,4])"), 4,
                 "shape and element type F32 do not make"},
        BadTable{"Overflow", tensor(R"("dtype":"F32","shape":[4294967296,4294967296,4],"data_offsets":[0,0])"), 4,
                 "do not make"},
        BadTable{"Overflow64", tensor(R"("dtype":"F32","shape":[2305843009213693952],"data_offsets":[0,0])"), 4,
                 "do not make"},
        BadTable{
            "Overlap",
            R"({"a":{"dtype":"I8","shape":[4],"data_offsets":[0,4]},"b":{"dtype":"I8","shape":[4],"data_offsets":[3,7]}})",
            8, "overlap"},
        BadTable{
            "Twice",
            R"({"a":{"dtype":"I8","shape":[4],"data_offsets":[0,4]},"a":{"dtype":"I8","shape":[4],"data_offsets":[4,8]}})",
            8, "\"a\" appears twice"}),
    [](const auto &info) { return std::string(info.param.name); });

TEST(Safetensors, RefusesLengthsBeyondTheFile) {
  for (std::uint64_t length : {std::uint64_t{3}, std::uint64_t{100'000'001}, UINT64_MAX, UINT64_MAX - 7}) {
    auto file = open("{}", 0, length);
    ASSERT_FALSE(file);
    EXPECT_NE(file.error().str().find("the table's length"), std::string::npos) << file.error().str();
  }
  auto empty = open("{}", 0);
  EXPECT_TRUE(empty);
}

} // namespace
