// Files appear whole or not at all.
#include "lpu/isa/Files.h"
#include "../../support/TemporaryFolder.h"

#include <gtest/gtest.h>

namespace lpu {
namespace {

using test::TemporaryFolder;

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

TEST(Files, WhatIsNotCommittedDisappears) {
  TemporaryFolder folder;
  {
    PendingFile file(folder / "a");
    file.write("one ");
    file.write("two");
    EXPECT_FALSE(std::filesystem::exists(folder / "a"));
    ASSERT_TRUE(file.commit());
    PendingFile(folder / "a").write("three");
  }
  EXPECT_EQ(*readFile(folder / "a"), "one two");
  EXPECT_EQ(folder.files(), std::vector<std::string>{"a"});
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
} // namespace lpu
