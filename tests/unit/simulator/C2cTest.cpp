// C2C (T7), over links wired back to the same chip.
#include "Bench.h"

namespace lpu::test {
namespace {

class C2c : public BothEngines {};
LPU_BOTH_ENGINES(C2c);

constexpr int kEastEnd = 8; // links 0..5 stand at the east SXM position, the others west

// send: at the other end after C2cSend (216); receive drives after C2cReceive (1).
TEST_P(C2c, VectorArrivesAfter216Cycles) {
  auto build = [](isa::Cycle receiveDelay, isa::Cycle storeDelay) {
    Bench b;
    b.program.wires.push_back({0, 0, 0, 7});
    b.feed(kEast, 0, "e1", b.fill(99), kEastEnd, 40);
    b.at(40, "c2c.0", "send stream=e1");
    b.at(40 + receiveDelay, "c2c.7", "receive stream=e2");
    b.store(kWest, 20, "e2", -kEastEnd, 40 + receiveDelay + storeDelay);
    return b.finish();
  };
  EXPECT_EQ(legal(build(216, 1), {{kWest, 20, 1, 1}})[0][8], 99);
  EXPECT_EQ(legal(build(300, 1), {{kWest, 20, 1, 1}})[0][8], 99); // it waits
  illegal(build(215, 1), "link-empty", 255, "c2c.7");
  illegal(build(216, 0), "empty-stream", 256 + 2, "mem.w20");
  illegal(build(216, 2), "empty-stream", 258 + 2, "mem.w20");
}

// Sends on one link at least c2cVectorInterval (24) apart.
TEST_P(C2c, SendsKeepTheirInterval) {
  auto build = [](isa::Cycle interval) {
    Bench b;
    b.program.wires.push_back({0, 3, 0, 3});
    for (isa::Cycle t : {isa::Cycle{40}, 40 + interval}) {
      b.feed(kEast, 0, "e1", b.fill(1), kEastEnd, t);
      b.at(t, "c2c.3", "send stream=e1");
    }
    b.at(300, "c2c.3", "receive stream=w1").at(301, "c2c.3", "receive stream=w1");
    return b.finish();
  };
  legal(build(24));
  illegal(build(23), "link-busy", 63, "c2c.3");
}

TEST_P(C2c, OrderIsKept) {
  Bench b;
  b.program.wires.push_back({0, 1, 0, 2});
  for (int i = 0; i < 3; ++i) {
    b.feed(kEast, 0, "e1", b.fill(i + 1), kEastEnd, 40 + 30 * i);
    b.at(40 + 30 * i, "c2c.1", "send stream=e1");
  }
  std::vector<RowRef> refs;
  for (int i = 0; i < 3; ++i) {
    b.at(400 + i, "c2c.2", "receive stream=w2");
    refs.push_back(b.store(kEast, 20, "w2", kEastEnd, 401 + i));
  }
  auto rows = legal(b.finish(), refs);
  for (int i = 0; i < 3; ++i)
    EXPECT_EQ(rows[i][0], i + 1);
}

TEST_P(C2c, UnconnectedLink) {
  Bench b;
  b.feed(kEast, 0, "e1", b.fill(1), kEastEnd, 40);
  b.at(40, "c2c.0", "send stream=e1");
  illegal(b.finish(), "link-unconnected", 40, "c2c.0");
  Bench c;
  c.at(40, "c2c.0", "receive stream=e1");
  illegal(c.finish(), "link-unconnected", 40, "c2c.0");
}

// More vectors waiting than the link holds; a pop in the arrival's cycle makes room.
TEST_P(C2c, WaitingVectorsOverflow) {
  auto build = [](isa::Cycle popAt) {
    Bench b;
    b.machine.c2cFifoVectors = 2;
    b.program.wires.push_back({0, 0, 0, 1});
    for (isa::Cycle t : {40, 64, 88}) { // arrive at 256, 280, 304
      b.feed(kEast, 0, "e1", b.fill(1), kEastEnd, t);
      b.at(t, "c2c.0", "send stream=e1");
    }
    b.at(popAt, "c2c.1", "receive stream=w1");
    b.at(400, "c2c.1", "receive stream=w1").at(401, "c2c.1", "receive stream=w1");
    return b.finish();
  };
  legal(build(304));
  illegal(build(305), "link-overflow", 304, "c2c.0");
}

// T7: a vector that nobody takes in its step.
TEST_P(C2c, UnreceivedVectorIsLost) {
  Bench b;
  b.program.wires.push_back({0, 0, 0, 1});
  for (isa::Cycle t : {40, 64, 88}) {
    b.feed(kEast, 0, "e1", b.fill(1), kEastEnd, t);
    b.at(t, "c2c.0", "send stream=e1");
  }
  b.at(500, "c2c.1", "receive stream=w1");
  illegal(b.finish(), "lost-vector", 64 + 216, "c2c.0");
}

TEST_P(C2c, DeskewHasNoEffect) {
  Bench b;
  b.at(5, "c2c.4", "deskew");
  legal(b.finish());
}

} // namespace
} // namespace lpu::test
