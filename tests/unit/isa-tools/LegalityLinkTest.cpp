// C2C links (T7), fetched instruction text (T8), and the checker's speed.
#include "StepText.h"

#include <chrono>

using namespace lpu;
using namespace lpu::isa;
using namespace lpu::isa::test;

namespace {

const std::string kHead = ".region \"z\" kind=zero slices=8 rows=1";

/// e0 drives e0 at 5; link 0 stands at 8 and has it at 12; link 6 (west, -8)
/// gets it at 12 + 216 = 228.
LegalityReport link(const std::string &send, const std::string &receive, const std::string &head = ".loopback 0 6",
                    const std::string &source = "mem rd=1 rdstream=e0") {
  return checkAll(program(stepText({{"mem.e0", source}, {"c2c.0", send}, {"c2c.6", receive}}, kHead + ";" + head)));
}

constexpr const char *kSend = "nop 12; send stream=e0";
constexpr const char *kReceive = "nop 228; receive stream=e0";

TEST(LegalityLink, SendAndReceiveAreClean) {
  const LegalityReport report = link(kSend, kReceive);
  EXPECT_CLEAN(report);
  EXPECT_EQ(report.length, 229 + 3);
  EXPECT_CLEAN(link(kSend, "nop 300; receive stream=e0"));
  EXPECT_CLEAN(link(kSend, kReceive, ".loopback 6 0")); // a pair works both ways
}

TEST(LegalityLink, T7_ASendNeedsItsVector) {
  EXPECT_ONLY(link("nop 13; send stream=e0", "nop 229; receive stream=e0"), "empty-stream", 13);
}

TEST(LegalityLink, T7_LinkEmpty) {
  EXPECT_ONLY(link(kSend, "nop 227; receive stream=e0"), "link-empty", 227);
  EXPECT_ONLY(link(kSend, "nop 228; receive stream=e0; receive stream=e0"), "link-empty", 229);
}

TEST(LegalityLink, T7_LinkBusy) {
  const auto twice = [](const std::string &interval) {
    const std::string repeat = "; repeat count=1 window=1 interval=" + interval;
    return link(kSend + repeat, kReceive + repeat, ".loopback 0 6", "mem rd=1 rdstream=e0" + repeat);
  };
  EXPECT_CLEAN(twice("24"));
  EXPECT_ONLY(twice("23"), "link-busy", 35);
}

TEST(LegalityLink, T7_LinkUnconnected) {
  EXPECT_ONLY(link(kSend, "config", ""), "link-unconnected", 12);
  EXPECT_ONLY(link(kSend, "config", ".loopback 1 6"), "link-unconnected", 12);
  EXPECT_ONLY(link("config", kReceive, ""), "link-unconnected", 228);
}

TEST(LegalityLink, T7_LinkOverflow) {
  const auto vectors = [](int count) { // the last one arrives at 228 + 24·(count − 1)
    const std::string repeat = "; repeat window=1 interval=24 count=" + std::to_string(count - 1);
    return link(kSend + repeat,
                "nop 65000; receive stream=e0; repeat window=1 interval=1 count=" + std::to_string(count - 1),
                ".loopback 0 6", "mem rd=1 rdstream=e0" + repeat);
  };
  EXPECT_CLEAN(vectors(64)); // c2cFifoVectors
  EXPECT_EQ(found(vectors(65)).count("link-overflow"), 1u);
}

TEST(LegalityLink, T7_LostVector) {
  const LegalityReport report = link(kSend, "config");
  EXPECT_ONLY(report, "lost-vector", 228);
  EXPECT_EQ(report.findings[0].queue, *parseQueueName("c2c.0"));
}

/// Chip 0 sends on link 0 to link 6 of chip 1, at the cycles of link() above;
/// their starts are given. Chip 2 is like chip 1 and gets its vector from chip 3, like chip 0.
Program pairs(const std::string &starts0, const std::string &starts1, const std::string &starts2 = "0",
              const std::string &starts3 = "0") {
  return program(".step \"s\"\n.class \"from\"\n.region \"z\" kind=zero slices=8 rows=1\n.program \"s\"\n"
                 ".queue mem.e0\nnotify\nsync\nmem rd=1 rdstream=e0\n.queue c2c.0\nsync\nnop 12\nsend stream=e0\n"
                 ".class \"to\"\n.program \"s\"\n.queue c2c.6\nnotify\nsync\nnop 100\nreceive stream=e0\n"
                 ".chip \"from\" start=" +
                 starts0 + "\n.chip \"to\" start=" + starts1 + "\n.chip \"to\" start=" + starts2 +
                 "\n.chip \"from\" start=" + starts3 + "\n.wire 0 0 1 6\n.wire 2 6 3 0\n");
}

TEST(LegalityLink, StartsOfChipsDecideWhatHasArrived) {
  const Program p = pairs("0", "128", "140", "5");
  EXPECT_CLEAN(checkAll(p));
  EXPECT_EQ(p.classes[0].programs[0].predictedCycles, 12 + 216 + 3);
  EXPECT_EQ(p.classes[1].programs[0].predictedCycles, 101 + 3);
  EXPECT_EQ(p.steps[0].predictedCycles, 140 + 104);
  EXPECT_ONLY(checkAll(pairs("1", "128", "140", "5")), "link-empty", 228);
  const LegalityReport late = checkAll(pairs("0", "128", "128", "9"));
  EXPECT_ONLY(late, "link-empty", 228);
  EXPECT_EQ(late.findings[0].chip, 2u);
  EXPECT_NE(late.findings[0].str().find("link-empty at cycle 228, chip 2, c2c.6: receive"), std::string::npos);
  EXPECT_NE(late.findings[0].detail.find("the next vector arrives at 237"), std::string::npos);
}

TEST(LegalityLink, EqualPairsAreNamedOnce) {
  EXPECT_EQ(checkAll(pairs("0", "0", "0", "0")).findings.size(), 1u);
  EXPECT_EQ(checkAll(pairs("0", "0", "1", "0")).findings.size(), 2u);
}

TEST(LegalityLink, ASystemsClaimIsTheLastChipsEnd) {
  Program p = pairs("0", "128", "140", "5");
  p.steps[0].predictedCycles = 243;
  EXPECT_ONLY(checkAll(p), "claimed-cycles", 244);
}

/// Instruction text of `words` nops in mem.e0 (position 1), fed by e4 and e5
/// (position 2) on w0 and w1, which are there from cycle 6 on, every cycle.
LegalityReport fetched(const std::string &before, int words) {
  std::string text = before;
  for (int i = 0; i < words; ++i)
    text += "nop 1;";
  const std::string source = "; repeat window=1 interval=1 count=200";
  return check(stepText(
      {{"mem.e0", text}, {"mem.e4", "mem rd=1 rdstream=w0" + source}, {"mem.e5", "mem rd=1 rdstream=w1" + source}},
      kHead + ";.fetchedcode"));
}

TEST(LegalityFetch, T8_QueueUnderflow) {
  // 40 words are there from the start; notify and sync are two of them.
  EXPECT_CLEAN(fetched("", 38));
  EXPECT_EQ(found(fetched("", 39)), (std::map<std::string, Cycle>{{"queue-underflow", 38}}));
  // An ifetch brings 2 rows of 64 bytes = 8 words; two words stand before it here.
  EXPECT_CLEAN(fetched("nop 9;ifetch stream=w0;", 36 + 8));
  EXPECT_EQ(found(fetched("nop 9;ifetch stream=w0;", 36 + 9)).count("queue-underflow"), 1u);
}

TEST(LegalityFetch, T8_QueueOverflow) {
  // At the k-th ifetch 40 + 8·(k − 1) words have come or are coming and 3 + k are
  // gone, so 80 − 40 − 8·(k − 1) + 3 + k = 51 − 7k are free: 9 for k = 6, 2 for k = 7.
  std::string six = "nop 9;";
  for (int i = 0; i < 6; ++i)
    six += "ifetch stream=w0;";
  EXPECT_CLEAN(fetched(six, 70));
  EXPECT_EQ(found(fetched(six + "ifetch stream=w0;", 70)).count("queue-overflow"), 1u);
}

TEST(LegalityFetch, T8_ResidentTextHasNoRoomToFetch) {
  const LegalityReport report = check(stepText(
      {{"mem.e0", "nop 6; ifetch stream=w0"}, {"mem.e4", "mem rd=1 rdstream=w0"}, {"mem.e5", "mem rd=1 rdstream=w1"}},
      kHead));
  EXPECT_ONLY(report, "illegal-encoding", 6);
}

TEST(LegalitySpeed, HundredsOfThousandsOfDispatchesTakeWellUnderASecond) {
  Queues q;
  for (int i = 0; i < 28; ++i)
    q["mem.e" + std::to_string(i)] =
        "mem rd=1 rdstream=e" + std::to_string(i) + "; repeat window=1 interval=1 count=9999";
  q["vxm.0"] = "move a=imm; repeat window=1 interval=1 count=9999";
  const Program p = program(stepText(q, ".region \"z\" kind=zero slices=28 rows=1"));
  const auto start = std::chrono::steady_clock::now();
  const LegalityReport report = checkLegality(p, 0, 0);
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
  EXPECT_CLEAN(report);
  EXPECT_EQ(report.dispatches, 290000u);
  RecordProperty("seconds", std::to_string(seconds.count()));
  EXPECT_LT(seconds.count(), 10.0); // 0.1 s alone on a core; room for sanitizers and a loaded machine
}

} // namespace
