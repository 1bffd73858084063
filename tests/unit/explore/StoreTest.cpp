// Stores: what is put is found again, by one writer at a time, and nothing is believed of damaged files.
#include "lpu/explore/Store.h"
#include "lpu/explore/StudyFiles.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

namespace lpu::explore {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

class Stores : public testing::Test {
protected:
  Stores() : folder(testing::TempDir() + "lpu-store-" + std::to_string(getpid())) { fs::create_directories(folder); }
  ~Stores() override { fs::remove_all(folder); }

  std::unique_ptr<Store> open(const std::string &name, Store::Access access = Store::Access::Write) {
    Result<std::unique_ptr<Store>> store = Store::open(folder + "/" + name, access);
    EXPECT_TRUE(store) << store.error().str();
    return store ? std::move(*store) : nullptr;
  }
  std::string refusal(const std::string &name, Store::Access access = Store::Access::Write) {
    const Result<std::unique_ptr<Store>> store = Store::open(folder + "/" + name, access);
    return store ? "opened" : store.error().str();
  }
  static StoredResult result(const std::string &key, const std::string &measured = "{}") {
    return {key, Kind::Schedule, "build", Outcome::Done, "", measured, 1.5, 1000, "host", false};
  }
  static StoredStudy study(const std::string &text) {
    StudyInputs inputs;
    inputs.file = "s.yaml", inputs.text = text;
    return {writeInputs(inputs), "build"};
  }

  std::string folder;
};

TEST_F(Stores, KeepWhatIsPut) {
  {
    const auto store = open("a.db");
    EXPECT_FALSE(store->study()->has_value());
    EXPECT_TRUE(store->setStudy(study("x")));
    EXPECT_TRUE(store->begin("k", Kind::Schedule));
    EXPECT_TRUE(store->begin("other", Kind::Schedule));
    EXPECT_TRUE(store->put(result("k", "measured")));
  }
  const auto store = open("a.db", Store::Access::Read);
  const auto found = store->find("k", Kind::Schedule);
  ASSERT_TRUE(found && *found);
  EXPECT_EQ((*found)->measured, "measured");
  EXPECT_EQ((*found)->cpuSeconds, 1.5);
  EXPECT_FALSE(store->find("k", Kind::Bounds)->has_value());
  EXPECT_EQ(store->attempts()->begun, 2u);
  EXPECT_EQ(store->attempts()->open, 1u); // "other" never ended
  EXPECT_EQ((*store->study())->inputs, study("x").inputs);
}

TEST_F(Stores, HaveOneWriter) {
  const auto writer = open("a.db");
  EXPECT_THAT(refusal("a.db"), HasSubstr("another lpu-explore is writing to it"));
  EXPECT_EQ(refusal("a.db", Store::Access::Read), "opened");
}

TEST_F(Stores, AreRefusedByName) {
  EXPECT_THAT(refusal("none.db", Store::Access::Read), HasSubstr("there is no such store"));
  EXPECT_THAT(refusal("no/folder.db"), HasSubstr("cannot be written: No such file or directory"));
  EXPECT_THAT(refusal(""), HasSubstr("is a folder, not a store"));
  std::ofstream(folder + "/text.db") << std::string(5000, 'x');
  EXPECT_THAT(refusal("text.db"), HasSubstr("it is no store"));
  EXPECT_EQ(fs::file_size(folder + "/text.db"), 5000u); // left as it was
}

TEST_F(Stores, CutShortAreDamaged) {
  {
    const auto store = open("a.db");
    for (int i = 0; i < 100; ++i)
      EXPECT_TRUE(store->put(result(std::to_string(i), std::string(2000, 'm'))));
  }
  fs::resize_file(folder + "/a.db", fs::file_size(folder + "/a.db") / 2);
  EXPECT_THAT(refusal("a.db"), HasSubstr("is damaged or was cut short"));
}

TEST_F(Stores, MergeByKey) {
  const auto all = open("all.db"), part = open("part.db");
  EXPECT_THAT(mergeStores(*all, *part).error().str(), HasSubstr("has no study"));
  EXPECT_TRUE(all->setStudy(study("x")));
  EXPECT_TRUE(part->setStudy(study("y")));
  EXPECT_THAT(mergeStores(*all, *part).error().str(), HasSubstr("is of another study"));
  EXPECT_TRUE(part->setStudy(study("x")));
  EXPECT_TRUE(all->put(result("both")));
  EXPECT_TRUE(part->put(result("both")));
  EXPECT_TRUE(part->put(result("one")));
  StoredResult failed = result("failed");
  failed.outcome = Outcome::Failed, failed.reason = "timeout";
  EXPECT_TRUE(all->put(failed));
  EXPECT_TRUE(part->put(result("failed")));
  EXPECT_TRUE(mergeStores(*all, *part));
  EXPECT_EQ(all->all()->size(), 3u);
  EXPECT_EQ((*all->find("failed", Kind::Schedule))->outcome, Outcome::Done);
  EXPECT_TRUE(part->put(result("both", "something else")));
  EXPECT_THAT(mergeStores(*all, *part).error().str(), HasSubstr("has another result"));
}

TEST_F(Stores, ForgetFailures) {
  const auto store = open("a.db");
  StoredResult failed = result("k");
  failed.outcome = Outcome::Failed;
  EXPECT_TRUE(store->put(failed));
  EXPECT_TRUE(store->put(result("good")));
  EXPECT_TRUE(store->forgetFailures("build"));
  EXPECT_EQ(store->all()->size(), 1u);
}

} // namespace
} // namespace lpu::explore
