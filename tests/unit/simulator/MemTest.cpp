// MEM (T3): latencies pinned from both sides, halves, banks, maps, regions.
#include "Bench.h"

namespace lpu::test {
namespace {

using isa::Region;

class Mem : public BothEngines {};
LPU_BOTH_ENGINES(Mem);

// Small machine: slice 0 east stands at position 1, slice 4 at 2, slice 8 at 3.

// T3.1: a read drives at t + MemRead (5); the neighbour position sees it one cycle later.
TEST_P(Mem, ReadArrivesFiveCyclesAndOneHopLater) {
  auto build = [](isa::Cycle writeAt) {
    ProgramBuilder b;
    b.constant(kEast, 0, 0, 7, b.lanes([](int l) { return l + 1; }));
    b.at(10, "mem.e0", "mem rd=1 rdrow=7 rdstream=e3");
    b.at(writeAt, "mem.e4", "mem wr=1 wrrow=9 wrstream=e3");
    return b.finish();
  };
  auto rows = legal(build(16), {{kEast, 4, 0, 9}}); // 10 + 5 + (2 - 1)
  EXPECT_EQ(rows[0], ProgramBuilder().lanes([](int l) { return l + 1; }));
  illegal(build(15), "empty-stream", 15, "mem.e4");
  illegal(build(17), "empty-stream", 17, "mem.e4");
}

// T3.1: the row of a write at t is readable from t + MemWrite (2).
TEST_P(Mem, WrittenRowIsReadableTwoCyclesLater) {
  auto build = [](isa::Cycle readAt) {
    ProgramBuilder b;
    b.constant(kEast, 0, 0, 7, b.fill(42));
    b.at(0, "mem.e0", "mem rd=1 rdrow=7 rdstream=e3");
    b.at(6, "mem.e4", "mem wr=1 wrrow=9 wrstream=e3");
    b.at(readAt, "mem.e4", "mem rd=1 rdrow=9 rdstream=e5");
    b.at(readAt + 6, "mem.e8", "mem wr=1 wrrow=1 wrstream=e5");
    return b.finish();
  };
  auto rows = legal(build(8), {{kEast, 8, 0, 1}});
  EXPECT_EQ(rows[0], ProgramBuilder().fill(42));
  illegal(build(7), "row-in-flight", 7, "mem.e4");
}

// T3.2: both halves in one word need different banks.
TEST_P(Mem, HalvesOfOneWordNeedDifferentBanks) {
  auto build = [](int writeBank) {
    Bench b;
    b.constant(kEast, 4, 0, 3, b.fill(9));
    b.feed(kEast, 0, "e1", b.fill(5), 2, 20);
    b.at(20, "mem.e4", "mem rd=1 rdrow=3 rdstream=e2 wr=1 wrrow=8 wrstream=e1 wrbank=" + std::to_string(writeBank));
    b.at(26, "mem.e8", "mem wr=1 wrrow=2 wrstream=e2");
    return b.finish();
  };
  auto rows = legal(build(1), {{kEast, 4, 1, 8}, {kEast, 8, 0, 2}});
  EXPECT_EQ(rows[0][0], 5);
  EXPECT_EQ(rows[1][0], 9);
  illegal(build(0), "bank-conflict", 20, "mem.e4");
}

// T3.3: gather picks a row per superlane, drives at t + MemGather (7); 0xFFFF gives zeros.
// Map lane 3: superlane k's word is at lane 16k + 3 of streams e0 (low), e1 (high).
struct GatherCase {
  isa::Cycle storeDelay = 7;
  int badRow = -1;
};
isa::Program gatherProgram(const GatherCase &c) {
  Bench b;
  const int rowOf[4] = {11, 0x102, -1, 12};
  for (int row : {11, 0x102, 12})
    b.constant(kEast, 8, 0, row, b.lanes([row](int l) { return l + row; }));
  auto word = [&](int l) { return l % 16 != 3 ? 0 : c.badRow >= 0 && l / 16 == 1 ? c.badRow : rowOf[l / 16] & 0xFFFF; };
  b.feed(kEast, 0, "e0", b.lanes([&](int l) { return word(l); }), 3, 30);
  b.feed(kEast, 1, "e1", b.lanes([&](int l) { return word(l) >> 8; }), 3, 30);
  b.at(30, "mem.e8", "gather bank=0 mapstream=e0 maplane=3 stream=e9");
  b.store(kEast, 12, "e9", 3, 30 + c.storeDelay);
  return b.finish();
}
TEST_P(Mem, GatherTakesARowPerSuperlaneInSevenCycles) {
  auto rows = legal(gatherProgram({}), {{kEast, 12, 1, 2}});
  EXPECT_EQ(rows[0], ProgramBuilder().lanes([](int l) {
    return l / 16 == 2 ? 0 : l + (l / 16 == 0 ? 11 : l / 16 == 1 ? 0x102 : 12);
  }));
  illegal(gatherProgram({6}), "empty-stream", 37, "mem.e12"); // one cycle early: 30 + 6 + 1 hop
  illegal(gatherProgram({7, 1024}), "address-range", 30, "mem.e8");
  illegal(gatherProgram({7, 500}), "read-before-write", 30, "mem.e8");
}

// T3.3: scatter writes each superlane to its row, readable from t + MemScatter (4).
isa::Program scatterProgram(isa::Cycle readDelay, int readRow, int row3 = 23) {
  Bench b;
  const int rowOf[4] = {20, 21, 0xFFFF, row3};
  b.region(Region::Kind::Zero, kEast, 8, 1, 20, 5);
  b.feed(kEast, 0, "e0", b.lanes([&](int l) { return rowOf[l / 16]; }), 3, 30);
  b.feed(kEast, 1, "e1", b.lanes([&](int l) { return rowOf[l / 16] >> 8; }), 3, 30);
  b.feed(kEast, 2, "e2", b.lanes([](int l) { return 100 + l; }), 3, 30);
  b.at(30, "mem.e8", "scatter bank=1 mapstream=e0 maplane=15 stream=e2");
  b.at(30 + readDelay, "mem.e8", "mem rd=1 rdbank=1 rdrow=" + std::to_string(readRow) + " rdstream=e7");
  return b.finish();
}
TEST_P(Mem, ScatterWritesASuperlaneEachInFourCycles) {
  auto rows =
      legal(scatterProgram(4, 21), {{kEast, 8, 1, 20}, {kEast, 8, 1, 21}, {kEast, 8, 1, 22}, {kEast, 8, 1, 23}});
  for (int r = 0; r < 4; ++r)
    EXPECT_EQ(rows[r], ProgramBuilder().lanes([r](int l) { return r != 2 && l / 16 == r ? 100 + l : 0; })) << r;
  illegal(scatterProgram(3, 21), "row-in-flight", 33, "mem.e8");
  legal(scatterProgram(3, 24));                                        // a row it did not touch
  illegal(scatterProgram(4, 21, 1024), "address-range", 30, "mem.e8"); // map word out of range
}

// T3.4: written-ness is kept per superlane word: a row with one word missing cannot be read.
TEST_P(Mem, PartlyWrittenRowCannotBeRead) {
  Bench b;
  b.feed(kEast, 0, "e0", b.lanes([](int l) { return l / 16 == 1 ? 0xFF : 50; }), 3, 30);
  b.feed(kEast, 1, "e1", b.lanes([](int l) { return l / 16 == 1 ? 0xFF : 0; }), 3, 30);
  b.feed(kEast, 2, "e2", b.fill(1), 3, 30);
  b.at(30, "mem.e8", "scatter bank=1 mapstream=e0 stream=e2");
  b.at(40, "mem.e8", "mem rd=1 rdbank=1 rdrow=50 rdstream=e7");
  illegal(b.finish(), "read-before-write", 40, "mem.e8");
}

// In timing mode only its data would say which rows a scatter wrote, so after one
// no row of the bank counts as unwritten; other banks do.
TEST_P(Mem, TimingModeTrustsRowsAfterAScatter) {
  auto build = [](int bank) {
    Bench b;
    b.feed(kEast, 0, "e0", b.fill(50), 3, 30);
    b.feed(kEast, 1, "e1", b.fill(0), 3, 30);
    b.feed(kEast, 2, "e2", b.fill(1), 3, 30);
    b.at(30, "mem.e8", "scatter bank=1 mapstream=e0 stream=e2");
    b.at(40, "mem.e8", "mem rd=1 rdrow=50 rdstream=e7 rdbank=" + std::to_string(bank));
    return b.finish();
  };
  EXPECT_EQ(simulate(build(1), timing()).category, "");
  EXPECT_EQ(simulate(build(0), timing()).category, "read-before-write");
  EXPECT_EQ(simulate(build(1), timing()).cycles, run(build(1)).cycles);
}

TEST_P(Mem, ReadingWhatWasNeverWritten) {
  Bench b;
  b.region(Region::Kind::Scratch, kEast, 0, 0, 5);
  b.at(3, "mem.e0", "mem rd=1 rdrow=5 rdstream=e0");
  illegal(b.finish(), "read-before-write", 3, "mem.e0");
}

// T3.4: Constant rows are read-only, Code rows are not touched at all.
TEST_P(Mem, ReadOnlyRows) {
  auto write = [](Region::Kind kind) {
    Bench b;
    if (kind == Region::Kind::Constant)
      b.constant(kEast, 4, 0, 0, b.fill(1));
    else
      b.region(kind, kEast, 4, 0, 0);
    b.feed(kEast, 0, "e0", b.fill(2), 2, 20);
    b.at(20, "mem.e4", "mem wr=1 wrrow=0 wrstream=e0");
    return b.finish();
  };
  illegal(write(Region::Kind::Constant), "read-only-write", 20, "mem.e4");
  illegal(write(Region::Kind::Code), "read-only-write", 20, "mem.e4");
  legal(write(Region::Kind::Zero));
  legal(write(Region::Kind::Scratch));
  Bench b;
  b.region(Region::Kind::Code, kEast, 4, 0, 0);
  b.at(1, "mem.e4", "mem rd=1 rdrow=0 rdstream=e0");
  illegal(b.finish(), "read-only-write", 1, "mem.e4");
}

TEST_P(Mem, RowsOutOfRange) {
  Bench high;
  high.at(1, "mem.e4", "mem rd=1 rdrow=1024 rdstream=e0");
  illegal(high.finish(), "address-range", 1, "mem.e4");
  Bench low; // the second reissue steps below row 0
  low.region(Region::Kind::Zero, kEast, 4, 0, 0, 4);
  low.append("mem.e4", {"mem rd=1 rdrow=3 rdstep=-2 rdstream=e0", "repeat count=3 interval=2 window=1"}, 20);
  illegal(low.finish(), "address-range", 4, "mem.e4");
}

// T4-style persistence: memory outlives a step, streams do not.
TEST_P(Mem, MemoryOutlivesAStepAndStreamsDoNot) {
  Bench b;
  b.feed(kEast, 0, "e0", b.fill(77), 2, 20);
  b.at(20, "mem.e4", "mem wr=1 wrrow=6 wrstream=e0");
  b.nextStep();
  b.at(0, "mem.e4", "mem rd=1 rdrow=6 rdstream=e1");
  b.at(6, "mem.e8", "mem wr=1 wrrow=6 wrstream=e1");
  EXPECT_EQ(legal(b.finish(), {{kEast, 8, 0, 6}})[0][3], 77);

  Bench c;
  c.constant(kEast, 0, 0, 0, c.fill(1));
  c.at(0, "mem.e0", "mem rd=1 rdrow=0 rdstream=e0");
  c.nextStep();
  c.at(0, "mem.e24", "mem wr=1 wrrow=0 wrstream=e0");
  illegal(c.finish(), "empty-stream", 0, "mem.e24");
}

} // namespace
} // namespace lpu::test
