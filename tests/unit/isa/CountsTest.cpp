// Counts of docs/spec/counts.md, each against a program that was counted by hand.
#include "AnchorPrograms.h"

#include "lpu/isa/Counts.h"
#include "lpu/isa/Legality.h"

#include <gtest/gtest.h>

namespace lpu::isa {
namespace {

using test::ProgramBuilder;

constexpr std::uint64_t kLanes = 64; // of `small`

/// Of the only step of a legal program.
CountedProgram counted(const Program &program, Cycle binCycles = 0) {
  const LegalityReport report = checkLegality(program, 0, 0, {.checkClaim = false});
  EXPECT_TRUE(report.findings.empty()) << report.findings.front().str();
  return countProgram(program.machine, program.classes[0].programs[0], binCycles);
}

ProgramBuilder &zeroRow(ProgramBuilder &b, Side side, int slice) {
  return b.region(Region::Kind::Zero, side, slice, 0, 0);
}

TEST(Counts, ACopyOverNPositions) {
  // From position 1 to position 6: 20 copies of a row, five hops each; the edge of `small` is position 9.
  ProgramBuilder b;
  zeroRow(b, Side::East, 0);
  b.at(0, "mem.e0", "mem rd=1 rdstream=e3 copies=19");
  b.at(5 + 5, "mem.e20", "mem wr=1 wrbank=1 wrstream=e3 copies=19");
  const Counts counts = counted(b.finish()).total;
  EXPECT_EQ(counts[Opcode::Mem], 40u);
  EXPECT_EQ(counts.allWords(), 40u);
  EXPECT_EQ(counts[Count::SramReadBytes], 20 * kLanes);
  EXPECT_EQ(counts[Count::SramWrittenBytes], 20 * kLanes);
  EXPECT_EQ(counts[Count::StreamByteHops], 20 * 5 * kLanes);
  EXPECT_EQ(counts[Count::StreamTailByteHops], 20 * 3 * kLanes);
  // The last write takes effect at 10 + 19 + 2; four superlanes, the last of them three cycles later.
  EXPECT_EQ(counts[Count::SuperlaneCycles], 4u * (31 + 3));
}

TEST(Counts, OnlyTheLastConsumerCounts) {
  ProgramBuilder b;
  zeroRow(b, Side::East, 0);
  b.at(0, "mem.e0", "mem rd=1 rdstream=e3");
  b.at(5 + 1, "mem.e4", "mem wr=1 wrbank=1 wrstream=e3");
  b.at(5 + 4, "mem.e16", "mem wr=1 wrbank=1 wrstream=e3");
  EXPECT_EQ(counted(b.finish()).total[Count::StreamByteHops], 4 * kLanes);
}

TEST(Counts, AValueEndsWhereAnotherReplacesIt) {
  // Driven at position 1 and never taken; at position 3 another one takes its place.
  ProgramBuilder b;
  zeroRow(b, Side::East, 0);
  zeroRow(b, Side::East, 8);
  b.at(0, "mem.e0", "mem rd=1 rdstream=e3");
  b.at(2, "mem.e8", "mem rd=1 rdstream=e3");
  const Counts counts = counted(b.finish()).total;
  EXPECT_EQ(counts[Count::StreamByteHops], 0u);
  EXPECT_EQ(counts[Count::StreamTailByteHops], (1 + 6) * kLanes); // to 2; from 3 to 9
}

TEST(Counts, ReissuesOfRepeatsAndWaitsBetweenThem) {
  ProgramBuilder b;
  zeroRow(b, Side::East, 0);
  b.at(0, "mem.e0", "mem rd=1 rdstream=e3").at(4, "mem.e0", "mem rd=1 rdstream=e4");
  b.append("mem.e0", {"repeat count=9 interval=6 window=3"}, 100);
  const Counts counts = counted(b.finish()).total;
  EXPECT_EQ(counts[Opcode::Mem], 20u);
  EXPECT_EQ(counts[Opcode::Nop], 0u) << "a nop costs nothing";
  EXPECT_EQ(counts[Opcode::Repeat], 0u);
}

TEST(Counts, OneTile) {
  // Four lw of 16 rows fill the 64 rows of a plane; one vector is played on half of the superlanes.
  ProgramBuilder b;
  for (int slice = 0; slice < 17; ++slice)
    zeroRow(b, Side::East, slice);
  const auto arrival = [&](int slice) {
    return 40 - 5 - (b.machine.mxmPosition() - b.machine.memPosition(Side::East, slice));
  };
  for (int slice = 0; slice < 16; ++slice)
    b.at(arrival(slice), "mem.e" + std::to_string(slice), "mem rd=1 rdstream=e" + std::to_string(slice) + " copies=3");
  b.at(arrival(16), "mem.e16", "mem rd=1 rdstream=e16");
  b.at(40, "mxm.e0.w", "lw rowstep=1 copies=3");
  b.at(40, "mxm.e0.a", "act load=1 loadstream=16");
  b.at(43, "mxm.e0.a", "act install=1").at(44, "mxm.e0.a", "act play=1 mask=0x3");
  b.at(44 + 44, "mxm.e0.r", "acc accmode=1");
  const Counts counts = counted(b.finish()).total;
  EXPECT_EQ(counts[Count::WeightBytes], kLanes * kLanes);
  EXPECT_EQ(counts[Count::ProductsInt8], 2 * 16 * kLanes) << "lanes of the mask times all rows";
  EXPECT_EQ(counts[Opcode::LoadWeights], 4u);
  EXPECT_EQ(counts[Opcode::Activate], 3u);
  EXPECT_EQ(counts[Opcode::Accumulate], 1u);
  // Slices 4i..4i+3 stand 8 - i positions from the planes; each row goes there four times, the vector from slice 16
  // once.
  EXPECT_EQ(counts[Count::StreamByteHops], (4 * 4 * (8 + 7 + 6 + 5) + 4) * kLanes);
  EXPECT_EQ(counts[Count::StreamTailByteHops], 0u);
}

TEST(Counts, OneSend) {
  ProgramBuilder b;
  zeroRow(b, Side::East, 0);
  b.at(0, "mem.e0", "mem rd=1 rdstream=e3");
  b.at(5 + 7, "c2c.2", "send stream=e3");
  const Counts counts = counted(b.finish()).total;
  ASSERT_EQ(counts.sent.size(), 3u);
  EXPECT_EQ(counts.sent[2], 1u);
  EXPECT_EQ(counts.allSent(), 1u);
  EXPECT_TRUE(counts.received.empty());
  EXPECT_EQ(counts[Count::StreamByteHops], 7 * kLanes);
}

TEST(Counts, ScheduledByKind) {
  ProgramBuilder b;
  for (int slice : {0, 4, 8})
    zeroRow(b, Side::East, slice);
  b.at(0, "mem.e0", "mem rd=1 rdstream=w0").at(6, "vxm.0", "exp a=w0:1").at(18, "vxm.1", "addi a=alu0 b=imm");
  b.at(2, "mem.e4", "mem rd=1 rdstream=e5").at(2 + 5 + 6, "sxm.e10", "rotate srcstream=e5 dststream=w5 amount=1");
  b.at(2 + 5 + 6, "sxm.e2", "shift srcstream=e5 dststream=w6 amount=1");
  b.at(30, "mem.e8", "mem rd=1 rdstream=e2 copies=1"); // map words: zero everywhere
  const Counts counts = counted(b.finish()).total;
  EXPECT_EQ(counts[Count::VxmSpecial], kLanes);
  EXPECT_EQ(counts[Count::VxmSimple], kLanes);
  EXPECT_EQ(counts[Count::SxmWithinBytes], kLanes);
  EXPECT_EQ(counts[Count::SxmAcrossBytes], kLanes);
  EXPECT_EQ(counts[Count::SxmTransposeBytes], 0u);
}

TEST(Counts, OperationsAndTimesAddUpToTheWhole) {
  const Program program = test::allUnitsProgram(400);
  for (const Cycle bin : {1, 7, 100, 100000}) {
    const CountedProgram all = counted(program, bin);
    Counts labels, times;
    for (const Counts &label : all.byLabel)
      labels.add(label);
    for (const Counts &time : all.byTime)
      times.add(time);
    EXPECT_EQ(difference(all.total, labels), "");
    EXPECT_EQ(difference(all.total, times), "");
    EXPECT_EQ(difference(all.total, counted(program).total), "");
  }
}

TEST(Counts, DifferenceNamesTheFirstNumber) {
  Counts a, b;
  b[Count::WeightBytes] = 3;
  b.countSent(4, 2);
  EXPECT_EQ(difference(a, b), "weight_bytes: 0 and 3");
  a[Count::WeightBytes] = 3;
  EXPECT_EQ(difference(a, b), "vectors_sent.c2c.4: 0 and 2");
  a.countSent(4, 2);
  a.received.resize(9);
  EXPECT_EQ(difference(a, b), "") << "links without vectors make no difference";
}

} // namespace
} // namespace lpu::isa
