// Machine descriptions: presets, canonical form, and what a bad file is told.
#include "lpu/isa/Machine.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <fstream>
#include <unistd.h>

using namespace lpu::isa;

namespace {

/// The canonical tsp1 text with the first `from` replaced by `to`.
std::string changed(const std::string &from, const std::string &to) {
  std::string text = writeMachine(Machine());
  const auto at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return text.replace(at, from.size(), to);
}

/// Line (from 1) on which `needle` stands.
int lineOf(const std::string &text, const std::string &needle) {
  const auto at = text.find(needle);
  return at == std::string::npos ? -1 : 1 + static_cast<int>(std::count(text.begin(), text.begin() + at, '\n'));
}

/// Parsing fails at the line of `needle` with a message that holds `words`.
void expectError(const std::string &yaml, const std::string &needle, const std::string &words) {
  auto machine = parseMachine(yaml, "m.yaml");
  ASSERT_FALSE(machine) << yaml;
  EXPECT_EQ(machine.error().place, "m.yaml:" + std::to_string(lineOf(yaml, needle)));
  EXPECT_NE(machine.error().message.find(words), std::string::npos) << machine.error().str();
  EXPECT_EQ(machine.error().str().find('\n'), std::string::npos);
}

TEST(Machine, DefaultsAreTsp1) {
  auto machine = loadMachine("tsp1");
  ASSERT_TRUE(machine) << machine.error().str();
  EXPECT_EQ(writeMachine(*machine), writeMachine(Machine()));
  EXPECT_EQ(machine->lanes(), 320);
  EXPECT_EQ(machine->memoryBytes(), 220ll << 20);
  EXPECT_EQ(machine->sxmPosition(), 12);
  EXPECT_EQ(machine->mxmPosition(), 13);
  EXPECT_EQ(machine->clockGHz, 0.9);
}

TEST(Machine, SmallDiffersInSizeOnly) {
  auto machine = loadMachine("small");
  ASSERT_TRUE(machine) << machine.error().str();
  Machine expected;
  expected.name = "small";
  expected.superlanes = 4;
  expected.memSlicesPerSide = 28;
  expected.memRowsPerBank = 1024;
  EXPECT_EQ(writeMachine(*machine), writeMachine(expected));
  EXPECT_EQ(machine->sxmPosition(), 8);
}

TEST(Machine, PresetsAreListed) {
  EXPECT_EQ(presetNames(), (std::vector<std::string>{"tsp1", "small", "tsp1-int4", "lp30"}));
}

/// Every number of the description differs from its default and from each other
/// where ranges allow, so a key written to the wrong member is noticed.
TEST(Machine, CanonicalFormKeepsEveryValue) {
  Machine m;
  m.name = "odd-1_x.y";
  m.clockGHz = 1.0 / 3;
  m.superlanes = 7, m.memSlicesPerSide = 13, m.memSlicesPerPosition = 3, m.memRowsPerBank = 77, m.vxmAlus = 5;
  m.mxmPlanesPerSide = 1, m.mxmActivationRows = 33, m.mxmAccumulatorRows = 99;
  m.sxmTransposeQueues = 3, m.sxmPermuteQueues = 6, m.sxmDistributeQueues = 8, m.sxmSelectQueues = 9;
  m.c2cLinks = 10, m.c2cEastLinks = 2, m.c2cVectorInterval = 25, m.c2cFifoVectors = 65;
  m.queueWords = 81, m.queuePreloadWords = 41, m.hostLatencyUs = 0.1, m.hostGBps = 1e5;
  Cycle next = 101;
  Latencies &l = m.latency;
  for (Cycle *latency : {&l.MemRead, &l.MemWrite, &l.MemGather, &l.MemScatter, &l.VxmSimple, &l.VxmSpecial,
                         &l.MxmLoadWeights, &l.MxmLoad, &l.MxmInstall, &l.MxmPlay, &l.MxmEmit, &l.SxmWithin,
                         &l.SxmAcross, &l.SxmTranspose, &l.C2cSend, &l.C2cReceive, &l.Barrier, &l.IFetch})
    *latency = next++;
  const std::string text = writeMachine(m);
  auto back = parseMachine(text, "m.yaml");
  ASSERT_TRUE(back) << back.error().str();
  EXPECT_EQ(writeMachine(*back), text);
  EXPECT_EQ(back->name, m.name);
  EXPECT_EQ(back->clockGHz, m.clockGHz);
  EXPECT_EQ(back->superlanes, 7);
  EXPECT_EQ(back->memSlicesPerSide, 13);
  EXPECT_EQ(back->memSlicesPerPosition, 3);
  EXPECT_EQ(back->memRowsPerBank, 77);
  EXPECT_EQ(back->vxmAlus, 5);
  EXPECT_EQ(back->mxmPlanesPerSide, 1);
  EXPECT_EQ(back->mxmActivationRows, 33);
  EXPECT_EQ(back->mxmAccumulatorRows, 99);
  EXPECT_EQ(back->sxmTransposeQueues, 3);
  EXPECT_EQ(back->sxmPermuteQueues, 6);
  EXPECT_EQ(back->sxmDistributeQueues, 8);
  EXPECT_EQ(back->sxmSelectQueues, 9);
  EXPECT_EQ(back->c2cLinks, 10);
  EXPECT_EQ(back->c2cEastLinks, 2);
  EXPECT_EQ(back->c2cVectorInterval, 25);
  EXPECT_EQ(back->c2cFifoVectors, 65);
  EXPECT_EQ(back->queueWords, 81);
  EXPECT_EQ(back->queuePreloadWords, 41);
  EXPECT_EQ(back->hostLatencyUs, 0.1);
  EXPECT_EQ(back->hostGBps, 1e5);
  EXPECT_EQ(back->latency.MemRead, 101);
  EXPECT_EQ(back->latency.MxmPlay, 110);
  EXPECT_EQ(back->latency.SxmAcross, 113);
  EXPECT_EQ(back->latency.C2cSend, 115);
  EXPECT_EQ(back->latency.IFetch, 118);
}

TEST(Machine, KeyOrderAndCommentsDoNotMatter) {
  const std::string text = writeMachine(Machine());
  const auto latency = text.find("latency:\n");
  ASSERT_NE(latency, std::string::npos);
  const std::string swapped = "# comment\n" + text.substr(latency) + "\n" + text.substr(0, latency);
  auto machine = parseMachine(swapped, "m.yaml");
  ASSERT_TRUE(machine) << machine.error().str();
  EXPECT_EQ(writeMachine(*machine), text);
}

TEST(MachineErrors, UnknownKey) {
  expectError(changed("  alus:", "  alu:"), "  alu:", "unknown key 'vxm.alu'");
  expectError(changed("host:", "hosts:"), "hosts:", "unknown key 'hosts'");
  expectError(writeMachine(Machine()) + "extra: 1\n", "extra:", "unknown key 'extra'");
}

TEST(MachineErrors, MissingKey) {
  expectError(changed("  barrier: 35\n", ""), "latency:", "missing key 'latency.barrier'");
  expectError(changed("vxm:\n  alus: 16\n", ""), "name:", "missing section 'vxm'");
  expectError(changed("name: tsp1\n", ""), "clock:", "missing key 'name'");
}

TEST(MachineErrors, WrongType) {
  expectError(changed("alus: 16", "alus: many"), "alus:", "'vxm.alus' must be an integer");
  expectError(changed("alus: 16", "alus: 16.5"), "alus:", "'vxm.alus' must be an integer");
  expectError(changed("alus: 16", "alus: 0x10"), "alus:", "'vxm.alus' must be an integer");
  expectError(changed("alus: 16", "alus:"), "alus:", "'vxm.alus' must be an integer");
  expectError(changed("alus: 16", "alus: [16]"), "alus:", "'vxm.alus' must be an integer");
  expectError(changed("alus: 16", "alus: 99999999999999999999"), "alus:", "'vxm.alus' must be an integer");
  expectError(changed("ghz: 0.9", "ghz: fast"), "ghz:", "'clock.ghz' must be a number");
  expectError(changed("clock:\n  ghz: 0.9", "clock: 0.9"), "clock:", "'clock' must be a map");
  expectError(changed("name: tsp1", "name: [a, b]"), "name:", "'name' must be a word");
  expectError(changed("name: tsp1", "name: \"a b\""), "name:", "'name' may hold");
}

TEST(MachineErrors, OutOfRange) {
  expectError(changed("superlanes: 20", "superlanes: 33"),
              "superlanes:", "'lanes.superlanes' is 33, outside of 1 to 32");
  expectError(changed("superlanes: 20", "superlanes: 0"), "superlanes:", "'lanes.superlanes' is 0");
  expectError(changed("superlanes: 20", "superlanes: -5"), "superlanes:", "'lanes.superlanes' is -5");
  expectError(changed("rows_per_bank: 4096", "rows_per_bank: 8192"), "rows_per_bank:", "'mem.rows_per_bank' is 8192");
  expectError(changed("per_superlane: 16", "per_superlane: 8"), "per_superlane:", "fixes it at 16");
  expectError(changed("mem_read: 5", "mem_read: 0"), "mem_read:", "'latency.mem_read' is 0");
  expectError(changed("ghz: 0.9", "ghz: nan"), "ghz:", "'clock.ghz'");
  expectError(changed("ghz: 0.9", "ghz: 0"), "ghz:", "'clock.ghz' is 0");
}

TEST(MachineErrors, BetweenKeys) {
  expectError(changed("east_links: 6", "east_links: 12"), "east_links:", "more than the 11 of 'c2c.links'");
  expectError(changed("preload_words: 40", "preload_words: 81"), "preload_words:", "more than the 80");
}

TEST(MachineErrors, Duplicates) {
  const std::string text = changed("  alus: 16\n", "  alus: 16\n  alus: 17\n");
  expectError(text, "  alus: 17", "'vxm.alus' appears twice");
  expectError(writeMachine(Machine()) + "vxm: {alus: 3}\n", "vxm: {", "'vxm' appears twice");
}

TEST(MachineErrors, NotAMachineAtAll) {
  for (const std::string &text :
       {std::string(), std::string("just words"), std::string("- 1\n- 2\n"), std::string("a: [1, 2"),
        std::string("name: \"open"), std::string("\tx: 1"), std::string("? [a]\n: b\n"), std::string("&a [*a]"),
        std::string("\0\0\0", 3), std::string(5000, '['), std::string(5000, '{')}) {
    auto machine = parseMachine(text, "m.yaml");
    ASSERT_FALSE(machine) << text;
    EXPECT_EQ(machine.error().place.rfind("m.yaml:", 0), 0u) << machine.error().str();
    EXPECT_EQ(machine.error().str().find('\n'), std::string::npos) << machine.error().str();
  }
}

/// No prefix of a good text and no changed byte may do worse than an error, and
/// what is accepted must survive the canonical form.
TEST(MachineErrors, DamagedTextNeverCrashes) {
  const std::string text = writeMachine(Machine());
  for (std::size_t i = 0; i < text.size(); ++i) {
    for (std::string variant : {text.substr(0, i), text.substr(0, i) + ':' + text.substr(i + 1),
                                text.substr(0, i) + '\xff' + text.substr(i + 1)}) {
      if (auto machine = parseMachine(variant, "m.yaml")) {
        EXPECT_TRUE(parseMachine(writeMachine(*machine), "again")) << variant;
      }
    }
  }
}

TEST(Machine, LoadsFilesAndExplainsMissingOnes) {
  const std::string path = testing::TempDir() + "lpu-machine-" + std::to_string(::getpid()) + ".yaml";
  std::ofstream(path) << writeMachine(Machine());
  auto machine = loadMachine(path);
  ASSERT_TRUE(machine) << machine.error().str();
  EXPECT_EQ(machine->name, "tsp1");
  std::remove(path.c_str());

  for (const std::string &missing : {path, testing::TempDir(), std::string()}) {
    auto error = loadMachine(missing);
    ASSERT_FALSE(error) << missing;
    EXPECT_EQ(error.error().place, missing);
    EXPECT_NE(error.error().message.find("tsp1, small"), std::string::npos);
  }
}

} // namespace
