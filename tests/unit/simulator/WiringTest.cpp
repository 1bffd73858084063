// Wiring: what is found out about streams when a program is laid out. That wired
// programs compute and fail as they should is for the tests of both engines.
#include "Timeline.h"

#include "Bench.h"

namespace lpu::test {
namespace {

class Wired : public testing::Test {
protected:
  /// The timeline of a finished program's only step; null: it cannot be wired.
  std::unique_ptr<sim::Timeline> layOut(Bench &b, bool functional = true, bool everyWord = false) {
    program = b.finish();
    memory = std::make_unique<sim::Memory>(program.machine);
    EXPECT_TRUE(memory->load(program.classes[0], program.image));
    queues.clear();
    for (const isa::QueueCode &code : program.classes[0].programs[0].queues)
      queues.push_back(sim::decodeQueue(program.machine, code));
    return sim::Timeline::of(program.machine, queues,
                             sim::Wiring(program.machine, program.classes[0], *memory, functional, everyWord));
  }
  static int countOf(const sim::Timeline &timeline, isa::Opcode opcode) {
    int count = 0;
    for (const sim::Issue &issue : timeline.issues())
      count += issue.dispatch.op->opcode == opcode ? 1 : 0;
    return count;
  }
  static std::string repeat(int count) { return "repeat count=" + std::to_string(count - 1) + " interval=1 window=1"; }

  isa::Program program;
  std::unique_ptr<sim::Memory> memory;
  std::vector<sim::DecodedQueue> queues;
};

TEST_F(Wired, ConstantsAreReadByNobody) {
  Bench b;
  b.feed(kEast, 3, "e7", b.fill(5), 6, 30);
  b.store(kEast, 20, "e7", 6, 30);
  auto timeline = layOut(b);
  ASSERT_TRUE(timeline);
  ASSERT_EQ(countOf(*timeline, isa::Opcode::Mem), 1);
  const sim::Dispatch &write = timeline->issues().back().dispatch;
  EXPECT_TRUE(write.op->mem.write);
  EXPECT_EQ(write.sources[0].kind, sim::Source::Kind::Image);
  EXPECT_EQ(memory->imageBytes()[write.sources[0].where], 5);
  EXPECT_EQ(timeline->wires().rowRegisters, 0u);
}

TEST_F(Wired, EveryWordIsKeptForATrace) {
  Bench b;
  b.feed(kEast, 3, "e7", b.fill(5), 6, 30);
  b.store(kEast, 20, "e7", 6, 30);
  auto timeline = layOut(b, true, true);
  ASSERT_TRUE(timeline);
  EXPECT_EQ(countOf(*timeline, isa::Opcode::Mem), 2);
}

TEST_F(Wired, NotWithoutAProducerUpstream) {
  for (int late : {0, 1}) {
    Bench b;
    b.feed(kEast, 3, "e7", b.fill(5), 6, 30 + late);
    b.store(kEast, 20, "e7", 6, 30);
    EXPECT_EQ(layOut(b) != nullptr, late == 0) << late;
  }
  Bench b; // the producer stands downstream
  b.feed(kEast, 20, "w7", b.fill(5), 3, 30);
  b.store(kEast, 24, "w7", 8, 25);
  EXPECT_FALSE(layOut(b));
}

TEST_F(Wired, NotWhereProducersMeet) {
  for (bool functional : {false, true})
    for (int late : {0, 1}) {
      Bench b; // both stand at one position
      b.feed(kEast, 4, "e7", b.fill(5), 6, 30);
      b.feed(kEast, 5, "e7", b.fill(6), 6, 30 + late);
      EXPECT_EQ(layOut(b, functional) != nullptr, late == 1) << late;
    }
}

TEST_F(Wired, NotIfAMapIsOutOfRange) {
  for (int lane : {0, 64}) {
    Bench b;
    b.chip().sxmMaps.push_back(std::vector<std::int16_t>(b.machine.lanes(), static_cast<std::int16_t>(lane)));
    b.feed(kEast, 3, "e7", b.fill(5), b.sxm(), 40);
    b.at(40, "sxm.e3", "permute map=0 srcstream=e7 dststream=w7");
    auto timeline = layOut(b);
    EXPECT_EQ(timeline != nullptr, lane == 0) << lane;
  }
}

TEST_F(Wired, BurstsAreCutWhereTheirProducerChanges) {
  Bench b;
  b.region(isa::Region::Kind::Zero, kEast, 0, 0, 0, 8).region(isa::Region::Kind::Zero, kEast, 1, 0, 0, 8);
  // Two bursts of three rows, one after the other on one stream, to one burst of six writes.
  b.at(10, "mem.e0", "mem rd=1 rdstep=1 rdstream=e7").append("mem.e0", {repeat(3)}, 13);
  b.at(13, "mem.e1", "mem rd=1 rdstep=1 rdstream=e7").append("mem.e1", {repeat(3)}, 16);
  const isa::Cycle at = 10 + 5 + b.hops(kEast, 20, b.machine.memPosition(kEast, 0));
  b.at(at, "mem.e20", "mem wr=1 wrbank=1 wrstep=1 wrstream=e7").append("mem.e20", {repeat(6)}, at + 6);
  auto timeline = layOut(b);
  ASSERT_TRUE(timeline);
  std::vector<std::int32_t> copies;
  for (const sim::Issue &issue : timeline->issues())
    if (issue.dispatch.op->mem.write)
      copies.insert(copies.end(), {issue.dispatch.copy, issue.dispatch.count});
  // Four is as long as a burst of writes may be (Timeline::ruleOf).
  EXPECT_EQ(copies, (std::vector<std::int32_t>{0, 3, 3, 1, 4, 2}));
  EXPECT_EQ(timeline->wires().rowRegisters, 6u);
}

TEST_F(Wired, RegistersAreUsedAgain) {
  Bench b;
  b.region(isa::Region::Kind::Zero, kEast, 0, 0, 0, 1);
  for (int i = 0; i < 50; ++i) {
    b.at(10 + 40 * i, "mem.e0", "mem rd=1 rdstream=e7");
    b.store(kEast, 20, "e7", b.machine.memPosition(kEast, 0), 15 + 40 * i);
  }
  auto timeline = layOut(b);
  ASSERT_TRUE(timeline);
  EXPECT_EQ(timeline->wires().rowRegisters, 1u);
}

} // namespace
} // namespace lpu::test
