// MEM (T3): latencies pinned from both sides, halves, banks, maps, regions.
#include "RunHelper.h"

namespace lpu::test {
namespace {

using isa::Region;

class Mem : public BothEngines {
protected:
  /// Slice 0 east stands at position 1, slice 4 at 2, slice 8 at 3.
  ProgramBuilder b;
};
LPU_BOTH_ENGINES(Mem);

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
  EXPECT_EQ(rows[0], b.lanes([](int l) { return l + 1; }));
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
  EXPECT_EQ(rows[0], b.fill(42));
  illegal(build(7), "row-in-flight", 7, "mem.e4");
}

// T1.5: length = last effect + superlanes - 1; a write's effect is t + 2.
TEST_P(Mem, StepLengthCountsTheSlowestEffect) {
  b.region(Region::Kind::Zero, kEast, 0, 0, 0);
  b.at(100, "mem.e0", "mem rd=1 rdrow=0 rdstream=e0");
  Outcome outcome = run(b.finish());
  EXPECT_EQ(outcome.cycles[0], 100 + 5 + b.machine.superlanes - 1);
}

} // namespace
} // namespace lpu::test
