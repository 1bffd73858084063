// MXM hazards (T5) around one clean pass of one plane, on either side.
#include "StepText.h"

using namespace lpu;
using namespace lpu::isa;
using namespace lpu::isa::test;

namespace {

constexpr const char *kW = "nop 20; lw rowgroup=0";
constexpr const char *kA = "nop 20; act load=1 loadstream=16 loadrow=3; act install=1; act play=1 playrow=3 mask=0xf";
constexpr const char *kR = "nop 66; acc row=7 accmode=overwrite emit=1 stream=8";

/// Slices 0..16 stand at 1 + i/4 and read every cycle from their start on, so
/// that the first values are at MXM (position 9) at 20: weights on streams
/// 0..15, an activation on 16. lw and load at 20, install at 21, play at 22, its
/// sum at 22 + 44 = 66, emitted at 67; length 67 + 3 on 4 superlanes.
Queues passQueues(const std::string &w, const std::string &a, const std::string &r, const std::string &side) {
  Queues q{{"mxm." + side + "0.w", w}, {"mxm." + side + "0.a", a}, {"mxm." + side + "0.r", r}};
  for (int i = 0; i <= 16; ++i)
    q["mem." + side + std::to_string(i)] = "nop " + std::to_string(20 - 5 - (9 - (1 + i / 4))) +
                                           "; mem rd=1 rdstream=" + side + std::to_string(i) +
                                           "; repeat count=20 interval=1 window=1";
  return q;
}

LegalityReport pass(const std::string &w = kW, const std::string &a = kA, const std::string &r = kR,
                    const std::string &side = "e") {
  return check(stepText(passQueues(w, a, r, side), ".region \"z\" kind=zero slices=17 rows=1 side=" + side));
}

/// The same pass on a machine that takes three cycles for a load or an install.
LegalityReport slowPass(Cycle Latencies::*latency, const std::string &a) {
  Program p = program(stepText(passQueues(kW, a, "config", "e"), ".region \"z\" kind=zero slices=17 rows=1"));
  p.machine.latency.*latency = 3;
  return checkLegality(p, 0, 0);
}

TEST(LegalityMxm, OnePassIsCleanOnBothSides) {
  const LegalityReport east = pass(), west = pass(kW, kA, kR, "w");
  EXPECT_CLEAN(east);
  EXPECT_CLEAN(west);
  EXPECT_EQ(east.length, 67 + 3);
  EXPECT_EQ(west.length, 67 + 3);
}

TEST(LegalityMxm, T2_7_SumsAreEmittedInbound) {
  // Emitted at 67 at position 9, they are at SXM (8) one cycle later, westwards.
  const auto sxm = [](const std::string &stream) {
    Queues q{{"sxm.e10", "nop 68; rotate srcstream=" + stream}};
    std::string text;
    for (const auto &[name, words] : q)
      text += ".queue " + name + "\nsync\n" + lines(words);
    return text;
  };
  Queues q{{"mxm.e0.w", kW}, {"mxm.e0.a", kA}, {"mxm.e0.r", kR}};
  for (int i = 0; i <= 16; ++i)
    q["mem.e" + std::to_string(i)] =
        "nop " + std::to_string(20 - 5 - (9 - (1 + i / 4))) + "; mem rd=1 rdstream=e" + std::to_string(i);
  const std::string text = stepText(q, ".region \"z\" kind=zero slices=17 rows=1");
  EXPECT_CLEAN(check(text + sxm("w11")));
  EXPECT_ONLY(check(text + sxm("w12")), "empty-stream", 68);
  EXPECT_ONLY(check(text + sxm("e11")), "empty-stream", 68);
}

TEST(LegalityMxm, T5_1_WeightsAndActivationsComeFromOutboundStreams) {
  EXPECT_EQ(found(pass("nop 19; lw rowgroup=0")).at("empty-stream"), 19);
  EXPECT_EQ(found(pass("nop 20; lw stream=16")).at("empty-stream"), 20);
  EXPECT_EQ(found(pass("nop 20; lw stream=8")).at("illegal-encoding"), 20);
  EXPECT_EQ(found(pass(kW, "nop 20; act load=1 loadstream=17 loadrow=3; act install=1; act play=1 playrow=3"))
                .at("empty-stream"),
            20);
}

TEST(LegalityMxm, T5_8_PackedWeightsNeedAMachineThatExpandsThem) {
  EXPECT_EQ(found(pass("nop 20; lw rowgroup=0 packed=1")).at("illegal-encoding"), 20);
}

TEST(LegalityMxm, T5_4_InstallPlay) {
  // A second tile is loaded at 22 and ready to install at 23.
  const auto second = [](const std::string &last) {
    return pass("nop 20; lw; nop 1; lw", "nop 20; act load=1 loadstream=16 loadrow=3; act install=1; nop 1; " + last,
                "nop 67; acc accmode=overwrite");
  };
  EXPECT_ONLY(second("act play=1 playrow=3 install=1"), "install-play", 23);
  EXPECT_CLEAN(second("act play=1 playrow=3; act install=1"));
}

TEST(LegalityMxm, T5_4_EarlyLw) {
  EXPECT_CLEAN(pass("nop 20; lw rowgroup=0; lw rowgroup=1",
                    "nop 20; act load=1 loadstream=16 loadrow=3; nop 1; act install=1; act play=1 playrow=3",
                    "nop 67; acc row=7 accmode=overwrite emit=1 stream=8"));
  EXPECT_ONLY(pass("nop 20; lw rowgroup=0; lw rowgroup=0",
                   "nop 20; act load=1 loadstream=16 loadrow=3; nop 1; act install=1; act play=1 playrow=3",
                   "nop 67; acc row=7 accmode=overwrite emit=1 stream=8"),
              "early-lw", 21);
  EXPECT_CLEAN(pass("nop 20; lw rowgroup=0; nop 1; lw rowgroup=0")); // after the install at 21: the next tile
  // T1.3e: row groups wrap modulo the superlanes, 3 + 1 is group 0.
  EXPECT_EQ(found(pass("nop 20; lw rowgroup=0; nop 1; lw rowgroup=3 rowstep=1; repeat count=4 interval=1 window=1"))
                .at("early-lw"),
            26);
}

TEST(LegalityMxm, T5_4_EarlyInstall) {
  EXPECT_EQ(found(pass(kW, "nop 20; act install=1 load=1 loadstream=16 loadrow=3; nop 1; act play=1 playrow=3")),
            (std::map<std::string, Cycle>{{"early-install", 20}}));
  EXPECT_ONLY(pass("nop 21; lw"), "early-install", 21); // nothing was loaded before
  EXPECT_CLEAN(pass("nop 20; lw; lw rowgroup=1"));      // T5.5: the last rows come with the install
  EXPECT_ONLY(pass("nop 22; lw"), "early-install", 21); // an empty buffer
}

TEST(LegalityMxm, T5_4_NoTile) {
  EXPECT_ONLY(pass(kW, "nop 20; act load=1 loadstream=16 loadrow=3; nop 1; act play=1 playrow=3"), "no-tile", 22);
  EXPECT_ONLY(pass(kW, "nop 20; act load=1 loadstream=16 loadrow=3; nop 1; act play=1 playrow=3; act install=1"),
              "no-tile", 22);
}

TEST(LegalityMxm, T5_4_PlayOfARowNeverLoaded) {
  EXPECT_ONLY(pass(kW, "nop 20; act load=1 loadstream=16 loadrow=3; act install=1; act play=1 playrow=4"),
              "empty-operand", 22);
  // Playable from the cycle after the load: the play at 22 does not see its own cycle's.
  EXPECT_ONLY(pass(kW, "nop 21; act install=1; act play=1 playrow=3 load=1 loadstream=16 loadrow=3"), "empty-operand",
              22);
  EXPECT_CLEAN(pass(kW, "nop 21; act install=1 load=1 loadstream=16 loadrow=3; act play=1 playrow=3"));
}

TEST(LegalityMxm, T5_2_LoadsAndInstallsTakeTheMachinesLatency) {
  const std::string load = "nop 20; act load=1 loadstream=16 loadrow=3; act install=1; ", play = "act play=1 playrow=3";
  EXPECT_EQ(found(slowPass(&Latencies::MxmLoad, load + play)).at("empty-operand"), 22);
  EXPECT_EQ(found(slowPass(&Latencies::MxmLoad, load + "nop 1; " + play)).count("empty-operand"), 0);
  EXPECT_EQ(found(slowPass(&Latencies::MxmInstall, load + "nop 1; " + play)).at("no-tile"), 23);
  EXPECT_EQ(found(slowPass(&Latencies::MxmInstall, load + "nop 2; " + play)).count("no-tile"), 0);
}

TEST(LegalityMxm, T5_3_SumsAreTakenWhenTheyArrive) {
  const std::string acc = "; acc row=7 accmode=overwrite";
  EXPECT_EQ(found(pass(kW, kA, "nop 65" + acc)), (std::map<std::string, Cycle>{{"no-sum", 65}, {"lost-sum", 66}}));
  EXPECT_EQ(found(pass(kW, kA, "nop 67" + acc)), (std::map<std::string, Cycle>{{"no-sum", 67}, {"lost-sum", 66}}));
  EXPECT_ONLY(pass(kW, kA, "config"), "lost-sum", 66);
  EXPECT_ONLY(pass(kW, kA, "nop 66" + acc + acc), "no-sum", 67);
  EXPECT_CLEAN(pass(kW, kA, "nop 66" + acc + "; acc row=7 emit=1"));
}

TEST(LegalityMxm, T5_3_AccumulatorsMustHaveBeenWritten) {
  EXPECT_ONLY(pass(kW, kA, "nop 66; acc row=7 accmode=add"), "empty-operand", 66);
  EXPECT_ONLY(pass(kW, kA, "nop 65; acc row=7 emit=1; acc row=7 accmode=overwrite"), "empty-operand", 65);
  EXPECT_ONLY(pass(kW, kA, "nop 66; acc row=7 accmode=overwrite; acc row=6 emit=1"), "empty-operand", 67);
}

// Both planes of the side load the same streams; the activation row is that of `pass`.
LegalityReport halves(const std::string &upper, const std::string &r = "nop 66; acc row=7 accmode=overwrite",
                      const std::string &lowerMask = "3", const std::string &more = "",
                      const std::string &machine = "") {
  const std::string a = "nop 20; act load=1 loadstream=16 loadrow=3; act install=1; ";
  Queues q{{"mxm.e0.w", kW},
           {"mxm.e0.a", a + "act play=1 playrow=3 fp16=1 mask=" + lowerMask + more},
           {"mxm.e0.r", r},
           {"mxm.e1.w", kW},
           {"mxm.e1.a", a + upper}};
  for (int i = 0; i <= 16; ++i)
    q["mem.e" + std::to_string(i)] =
        "nop " + std::to_string(20 - 5 - (9 - (1 + i / 4))) + "; mem rd=1 rdstream=e" + std::to_string(i);
  return check(stepText(q, ".region \"z\" kind=zero slices=17 rows=1"));
}

TEST(LegalityMxm, T5_6_HalvesComeInPairs) {
  const std::string half = "act play=1 playrow=3 fp16=1 mask=";
  const LegalityReport clean = halves(half + "3");
  EXPECT_CLEAN(clean);
  EXPECT_EQ(clean.length, 67 + 3); // the acc ends a cycle after the sum arrives
  for (const LegalityReport &report :
       {halves("nop 1; " + half + "3"), halves("config"), halves(half + "1"), halves("act play=1 playrow=3 mask=3")}) {
    ASSERT_FALSE(report.findings.empty());
    EXPECT_EQ(report.findings[0].category, "unpaired-play");
    EXPECT_EQ(report.findings[0].cycle, 66);
    EXPECT_EQ(queueName(report.findings[0].queue), "mxm.e0.a");
  }
  const LegalityReport alone = halves(half + "3; " + half + "3");
  EXPECT_ONLY(alone, "unpaired-play", 67);
  EXPECT_EQ(queueName(alone.findings[0].queue), "mxm.e1.a");
  const LegalityReport lost = halves(half + "3", "config");
  ASSERT_FALSE(lost.findings.empty());
  EXPECT_EQ(lost.findings[0].category, "lost-sum");
  EXPECT_EQ(queueName(lost.findings[0].queue), "mxm.e0.a");
}

TEST(LegalityMxm, T5_6_EncodingOfHalves) {
  EXPECT_EQ(found(halves("act play=1 playrow=3 fp16=1 mask=7", "nop 66; acc row=7 accmode=overwrite", "7"))
                .at("illegal-encoding"),
            22);
  EXPECT_EQ(found(halves("act fp16=1")).at("illegal-encoding"), 22);
}

TEST(LegalityMxm, T5_7_FormatsDoNotMix) {
  const std::string half = "act play=1 playrow=3 fp16=1 mask=", twice = half + "3; " + half + "0xc",
                    more = "; " + half + "0xc";
  const auto sums = [&](const std::string &first, const std::string &second) {
    return halves(twice, "nop 66; acc row=7 accmode=" + first + "; acc row=7 accmode=" + second, "3", more);
  };
  EXPECT_CLEAN(sums("overwrite", "addf"));
  EXPECT_CLEAN(sums("overwrite", "overwrite"));
  EXPECT_ONLY(sums("overwrite", "add"), "sum-format", 67);
  EXPECT_ONLY(sums("addf", "addf"), "empty-operand", 66);
  const std::string plays = kA + std::string("; act play=1 playrow=3 mask=0xf");
  EXPECT_CLEAN(pass(kW, plays, "nop 66; acc row=7 accmode=overwrite; acc row=7 accmode=add"));
  EXPECT_ONLY(pass(kW, plays, "nop 66; acc row=7 accmode=overwrite; acc row=7 accmode=addf"), "sum-format", 67);
}

TEST(LegalityMxm, T9_RowsInRange) {
  EXPECT_EQ(found(pass("nop 20; lw rowgroup=4")).at("address-range"), 20);
  EXPECT_EQ(found(pass(kW, kA, "nop 66; acc row=512 accmode=overwrite")),
            (std::map<std::string, Cycle>{{"address-range", 66}, {"lost-sum", 66}}));
  EXPECT_ONLY(pass(kW, "nop 20; act load=1 loadstream=16 loadrow=128; act load=1 loadstream=16 loadrow=3 install=1; "
                       "act play=1 playrow=3"),
              "address-range", 20);
  EXPECT_ONLY(pass(kW, "nop 20; act load=1 loadstream=16 loadrow=3; act install=1; act play=1 playrow=200"),
              "address-range", 22);
}

TEST(LegalityMxm, T2_6_EmittedGroupsAreAligned) {
  EXPECT_ONLY(pass(kW, kA, "nop 66; acc row=7 accmode=overwrite emit=1 stream=6"), "illegal-encoding", 66);
}

TEST(LegalityMxm, MovingAnyQueueByACycleIsFound) {
  for (const std::string shift : {"nop 19", "nop 21"}) {
    EXPECT_FALSE(pass(shift + "; lw rowgroup=0; repeat count=1 interval=1 window=1").findings.empty());
    EXPECT_FALSE(
        pass(kW, shift + "; act load=1 loadstream=16 loadrow=3; act install=1; act play=1 playrow=3").findings.empty());
  }
  EXPECT_FALSE(pass(kW, kA, "nop 65; acc row=7 accmode=overwrite emit=1 stream=8").findings.empty());
  EXPECT_FALSE(pass(kW, kA, "nop 67; acc row=7 accmode=overwrite emit=1 stream=8").findings.empty());
}

} // namespace
