#include "lpu/rt/Files.h"
#include "TemporaryFolder.h"

#include <gtest/gtest.h>

#include <cstring>

namespace lpu::rt {
namespace {

using test::TemporaryFolder;

// What numpy.save writes for np.array([[0, 1.5, -2]], np.float32).
TEST(Npy, Bytes) {
  std::string bytes = npyBytes(std::vector<float>{0, 1.5f, -2}, 1, 3);
  std::string header = "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 3), }";
  ASSERT_EQ(bytes.size(), 128u + 12);
  EXPECT_EQ(bytes.substr(0, 10), std::string("\x93NUMPY\x01\x00\x76\x00", 10));
  EXPECT_EQ(bytes.substr(10, 118), header + std::string(117 - header.size(), ' ') + "\n");
  EXPECT_EQ(bytes.substr(128), std::string("\0\0\0\0\0\0\xC0\x3F\0\0\0\xC0", 12));
}

TEST(Npy, HeaderIsAMultipleOf64WhateverTheShape) {
  for (std::size_t rows = 1; rows < 2000000; rows = rows * 10 + 1) {
    std::string bytes = npyBytes({}, rows, rows);
    EXPECT_EQ(bytes.size() % 64, 0u);
    EXPECT_EQ(bytes.back(), '\n');
    EXPECT_EQ(static_cast<unsigned char>(bytes[8]) + 256u * static_cast<unsigned char>(bytes[9]) + 10, bytes.size());
  }
}

TEST(Files, WritesWholeAndLeavesNothingBeside) {
  TemporaryFolder folder;
  std::string path = folder / "a.json";
  ASSERT_TRUE(writeFileAtomically(path, "old"));
  ASSERT_TRUE(writeFileAtomically(path, std::string("new\0content", 11)));
  EXPECT_EQ(*readFile(path), std::string("new\0content", 11));
  EXPECT_EQ(folder.files(), std::vector<std::string>{"a.json"});
}

TEST(Files, FollowsLinksAndWritesDevicesInPlace) {
  TemporaryFolder folder;
  ASSERT_TRUE(writeFileAtomically(folder / "real", "1"));
  std::filesystem::create_symlink("real", folder / "link");
  ASSERT_TRUE(writeFileAtomically(folder / "link", "2"));
  EXPECT_TRUE(std::filesystem::is_symlink(folder / "link"));
  EXPECT_EQ(*readFile(folder / "real"), "2");
  EXPECT_TRUE(writeFileAtomically("/dev/null", "x"));
  EXPECT_TRUE(std::filesystem::is_character_file("/dev/null"));
  EXPECT_TRUE(checkWritable("/dev/null"));
  EXPECT_FALSE(writeFileAtomically("/dev/full", "x"));
}

TEST(Files, Errors) {
  TemporaryFolder folder;
  for (const std::string &path : {folder / "none" + "/a", folder.path()}) {
    Status status = checkWritable(path);
    ASSERT_FALSE(status);
    EXPECT_EQ(status.error().place, path);
    EXPECT_FALSE(writeFileAtomically(path, "x"));
    EXPECT_FALSE(readFile(path));
  }
  EXPECT_TRUE(folder.files().empty());
  EXPECT_FALSE(readFile(folder / "missing"));
  EXPECT_TRUE(checkWritable(folder / "missing"));
}

} // namespace
} // namespace lpu::rt
