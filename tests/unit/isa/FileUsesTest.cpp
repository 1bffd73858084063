// An output that is an input is refused, whatever it is called.

#include "lpu/isa/FileUses.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace lpu::isa {
namespace {

namespace fs = std::filesystem;

class FileUsesTest : public ::testing::Test {
protected:
  FileUsesTest() {
    std::string name = (fs::temp_directory_path() / "lpu-uses-XXXXXX").string();
    folder = mkdtemp(name.data());
    write("model.gguf");
  }
  ~FileUsesTest() override { fs::remove_all(folder); }

  std::string at(const std::string &name) const { return (folder / name).string(); }
  void write(const std::string &name) const {
    fs::create_directories(fs::path(at(name)).parent_path());
    std::ofstream(at(name)) << "x";
  }
  bool accepts(const std::string &input, const std::string &output) const {
    return bool(checkOutputs({{"the model", at(input)}}, {{"-o", at(output)}}));
  }

  fs::path folder;
};

TEST_F(FileUsesTest, NamesOfOneFile) {
  EXPECT_TRUE(accepts("model.gguf", "model.lpx"));
  EXPECT_FALSE(accepts("model.gguf", "model.gguf"));
  EXPECT_FALSE(accepts("model.gguf", "./model.gguf"));
  fs::create_directory(at("sub"));
  EXPECT_FALSE(accepts("model.gguf", "sub/../model.gguf"));
}

TEST_F(FileUsesTest, LinksAndInodes) {
  fs::create_symlink(at("model.gguf"), at("link"));
  fs::create_hard_link(at("model.gguf"), at("hard"));
  fs::create_directory_symlink(folder, at("elsewhere"));
  EXPECT_FALSE(accepts("model.gguf", "link"));
  EXPECT_FALSE(accepts("link", "model.gguf"));
  EXPECT_FALSE(accepts("model.gguf", "hard"));
  EXPECT_FALSE(accepts("model.gguf", "elsewhere/model.gguf"));
}

TEST_F(FileUsesTest, FilesOfAModelsFolder) {
  for (const char *name : {"hf/config.json", "hf/model-00001-of-00002.safetensors", "hf/tokenizer.json",
                           "hf/model.safetensors.index.json", "hf/model.lpx", "hf/compile.json"})
    write(name);
  EXPECT_FALSE(accepts("hf", "hf/config.json"));
  EXPECT_FALSE(accepts("hf", "hf/model-00001-of-00002.safetensors"));
  EXPECT_FALSE(accepts("hf", "hf/tokenizer.json"));
  EXPECT_FALSE(accepts("hf", "hf/model.safetensors.index.json"));
  EXPECT_TRUE(accepts("hf", "hf/model.lpx")) << "written there before";
  EXPECT_TRUE(accepts("hf", "hf/compile.json"));
}

TEST_F(FileUsesTest, PartsOfASplitFile) {
  for (const char *name : {"m-00001-of-00003.gguf", "m-00002-of-00003.gguf", "m-00003-of-00003.gguf"})
    write(name);
  EXPECT_FALSE(accepts("m-00001-of-00003.gguf", "m-00003-of-00003.gguf"));
  EXPECT_TRUE(accepts("m-00001-of-00003.gguf", "m.lpx"));
}

TEST_F(FileUsesTest, OutputsOfOneName) {
  auto both = [&](const std::string &a, const std::string &b) {
    return bool(checkOutputs({}, {{"-o", a}, {"--report", b}}));
  };
  EXPECT_FALSE(both(at("new"), at("./new"))) << "neither exists";
  EXPECT_TRUE(both(at("new"), at("other")));
  EXPECT_TRUE(both("/dev/null", "/dev/null"));
}

TEST_F(FileUsesTest, DevicesHoldNothing) {
  EXPECT_TRUE(bool(checkOutputs({{"the model", "/dev/null"}}, {{"-o", "/dev/null"}})));
}

TEST_F(FileUsesTest, SaysWhichOptionsMeet) {
  auto status = checkOutputs({{"--image", at("model.gguf")}}, {{"-o", at("model.gguf")}});
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().str(), at("model.gguf") + ": error: -o would overwrite --image, which is read from this "
                                                     "file; write elsewhere");
}

} // namespace
} // namespace lpu::isa
