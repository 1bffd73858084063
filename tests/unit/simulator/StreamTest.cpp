// Streams (T2): hops, replacement, ends, collisions, groups.
#include "Bench.h"

namespace lpu::test {
namespace {

class Streams : public BothEngines {};
LPU_BOTH_ENGINES(Streams);

// T2.2: one position a cycle, both ways, through VXM.
TEST_P(Streams, OnePositionPerCycleBothWays) {
  Bench b;
  b.feed(kWest, 8, "e4", b.fill(1), 0, 30); // from position -3
  b.feed(kEast, 8, "w4", b.fill(2), 0, 30); // from position 3
  RowRef east = b.store(kEast, 27, "e4", 0, 30), west = b.store(kWest, 27, "w4", 0, 30);
  auto rows = legal(b.finish(), {east, west});
  EXPECT_EQ(rows[0][0], 1);
  EXPECT_EQ(rows[1][0], 2);
}

// T2.4: a value driven where another arrives replaces it, there and downstream.
TEST_P(Streams, DrivenValueReplacesWhatArrives) {
  Bench b;
  b.feed(kEast, 0, "e4", b.fill(1), 3, 30);
  b.constant(kEast, 8, 0, 900, b.fill(2));
  b.at(25, "mem.e8", "mem rd=1 rdrow=900 rdstream=e4"); // drives at position 3, t=30
  RowRef before = b.store(kEast, 4, "e4", 2, 29);
  RowRef there = b.store(kEast, 9, "e4", 3, 30), after = b.store(kEast, 12, "e4", 4, 31);
  auto rows = legal(b.finish(), {before, there, after});
  EXPECT_EQ(rows[0][0], 1);
  EXPECT_EQ(rows[1][0], 2);
  EXPECT_EQ(rows[2][0], 2);
}

// T2.4: upstream of a producer nothing of it is seen.
TEST_P(Streams, NothingTravelsUpstream) {
  Bench b;
  b.constant(kEast, 8, 0, 0, b.fill(2));
  b.at(25, "mem.e8", "mem rd=1 rdrow=0 rdstream=e4");
  b.at(31, "mem.e4", "mem wr=1 wrrow=0 wrstream=e4");
  illegal(b.finish(), "empty-stream", 31, "mem.e4");
}

// T2.5: two producers at one place and cycle; the one dispatched later is to blame.
TEST_P(Streams, TwoProducersCollide) {
  Bench b; // slices 0 and 1 stand at the same position
  b.region(isa::Region::Kind::Zero, kEast, 0, 0, 0).region(isa::Region::Kind::Zero, kEast, 1, 0, 0);
  b.at(10, "mem.e0", "mem rd=1 rdrow=0 rdstream=e0");
  b.at(10, "mem.e1", "mem rd=1 rdrow=0 rdstream=e0");
  illegal(b.finish(), "stream-collision", 10, "mem.e1");

  Bench c; // exp (12) at 10 and move (4) at 18 drive together at 22
  c.at(10, "vxm.7", "exp a=imm out=e4:4");
  c.at(18, "vxm.2", "move a=imm out=e4:4");
  illegal(c.finish(), "stream-collision", 18, "vxm.2");

  Bench d;
  d.at(10, "vxm.7", "exp a=imm out=e4:4");
  d.at(17, "vxm.2", "move a=imm out=e4:4");
  legal(d.finish());
}

// T2.6: groups start at multiples of their width.
TEST_P(Streams, MisalignedGroups) {
  for (const char *text : {"move a=e2:4", "move a=e1:2", "move a=imm out=e2:4", "move a=imm out=w3:2"}) {
    Bench b;
    b.at(5, "vxm.1", text);
    illegal(b.finish(), "illegal-encoding", 5, "vxm.1");
  }
  for (const char *text : {"gather mapstream=e1 stream=e4", "scatter mapstream=e1 stream=e4"}) {
    Bench b;
    b.at(5, "mem.e0", text);
    illegal(b.finish(), "illegal-encoding", 5, "mem.e0");
  }
  Bench lw, acc;
  lw.at(5, "mxm.e0.w", "lw stream=8");
  illegal(lw.finish(), "illegal-encoding", 5, "mxm.e0.w");
  acc.at(5, "mxm.e0.r", "acc emit=1 stream=2");
  illegal(acc.finish(), "illegal-encoding", 5, "mxm.e0.r");
}

// T2.3: values end at the outermost positions: an eastward value driven at the east
// MXM position is gone one cycle later, and never comes round to the west.
TEST_P(Streams, ValuesEndAtTheOutermostPositions) {
  Bench b;
  b.feed(kEast, 27, "e4", b.fill(1), 9, 30); // at the MXM at 30
  b.at(31, "mxm.e0.a", "act load=1 loadstream=4");
  illegal(b.finish(), "empty-stream", 31, "mxm.e0.a");
}

// The arithmetic in the message.
TEST_P(Streams, ViolationTellsTheArithmetic) {
  Bench b;
  b.feed(kEast, 0, "e3", b.fill(1), 2, 20);
  b.at(21, "mem.e4", "mem wr=1 wrrow=9 wrstream=e3");
  Outcome o = run(b.finish());
  EXPECT_EQ(o.instruction, "mem wr=1 wrrow=9 wrstream=e3");
  EXPECT_NE(o.detail.find("21 - 2 = 19"), std::string::npos) << o.detail;
  EXPECT_NE(o.detail.find("t=20, 1 cycle(s) earlier"), std::string::npos) << o.detail;
  sim::Violation v{o.category, o.at, 0, o.queue, o.instruction, "why"};
  EXPECT_EQ(v.str(), "violation empty-stream at cycle 21, chip 0, mem.e4: mem wr=1 wrrow=9 wrstream=e3: why");
}

} // namespace
} // namespace lpu::test
