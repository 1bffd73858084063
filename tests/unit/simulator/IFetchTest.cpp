// Instruction fetch (T8): text that arrives over streams, capacity, lateness.
// Small machine: 64 lanes, so an ifetch brings 2 · 64 / 16 = 8 words.
#include "Bench.h"

#include <cstring>

namespace lpu::test {
namespace {

class IFetch : public BothEngines {
protected:
  struct Case {
    int words = 48;            ///< of mem.e8's text, sync included
    int fetchIndex = 20;       ///< word that is the ifetch
    isa::Cycle fetchDelay = 0; ///< rows arrive this much after the ifetch
    bool patch = false;        ///< the fetched bytes differ from the listed text
  };
  /// mem.e8 writes its index-th word's row with what is on e5 then; words are 1 cycle apart.
  static isa::Program program(const Case &c) {
    Bench b;
    b.program.residentCode = false;
    std::vector<std::string> text;
    for (int i = 1; i < c.words; ++i) // word 0 is the sync; word i dispatches at i - 1
      text.push_back(i == c.fetchIndex ? "ifetch stream=e0" : "mem rd=1 rdrow=" + std::to_string(i) + " rdstream=e9");
    b.region(isa::Region::Kind::Zero, kEast, 8, 0, 0, 200);
    b.constant(kEast, 8, 0, 777, b.fill(3));
    b.append("mem.e8", text, 0);
    // The text's words 40..47 as two rows, low row first.
    Row rows[2] = {b.fill(0), b.fill(0)};
    for (int i = 40; i < 48 && i < c.words; ++i) {
      std::string line = c.patch && i == 47 ? "mem rd=1 rdrow=777 rdstream=e9" : text[i - 1];
      isa::Word w = ProgramBuilder::word(line);
      std::memcpy(&rows[(i - 40) / 4][(i - 40) % 4 * 16], w.data(), 16);
    }
    isa::Cycle at = c.fetchIndex - 1 + c.fetchDelay;
    b.feed(kEast, 0, "e0", rows[0], 3, at);
    b.feed(kEast, 1, "e1", rows[1], 3, at);
    b.store(kEast, 12, "e9", 3, 46 + 5); // what word 47 read
    return b.finish();
  }
};
LPU_BOTH_ENGINES(IFetch);

TEST_P(IFetch, FetchedWordsDispatchInOrder) {
  auto rows = legal(program({}), {{kEast, 12, 1, 2}});
  EXPECT_EQ(rows[0][0], 0);
  // What dispatches is what the streams brought, not what the container lists.
  rows = legal(program({48, 20, 0, true}), {{kEast, 12, 1, 2}});
  EXPECT_EQ(rows[0][0], 3);
}

// Words are dispatchable from t + IFetch (1) on: the ifetch may be the last word held.
TEST_P(IFetch, FetchedWordsAreThereOneCycleLater) {
  legal(program({48, 39}));
  illegal(program({48, 60}), "queue-underflow", 40 - 1, "mem.e8");
}

TEST_P(IFetch, RowsMustBeOnTheStreams) { illegal(program({48, 20, 1}), "empty-stream", 19, "mem.e8"); }

// Of 80 words, 40 are preloaded; each ifetch needs 8 free after its own dispatch.
TEST_P(IFetch, QueueOverflows) {
  auto build = [](int fetches) {
    Bench b;
    b.program.residentCode = false;
    b.region(isa::Region::Kind::Zero, kEast, 0, 0, 0).region(isa::Region::Kind::Zero, kEast, 1, 0, 0);
    for (const char *q : {"mem.e0", "mem.e1"})
      b.append(q,
               {q == std::string("mem.e0") ? "mem rd=1 rdstream=e0" : "mem rd=1 rdstream=e1",
                "repeat count=50 interval=1 window=1"},
               0);
    b.at(7, "mem.e8", "ifetch stream=e0");
    for (int i = 1; i < fetches; ++i)
      b.append("mem.e8", {"ifetch stream=e0"}, 0);
    std::vector<std::string> rest(200, "nop 1");
    b.append("mem.e8", rest, 0);
    return b.finish();
  };
  // At 7 sync, nop and the ifetch itself are gone: 37 of 40 are left, 45 with what it brings.
  // So it goes on, each takes itself away and brings 8: the sixth finds 72 words held, 8
  // free, the seventh 79.
  illegal(build(7), "queue-overflow", 13, "mem.e8");
  Outcome six = run(build(6));
  EXPECT_NE(six.category, "queue-overflow") << six.detail;
}

// Timing mode has no payload: the text itself says what is fetched; lateness is still found.
TEST_P(IFetch, TimingModeUsesTheListedText) {
  Outcome functional = simulate(program({}), options()), timed = simulate(program({}), timing());
  EXPECT_EQ(timed.category, "");
  EXPECT_EQ(timed.cycles, functional.cycles);
  EXPECT_EQ(timed.instructions, functional.instructions);
  EXPECT_EQ(simulate(program({48, 60}), timing()).category, "queue-underflow");
}

} // namespace
} // namespace lpu::test
