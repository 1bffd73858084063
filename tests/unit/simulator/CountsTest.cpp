// The simulator counts what it executes; another piece of code counts the words of
// the program. In both engines and both modes they must agree to the last byte,
// and no value may make a difference.
#include "AnchorPrograms.h"
#include "Bench.h"

#include "lpu/isa/CountsJson.h"

namespace lpu::test {
namespace {

std::string countedByWords(const isa::Program &program) {
  return isa::countsJson(isa::countStep(program, program.steps.size() - 1)).dump();
}

class SimulatedCounts : public BothEngines {
protected:
  void expectCounted(const isa::Program &program) const {
    for (const sim::Options &o : {options(), timing()}) {
      const Outcome outcome = simulate(program, o);
      EXPECT_FALSE(outcome.crashed);
      EXPECT_EQ(outcome.category, "") << outcome.queue << " t=" << outcome.at << ": " << outcome.detail;
      EXPECT_EQ(outcome.counts, countedByWords(program));
    }
  }
};
LPU_BOTH_ENGINES(SimulatedCounts);

TEST_P(SimulatedCounts, OfEveryUnit) {
  for (const isa::Program &program :
       {idleProgram(200), decodeSweepProgram(100), denseGemmProgram(60), allUnitsProgram(100)})
    expectCounted(program);
}

TEST_P(SimulatedCounts, OfRepeatedWindows) {
  Bench b;
  b.region(isa::Region::Kind::Zero, kEast, 0, 0, 0);
  b.at(0, "mem.e0", "mem rd=1 rdstream=e3").at(4, "mem.e0", "mem rd=1 rdstream=e4");
  b.append("mem.e0", {"repeat count=9 interval=6 window=3"}, 100);
  expectCounted(b.finish());
}

TEST_P(SimulatedCounts, OfGathersWhateverTheirMapsSay) {
  std::string counts;
  for (const int word : {0, 1, 0xFFFF}) { // a row for each superlane, another row, none
    Bench b;
    b.feed(kEast, 4, "w0", b.fill(word & 0xFF), 1, 30).feed(kEast, 8, "w1", b.fill(word >> 8), 1, 30);
    b.region(isa::Region::Kind::Zero, kEast, 0, 0, 0, 2);
    b.at(30, "mem.e0", "gather mapstream=w0 stream=w7");
    b.feed(kEast, 5, "w2", b.fill(word & 0xFF), 1, 60).feed(kEast, 9, "w3", b.fill(word >> 8), 1, 60);
    b.feed(kEast, 12, "w4", b.fill(9), 1, 60);
    b.at(60, "mem.e1", "scatter mapstream=w2 stream=w4 bank=1");
    const isa::Program program = b.finish();
    expectCounted(program);
    EXPECT_TRUE(counts.empty() || counts == countedByWords(program));
    counts = countedByWords(program);
  }
}

TEST_P(SimulatedCounts, OfValuesThatOthersReplace) {
  Bench b;
  for (int slice : {0, 8, 16})
    b.region(isa::Region::Kind::Zero, kEast, slice, 0, 0);
  b.at(0, "mem.e0", "mem rd=1 rdstream=e3");
  b.at(2, "mem.e8", "mem rd=1 rdstream=e3");
  b.at(4, "mem.e16", "mem rd=1 rdstream=e3");
  b.at(8, "mem.e12", "mem wr=1 wrbank=1 wrstream=e3"); // takes the second one
  expectCounted(b.finish());
}

} // namespace
} // namespace lpu::test
