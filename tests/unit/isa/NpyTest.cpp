// .npy files: the bytes numpy would write, and what is read back.
#include "lpu/isa/Npy.h"
#include "../../support/TemporaryFolder.h"
#include "lpu/isa/Files.h"

#include <gtest/gtest.h>

namespace lpu {
namespace {

using test::TemporaryFolder;

std::string bytesOf(const std::vector<float> &values, std::vector<std::size_t> shape) {
  return npyBytes(values, shape);
}

// What numpy.save writes for np.array([[0, 1.5, -2]], np.float32).
TEST(Npy, Bytes) {
  std::string bytes = bytesOf({0, 1.5f, -2}, {1, 3});
  std::string header = "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 3), }";
  ASSERT_EQ(bytes.size(), 128u + 12);
  EXPECT_EQ(bytes.substr(0, 10), std::string("\x93NUMPY\x01\x00\x76\x00", 10));
  EXPECT_EQ(bytes.substr(10, 118), header + std::string(117 - header.size(), ' ') + "\n");
  EXPECT_EQ(bytes.substr(128), std::string("\0\0\0\0\0\0\xC0\x3F\0\0\0\xC0", 12));
}

TEST(Npy, HeaderIsAMultipleOf64WhateverTheShape) {
  for (std::size_t rows = 1; rows < 2000000; rows = rows * 10 + 1) {
    std::string bytes = bytesOf({}, {rows, rows});
    EXPECT_EQ(bytes.size() % 64, 0u);
    EXPECT_EQ(bytes.back(), '\n');
    EXPECT_EQ(static_cast<unsigned char>(bytes[8]) + 256u * static_cast<unsigned char>(bytes[9]) + 10, bytes.size());
  }
}

TEST(Npy, FailsWithoutLeavingAFile) {
  Status status = writeNpy("/nonexistent/folder/a.npy", std::vector<float>{1}, 1, 1);
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().place, "/nonexistent/folder/a.npy");
  EXPECT_NE(status.error().message.find("cannot write"), std::string::npos);
}

TEST(NpyRows, ReadsWhatTheWriterWrites) {
  TemporaryFolder folder;
  ASSERT_TRUE(writeNpy(folder / "a.npy", std::vector<float>{1, 2, 3, 4, 5, 6}, 3, 2));
  auto file = NpyRows::open(folder / "a.npy");
  ASSERT_TRUE(file);
  EXPECT_EQ(file->rows(), 3u);
  EXPECT_EQ(file->columns(), 2u);
  std::vector<float> row;
  ASSERT_TRUE(file->next(row));
  ASSERT_TRUE(file->next(row));
  EXPECT_EQ(row, (std::vector<float>{3, 4}));
  ASSERT_TRUE(file->next(row));
  EXPECT_FALSE(file->next(row));
}

TEST(NpyRows, RefusesOtherFiles) {
  TemporaryFolder folder;
  EXPECT_FALSE(NpyRows::open(folder / "none"));
  const std::string good = bytesOf({1, 2}, {1, 2});
  auto refused = [&](const std::string &from, const std::string &to) {
    std::string bytes = good;
    bytes.replace(bytes.find(from), from.size(), to);
    EXPECT_TRUE(writeFileAtomically(folder / "a.npy", bytes));
    return !NpyRows::open(folder / "a.npy");
  };
  EXPECT_FALSE(refused("<f4", "<f4"));
  EXPECT_TRUE(refused("<f4", "<f8"));
  EXPECT_TRUE(refused("False", "True "));
  EXPECT_TRUE(refused("(1, 2)", "(1, 2x"));
  EXPECT_TRUE(refused("(1, 2)", "(2,)  "));
  EXPECT_TRUE(refused("NUMPY", "NUMPI"));
}

TEST(NpyNumbers, IdsOfEitherWidthAndShape) {
  TemporaryFolder folder;
  auto read = [&](const std::string &descr, const std::string &shape, const std::string &data) {
    std::string header = "{'descr': '" + descr + "', 'fortran_order': False, 'shape': " + shape + ", }";
    header.resize(117, ' ');
    EXPECT_TRUE(
        writeFileAtomically(folder / "ids.npy", std::string("\x93NUMPY\x01\x00\x76\x00", 10) + header + "\n" + data));
    return readNpyNumbers(folder / "ids.npy");
  };
  const std::string narrow("\1\0\0\0\xff\xff\xff\xff", 8);
  EXPECT_EQ(*read("<i4", "(2,)", narrow), (std::vector<std::int64_t>{1, -1}));
  EXPECT_EQ(*read("<i4", "(1, 2)", narrow), (std::vector<std::int64_t>{1, -1}));
  EXPECT_EQ(*read("<i8", "(1,)", std::string("\7\0\0\0\0\0\0\0", 8)), (std::vector<std::int64_t>{7}));
  EXPECT_FALSE(read("<i4", "(2, 1)", narrow));
  EXPECT_FALSE(read("<i4", "(3,)", narrow));
  EXPECT_FALSE(read("<f4", "(2,)", narrow));
}

} // namespace
} // namespace lpu
