// Streams, memory, VXM and SXM hazards, each with a program one step away from
// it that is clean. Cycles are worked out from docs/spec/timing.md by hand.
#include "StepText.h"

using namespace lpu;
using namespace lpu::isa;
using namespace lpu::isa::test;

namespace {

/// Row 0 of both banks of slices 0..15 of both sides reads as zeros.
const std::string kZeros = ".region \"e0\" kind=zero slices=16 rows=1;.region \"e1\" kind=zero slices=16 bank=1 rows=1;"
                           ".region \"w0\" kind=zero side=w slices=16 rows=1";

LegalityReport run(const Queues &queues, const std::string &more = "") {
  return check(stepText(queues, kZeros + ";" + more));
}

/// int32 at bank 0 of e0..e3 plus 1.0 to bank 1: read 0, at position 1 at 5, at
/// VXM at 6, sum at 10, back at position 1 at 11, readable at 13, length 13 + 3.
Queues addOne() {
  Queues q;
  for (int i = 0; i < 4; ++i) {
    const std::string n = std::to_string(i);
    q["mem.e" + n] = "mem rd=1 rdstream=w" + n + "; nop 10; mem wr=1 wrbank=1 wrrow=3 wrstream=e" + n;
  }
  q["vxm.0"] = "nop 6; addf a=w0:4 b=imm imm=1.0f out=e0:4";
  return q;
}

Queues with(Queues q, const std::string &queue, const std::string &words) {
  q[queue] = words;
  return q;
}

TEST(Legality, ACleanProgramHasNoFindingAndItsLength) {
  const LegalityReport report = run(addOne());
  EXPECT_CLEAN(report);
  EXPECT_EQ(report.length, 13 + 3);
  EXPECT_EQ(report.dispatches, 9u);
}

TEST(Legality, MovingAnyQueueByACycleIsFound) {
  for (const auto &[name, words] : addOne())
    EXPECT_FALSE(run(with(addOne(), name, "nop 1; " + words)).findings.empty()) << name;
  for (const char *vxm : {"nop 5; addf a=w0:4 b=imm out=e0:4", "nop 7; addf a=w0:4 b=imm out=e0:4"})
    EXPECT_FALSE(run(with(addOne(), "vxm.0", vxm)).findings.empty()) << vxm;
}

TEST(Legality, ClaimedCycles) {
  const std::string queues = "mem rd=1";
  EXPECT_CLEAN(check(stepText({{"mem.e0", queues}}, kZeros, "predicted=8")));
  EXPECT_ONLY(check(stepText({{"mem.e0", queues}}, kZeros, "predicted=9")), "claimed-cycles", 8);
  EXPECT_ONLY(check(stepText({{"mem.e0", queues}}, kZeros, "predicted=7")), "claimed-cycles", 8);
}

TEST(Legality, T2_5_StreamCollision) {
  EXPECT_ONLY(run({{"mem.e0", "mem rd=1 rdstream=w0"}, {"mem.e1", "mem rd=1 rdstream=w0"}}), "stream-collision", 0);
  EXPECT_CLEAN(run({{"mem.e0", "mem rd=1 rdstream=w0"}, {"mem.e1", "nop 1; mem rd=1 rdstream=w0"}}));
  EXPECT_CLEAN(run({{"mem.e0", "mem rd=1 rdstream=w0"}, {"mem.e1", "mem rd=1 rdstream=e0"}}));
  // T2.4: at another position of the slot the newer value replaces the older.
  EXPECT_CLEAN(run({{"mem.e0", "nop 1; mem rd=1 rdstream=w0"}, {"mem.e4", "mem rd=1 rdstream=w0"}}));
}

TEST(Legality, T2_5_StreamCollisionOfAGroup) {
  EXPECT_ONLY(run(with(addOne(), "vxm.1", "nop 6; move a=w0:2 out=e2:2")), "stream-collision", 6);
  EXPECT_CLEAN(run(with(addOne(), "vxm.1", "nop 6; move a=w0:2 out=e4:2")));
}

TEST(Legality, T2_2_ValuesGoDownstreamOnlyAndOneHopACycle) {
  // e4 (position 2) drives at 5: position 1 westwards at 6, position 3 eastwards at 6.
  const auto at = [&](const std::string &queue, int t, const char *stream, const char *driven) {
    return run({{"mem.e4", std::string("mem rd=1 rdstream=") + driven},
                {queue, "nop " + std::to_string(t) + "; mem wr=1 wrrow=9 wrstream=" + stream}});
  };
  EXPECT_CLEAN(at("mem.e0", 6, "w0", "w0"));
  EXPECT_ONLY(at("mem.e0", 5, "w0", "w0"), "empty-stream", 5);
  EXPECT_ONLY(at("mem.e0", 7, "w0", "w0"), "empty-stream", 7);
  EXPECT_ONLY(at("mem.e0", 6, "e0", "e0"), "empty-stream", 6); // upstream of the producer
  EXPECT_ONLY(at("mem.e0", 6, "w1", "w0"), "empty-stream", 6);
  EXPECT_CLEAN(at("mem.e8", 6, "e0", "e0"));
  EXPECT_ONLY(at("mem.e8", 6, "w0", "w0"), "empty-stream", 6);
  EXPECT_CLEAN(at("mem.w0", 8, "w0", "w0")); // through VXM: position -1 at 5 + 3
  EXPECT_ONLY(at("mem.w0", 7, "w0", "w0"), "empty-stream", 7);
  EXPECT_CLEAN(at("mem.e5", 5, "w0", "w0")); // T2.4: at the producer, in its cycle
}

TEST(Legality, T2_6_GroupsAreAligned) {
  EXPECT_ONLY(run(with(addOne(), "vxm.1", "nop 6; move a=w1:2")), "illegal-encoding", 6);
  EXPECT_ONLY(run(with(addOne(), "vxm.1", "nop 6; move a=w0:4 out=e6:4")), "illegal-encoding", 6);
  EXPECT_CLEAN(run(with(addOne(), "vxm.1", "nop 6; move a=w2:2 out=e8:4")));
}

/// e4 sends row 0 to e0, which at 6 has it on w0 while it reads bank 0.
LegalityReport readAndWrite(const std::string &wrBank) {
  return run({{"mem.e4", "mem rd=1 rdstream=w0"},
              {"mem.e0", "nop 6; mem rd=1 rdstream=w1 wr=1 wrrow=1 wrstream=w0 wrbank=" + wrBank}});
}

TEST(Legality, T3_2_BankConflict) {
  EXPECT_ONLY(readAndWrite("0"), "bank-conflict", 6);
  EXPECT_CLEAN(readAndWrite("1"));
}

TEST(Legality, T3_1_RowInFlight) {
  const auto readAfter = [](const std::string &wait) {
    return run({{"mem.e4", "mem rd=1 rdstream=w0"},
                {"mem.e0", "nop 6; mem wr=1 wrrow=1 wrstream=w0; " + wait + "mem rd=1 rdrow=1 rdstream=w0"}});
  };
  EXPECT_ONLY(readAfter(""), "row-in-flight", 7);
  EXPECT_CLEAN(readAfter("nop 1;")); // at 6 + MemWrite
}

TEST(Legality, T3_4_ReadBeforeWrite) {
  EXPECT_ONLY(run({{"mem.e0", "mem rd=1 rdrow=5"}}), "read-before-write", 0);
  EXPECT_CLEAN(run({{"mem.e0", "mem rd=1 rdrow=0"}}));
  EXPECT_ONLY(run({{"mem.e0", "mem rd=1 rdrow=5"}}, ".region \"s\" rows=9"), "read-before-write", 0);
  Program p = program(stepText({{"mem.e1", "mem rd=1 rdrow=6"}}));
  p.classes[0].programs[0].inputs.push_back({"token", 2, 1, 2, 64, 128, Side::East, 0, 0, 5});
  EXPECT_CLEAN(checkLegality(p, 0, 0)); // rows 5 and 6 of e0 and e1
  p.classes[0].programs[0].inputs[0].vectors = 1;
  EXPECT_ONLY(checkLegality(p, 0, 0), "read-before-write", 0);
}

TEST(Legality, T3_4_AfterAScatterUnwrittenRowsOfItsBankAreNotJudged) {
  // Map on e0, e1 and data on e2, all from position 1, at position 2 at 6.
  const auto scatterThenRead = [](const std::string &bank) {
    return run({{"mem.e0", "mem rd=1 rdstream=e0"},
                {"mem.e1", "mem rd=1 rdstream=e1"},
                {"mem.e2", "mem rd=1 rdstream=e2"},
                {"mem.e4", "nop 6; scatter mapstream=e0 stream=e2; nop 9; mem rd=1 rdrow=7 rdbank=" + bank}});
  };
  EXPECT_CLEAN(scatterThenRead("0"));
  EXPECT_ONLY(scatterThenRead("1"), "read-before-write", 16);
}

TEST(Legality, T3_3_GatherNeedsItsMapAndDrivesAfterMemGather) {
  // Map at position 2 at 6; result driven there at 6 + MemGather = 13, at VXM at 15.
  const auto gather = [](const std::string &t, const std::string &use) {
    return run({{"mem.e0", "mem rd=1 rdstream=e0"},
                {"mem.e1", "mem rd=1 rdstream=e1"},
                {"mem.e4", "nop " + t + "; gather mapstream=e0 stream=w5"},
                {"vxm.0", "nop " + use + "; move a=w5:1"}});
  };
  EXPECT_CLEAN(gather("6", "15"));
  EXPECT_ONLY(gather("6", "14"), "empty-stream", 14);
  EXPECT_ONLY(gather("5", "14"), "empty-stream", 5);
}

TEST(Legality, T3_4_ReadOnlyWrite) {
  const auto writeTo = [](const std::string &kind) {
    return run({{"mem.e4", "mem rd=1 rdstream=w0"}, {"mem.e0", "nop 6; mem wr=1 wrrow=20 wrstream=w0"}},
               ".region \"r\" rows=1 row0=20 kind=" + kind);
  };
  EXPECT_ONLY(writeTo("constant"), "read-only-write", 6);
  EXPECT_ONLY(writeTo("code"), "read-only-write", 6);
  EXPECT_CLEAN(writeTo("zero"));
  EXPECT_CLEAN(writeTo("scratch"));
  EXPECT_ONLY(run({{"mem.e0", "mem rd=1 rdrow=20"}}, ".region \"r\" rows=1 row0=20 kind=code"), "read-only-write", 0);
}

TEST(Legality, T9_AddressRange) {
  EXPECT_ONLY(run({{"mem.e0", "mem rd=1 rdrow=1024"}}), "address-range", 0);
  // Rows never wrap: the second copy runs off the end.
  const std::string zeros = ".region \"z\" kind=zero rows=2 row0=1022";
  EXPECT_CLEAN(run({{"mem.e0", "mem rd=1 rdrow=1022 rdstep=1; repeat count=1 interval=1 window=1"}}, zeros));
  EXPECT_ONLY(run({{"mem.e0", "mem rd=1 rdrow=1022 rdstep=1; repeat count=2 interval=1 window=1"}}, zeros),
              "address-range", 2);
  EXPECT_ONLY(run({{"mem.e0", "mem rd=1 rdstep=-1; repeat count=1 interval=1 window=1"}}), "address-range", 1);
}

TEST(Legality, T4_1_AluResultsAreVisibleInExactlyOneCycle) {
  const auto chain = [](const std::string &first, const std::string &wait) {
    return run({{"vxm.0", first + " a=imm imm=1"}, {"vxm.5", "nop " + wait + "; move a=alu0"}});
  };
  EXPECT_CLEAN(chain("move", "4"));
  EXPECT_ONLY(chain("move", "3"), "empty-operand", 3);
  EXPECT_ONLY(chain("move", "5"), "empty-operand", 5);
  EXPECT_CLEAN(chain("exp", "12"));
  EXPECT_ONLY(chain("exp", "4"), "empty-operand", 4);
  EXPECT_ONLY(run({{"vxm.0", "nop 4; move a=alu16"}}), "illegal-encoding", 4);
}

TEST(Legality, T4_3_AccumulatorsAreReadableFromTheNextCycle) {
  EXPECT_CLEAN(run({{"vxm.0", "exp a=imm accwrite=1; addi a=acc b=imm"}}));
  EXPECT_ONLY(run({{"vxm.0", "exp a=imm; addi a=acc b=imm"}}), "empty-operand", 1);
  EXPECT_ONLY(run({{"vxm.0", "addi a=acc b=imm accwrite=1"}}), "empty-operand", 0);
  EXPECT_ONLY(run({{"vxm.0", "move a=imm accwrite=1"}, {"vxm.1", "nop 3; move a=acc"}}), "empty-operand", 3);
}

TEST(Legality, OperandsAnOperationReadsMustExist) {
  EXPECT_ONLY(run({{"vxm.0", "addi a=imm"}}), "illegal-encoding", 0);
  EXPECT_ONLY(run({{"vxm.0", "move akind=7"}}), "illegal-encoding", 0);
  EXPECT_ONLY(run({{"vxm.0", "move akind=1 awidth=3"}}), "illegal-encoding", 0);
  EXPECT_ONLY(run({{"vxm.0", "move a=imm out=1 outwidth=3"}}), "illegal-encoding", 0);
}

TEST(Legality, QueuesTakeTheirUnitsInstructionsOnly) {
  EXPECT_ONLY(run({{"mem.e0", "move a=imm"}}), "illegal-encoding", 0);
  EXPECT_ONLY(run({{"vxm.0", "mem rd=1"}}), "illegal-encoding", 0);
  EXPECT_ONLY(run({{"mxm.e0.w", "act install=1"}}), "illegal-encoding", 0);
  EXPECT_ONLY(run({{"mem.e0", "config mode=1"}}), "illegal-encoding", 0);
  EXPECT_ONLY(run({{"mem.e0", "nop 0"}}), "illegal-encoding", 0);
}

TEST(Legality, T4_1_TwoResultsOfOneAluInOneCycleAreAnIssueConflict) {
  // exp at 0 and move at 8 both end at 12.
  EXPECT_ONLY(run({{"vxm.0", "exp a=imm; nop 7; move a=imm"}, {"vxm.1", "nop 12; move a=alu0"}}), "issue-conflict", 12);
  EXPECT_CLEAN(run({{"vxm.0", "exp a=imm; nop 8; move a=imm"}, {"vxm.1", "nop 12; move a=alu0; move a=alu0"}}));
}

TEST(Legality, T1_3c_RepeatsKeepTheirSpan) {
  EXPECT_ONLY(run({{"mem.e0", "config; config; repeat count=1 interval=1 window=2"}}), "illegal-encoding", 2);
  EXPECT_CLEAN(run({{"mem.e0", "config; config; repeat count=1 interval=2 window=2"}}));
}

TEST(Legality, T1_4_Overrun) { EXPECT_ONLY(run({{"mem.e0", "config; sync"}}), "overrun", 1); }

/// e0 drives e0 at 5; SXM east stands at 8 and has it at 12.
LegalityReport sxm(const std::string &queue, const std::string &op, int latency, const std::string &maps = "") {
  return run({{"mem.e0", "mem rd=1 rdstream=e0"},
              {queue, "nop 12; " + op + " srcstream=e0 dststream=w9"},
              {"mem.e24", "nop " + std::to_string(12 + latency + 1) + "; mem wr=1 wrrow=4 wrstream=w9"}},
             maps);
}

TEST(Legality, T6_SxmResultsComeAfterTheirLatency) {
  const std::string map = ".map 0..63";
  EXPECT_CLEAN(sxm("sxm.e2", "shift amount=1", 24));
  EXPECT_CLEAN(sxm("sxm.e5", "permute", 24, map));
  EXPECT_CLEAN(sxm("sxm.e6", "distribute", 4, ".map 15..0 0..47"));
  EXPECT_CLEAN(sxm("sxm.e10", "rotate amount=1", 4));
  EXPECT_CLEAN(sxm("sxm.e13", "selectlanes src2stream=e0", 4, map));
  EXPECT_ONLY(sxm("sxm.e2", "shift amount=1", 23), "empty-stream", 36);
  EXPECT_ONLY(sxm("sxm.e10", "rotate amount=1", 5), "empty-stream", 18);
}

TEST(Legality, T6_OpcodesBelongToTheirQueues) {
  for (const auto &[queue, op] : std::map<std::string, std::string>{{"sxm.e0", "shift"},
                                                                    {"sxm.e1", "rotate"},
                                                                    {"sxm.e2", "distribute"},
                                                                    {"sxm.e6", "rotate"},
                                                                    {"sxm.e10", "permute"}})
    EXPECT_EQ(sxm(queue, op, 4).findings.at(0).category, "illegal-encoding") << queue << " " << op;
  EXPECT_ONLY(sxm("sxm.e5", "permute map=1", 24, ".map 0..63"), "address-range", 12);
  EXPECT_ONLY(sxm("sxm.e6", "distribute", 4, ".map 16 0..62"), "address-range", 12); // lanes of a superlane
}

TEST(Legality, T6_TransposeMovesSixteenStreams) {
  // Slice i at position 1 + i/4 reads so that all are at position 8 at 20.
  Queues q{{"sxm.e1", "nop 20; transpose srcstream=e0 dststream=w16"},
           {"mem.e27", "nop 41; mem wr=1 wrrow=2 wrstream=w31"}};
  for (int i = 0; i < 16; ++i)
    q["mem.e" + std::to_string(i)] =
        "nop " + std::to_string(20 - 5 - (8 - (1 + i / 4))) + "; mem rd=1 rdstream=e" + std::to_string(i);
  EXPECT_CLEAN(run(q));
  EXPECT_ONLY(run(with(q, "mem.e3", "config")), "empty-stream", 20);
  EXPECT_EQ(found(run(with(q, "sxm.e1", "nop 20; transpose srcstream=e0 dststream=w8"))).at("illegal-encoding"), 20);
}

TEST(Legality, FindingsSayWhereAndWhy) {
  const LegalityReport report =
      run({{"mem.e0", "nop 3; mem rd=1 rdrow=1020 rdstep=5; repeat count=1 interval=2 window=1"}},
          ".region \"z\" kind=zero row0=1020 rows=1");
  ASSERT_EQ(report.findings.size(), 1u);
  EXPECT_EQ(report.findings[0].str(), "address-range at cycle 5, mem.e0: mem rd=1 rdrow=1025 rdstep=5 rdstream=e0: "
                                      "row 1025 is outside of 0 to 1023");
}

TEST(Legality, StopsAtTheAskedNumberOfFindings) {
  const Program p = program(stepText({{"mem.e0", "mem rd=1 rdrow=1; repeat count=50 interval=1 window=1"}}));
  LegalityOptions options;
  options.maxFindings = 7;
  EXPECT_EQ(checkLegality(p, 0, 0, options).findings.size(), 7u);
  EXPECT_EQ(checkLegality(p, 0, 0).findings.size(), 51u);
}

TEST(Legality, QueuesTheMachineDoesNotHaveAreRefused) {
  Program p = program(stepText({{"mem.e0", "config"}}));
  p.classes[0].programs[0].queues[0].queue.index = 28;
  EXPECT_ONLY(checkLegality(p, 0, 0), "address-range", 0);
}

} // namespace
