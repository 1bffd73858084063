// Queue sequencing (T1.3, T1.4): on the core alone, then on the chip.
#include "Icu.h"
#include "Bench.h"

namespace lpu::test {
namespace {

using isa::Cycle;

/// Words and copies in order of dispatch; "mem" words are named by their row.
struct Issue {
  Cycle at;
  std::int64_t row; ///< −1: not a mem word
  int copy;
  bool operator==(const Issue &) const = default;
};
std::ostream &operator<<(std::ostream &out, const Issue &i) {
  return out << '(' << i.at << ", row " << i.row << ", copy " << i.copy << ')';
}

std::vector<Issue> sequence(const std::vector<std::string> &text) {
  auto machine = isa::loadMachine("small");
  isa::QueueCode code{{isa::UnitKind::Mem, isa::Side::East, 0}, {}, {}};
  for (const std::string &line : text)
    code.words.push_back(ProgramBuilder::word(line));
  code.labels.resize(code.words.size());
  sim::DecodedQueue decoded = sim::decodeQueue(*machine, code);
  sim::Icu icu(*machine, code.queue, true);
  icu.begin(&decoded, 0);
  std::vector<Issue> issues;
  while (icu.due() != sim::Icu::kNever) {
    sim::Dispatch d = icu.take(icu.due());
    bool mem = d.op->opcode == isa::Opcode::Mem && d.op->kind == sim::OpKind::Unit;
    issues.push_back({d.time, mem ? d.op->mem.readRow : -1, d.copy});
  }
  return issues;
}

std::vector<Issue> rowsOnly(std::vector<Issue> issues) {
  std::erase_if(issues, [](const Issue &i) { return i.row < 0; });
  return issues;
}

TEST(Icu, OneWordACycleAndNopWaits) {
  EXPECT_EQ(rowsOnly(sequence({"mem rd=1 rdrow=1", "nop 1", "mem rd=1 rdrow=2", "nop 7", "mem rd=1 rdrow=3"})),
            (std::vector<Issue>{{0, 1, 0}, {2, 2, 0}, {10, 3, 0}}));
}

// T1.3b: copy j of the window at t0 + j·d; the next word one cycle after the last copy.
TEST(Icu, RepeatOfOneWord) {
  EXPECT_EQ(sequence({"mem rd=1 rdrow=1", "repeat count=3 interval=4 window=1", "mem rd=1 rdrow=2"}),
            (std::vector<Issue>{{0, 1, 0}, {4, 1, 1}, {8, 1, 2}, {12, 1, 3}, {13, 2, 0}}));
  EXPECT_EQ(sequence({"mem rd=1 rdrow=1", "repeat count=2 interval=1 window=1"}),
            (std::vector<Issue>{{0, 1, 0}, {1, 1, 1}, {2, 1, 2}}));
}

// T1.3f: a word's own copies and wait: `repeat` and `nop` without words for them.
TEST(Icu, CopiesAndWaitOfAWord) {
  EXPECT_EQ(sequence({"mem rd=1 rdrow=1 copies=2 wait=4", "mem rd=1 rdrow=2 wait=1", "mem rd=1 rdrow=3"}),
            (std::vector<Issue>{{0, 1, 0}, {1, 1, 1}, {2, 1, 2}, {7, 2, 0}, {9, 3, 0}}));
  EXPECT_EQ(sequence({"mem rd=1 rdrow=1 wait=2", "mem rd=1 rdrow=2 wait=5", "repeat count=1 interval=6 window=2",
                      "mem rd=1 rdrow=3"}),
            (std::vector<Issue>{{0, 1, 0}, {3, 2, 0}, {6, 1, 1}, {9, 2, 1}, {15, 3, 0}}));
}

// T1.3d: a window keeps the spacing inside it, nop words included.
TEST(Icu, RepeatOfAWindowWithNops) {
  EXPECT_EQ(
      rowsOnly(sequence({"mem rd=1 rdrow=9", "mem rd=1 rdrow=1", "nop 3", "mem rd=1 rdrow=2",
                         "repeat count=2 interval=6 window=3", "mem rd=1 rdrow=3"})),
      (std::vector<Issue>{{0, 9, 0}, {1, 1, 0}, {5, 2, 0}, {7, 1, 1}, {11, 2, 1}, {13, 1, 2}, {17, 2, 2}, {18, 3, 0}}));
}

// T1.3c: the shortest interval is the window's span: last - first + 1.
TEST(Icu, RepeatIntervalAtLeastTheSpan) {
  auto build = [](int interval) {
    return sequence({"mem rd=1 rdrow=1", "nop 3", "mem rd=1 rdrow=2",
                     "repeat count=1 window=3 interval=" + std::to_string(interval)});
  };
  EXPECT_EQ(rowsOnly(build(5)), (std::vector<Issue>{{0, 1, 0}, {4, 2, 0}, {5, 1, 1}, {9, 2, 1}}));
  EXPECT_EQ(build(4).back(), (Issue{5, -1, 0})); // the repeat itself faults
}

class Sequencing : public BothEngines {};
LPU_BOTH_ENGINES(Sequencing);

// T1.3e: step fields are added once per copy, in each word of the window.
TEST_P(Sequencing, StepsCountCopies) {
  Bench b;
  for (int r = 0; r < 6; ++r)
    b.constant(kEast, 0, 0, r, b.fill(10 + r));
  b.append("mem.e0",
           {"mem rd=1 rdrow=0 rdstep=2 rdstream=e0", "mem rd=1 rdrow=5 rdstep=-2 rdstream=e0",
            "repeat count=2 interval=4 window=2"},
           0);
  b.at(6, "mem.e4", "mem wr=1 wrrow=20 wrstep=2 wrstream=e0");
  b.append("mem.e4", {"mem wr=1 wrrow=21 wrstep=2 wrstream=e0", "repeat count=2 interval=4 window=2"}, 0);
  std::vector<RowRef> refs;
  for (int r = 0; r < 6; ++r)
    refs.push_back({kEast, 4, 0, 20 + r});
  auto rows = legal(b.finish(), refs);
  const int expected[6] = {10, 15, 12, 13, 14, 11};
  for (int r = 0; r < 6; ++r)
    EXPECT_EQ(rows[r][0], expected[r]) << r;
}

TEST_P(Sequencing, IllegalRepeats) {
  const std::vector<std::pair<std::vector<std::string>, Cycle>> cases = {
      {{"mem rd=0", "nop 3", "mem rd=0", "repeat count=1 interval=4 window=3"}, 5},
      {{"mem rd=0", "repeat count=1 interval=4 window=0"}, 1},
      {{"mem rd=0", "repeat count=1 interval=4 window=4"}, 1}, // reaches the opening sync and beyond
      {{"mem rd=0", "repeat count=1 interval=4 window=2"}, 1}, // the sync itself
      {{"mem rd=0", "repeat count=1 interval=1 window=1", "repeat count=1 interval=9 window=1"}, 2},
  };
  for (const auto &[text, at] : cases) {
    Bench b;
    b.append("mem.e0", text, 0);
    illegal(b.finish(), "illegal-encoding", at, "mem.e0");
  }
}

TEST_P(Sequencing, IllegalWords) {
  Bench nop;
  nop.append("mem.e0", {"nop 0"}, 0);
  illegal(nop.finish(), "illegal-encoding", 0, "mem.e0");
  Bench unit;
  unit.at(4, "mem.e0", "exp a=imm");
  illegal(unit.finish(), "illegal-encoding", 4, "mem.e0");
  Bench config;
  config.at(4, "mem.e0", "config mode=1");
  illegal(config.finish(), "illegal-encoding", 4, "mem.e0");
  Bench unknown;
  unknown.at(4, "mem.e0", "mem rd=0");
  isa::Program program = unknown.finish();
  program.classes[0].programs[0].queues[0].words.back()[0] = 0xFF;
  illegal(program, "illegal-encoding", 4, "mem.e0");
  Bench fetch;
  fetch.at(4, "mem.e0", "ifetch stream=e0");
  illegal(fetch.finish(), "illegal-encoding", 4, "mem.e0"); // queues hold their whole text
}

// T1.5: config counts as an effect one cycle later, nop and repeat count nothing.
TEST_P(Sequencing, EffectsOfControlWords) {
  Bench b;
  b.at(10, "mem.e0", "config");
  b.append("mem.e0", {"nop 50", "nop 50"}, 0);
  EXPECT_EQ(run(b.finish()).cycles[0], 11 + b.machine.superlanes - 1);
}

// T1.4: before the release, Barrier (35) cycles after the notify, only sync and notify dispatch.
TEST_P(Sequencing, ReleaseComesThirtyFiveCyclesAfterTheNotify) {
  ProgramBuilder b; // the release is cycle 0, so the start of the queues is cycle -35
  b.bare().append("mem.e0", {"notify", "sync", "mem rd=1 rdrow=1024"}, 0);
  illegal(b.finish(), "address-range", 0, "mem.e0");
  ProgramBuilder c;
  c.bare().append("mem.e0", {"notify", "sync"}, 0).append("mem.e1", {"config"}, 0);
  illegal(c.finish(), "illegal-encoding", -35, "mem.e1");
}

TEST_P(Sequencing, ExactlyOneBarrier) {
  ProgramBuilder two;
  two.bare().append("mem.e0", {"notify", "sync"}, 0).append("mem.e1", {"notify", "sync"}, 0);
  illegal(two.finish(), "illegal-encoding", -35, "mem.e1");
  ProgramBuilder late;
  late.bare().append("mem.e0", {"notify", "sync", "nop 5", "notify"}, 0);
  illegal(late.finish(), "illegal-encoding", 5, "mem.e0");
}

// T9 overrun: a queue that never ends.
TEST_P(Sequencing, ParkedForGood) {
  ProgramBuilder second;
  second.bare().append("mem.e0", {"notify", "sync", "nop 5", "sync"}, 0);
  illegal(second.finish(), "overrun", 5, "mem.e0");
  ProgramBuilder none;
  none.bare().append("mem.e3", {"sync", "config"}, 0);
  illegal(none.finish(), "overrun", -35, "mem.e3");
}

TEST_P(Sequencing, DispatchedWordsAreCounted) {
  Bench b;
  b.region(isa::Region::Kind::Zero, kEast, 0, 0, 0);
  b.append("mem.e0", {"mem rd=1", "repeat count=9 interval=2 window=1", "nop 3"}, 0);
  EXPECT_EQ(run(b.finish()).instructions, 10u + 1u + 2u); // nop, notify and sync; repeat costs no dispatch
}

} // namespace
} // namespace lpu::test
