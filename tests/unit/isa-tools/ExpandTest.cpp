// Time of dispatches: T1 of docs/spec/timing.md, rule by rule.
#include "StepText.h"

using namespace lpu;
using namespace lpu::isa;
using namespace lpu::isa::test;

namespace {

/// "cycle:instruction" of every dispatch of queue text `words`.
std::vector<std::string> times(const std::string &words, const std::string &queue = "mem.e0") {
  const Program p = program(stepText({{queue, words}}));
  const Expansion e = expand(p.machine, p.classes[0].programs[0]);
  std::vector<std::string> result;
  for (const Dispatch &d : e.dispatches)
    result.push_back(std::to_string(d.cycle) + ":" + disassemble(reissued(e.instruction(d), d.reissue, p.machine)));
  for (const Finding &f : e.findings)
    result.push_back(f.category);
  return result;
}

using Times = std::vector<std::string>;

TEST(Expand, T1_3_OneWordACycleFromTheRelease) {
  EXPECT_EQ(times("config; mem; config"), (Times{"0:config", "1:mem", "2:config"}));
}

TEST(Expand, T1_3a_NopDelaysTheNextWordByItsCount) {
  EXPECT_EQ(times("nop 1; config; nop 5; config"), (Times{"1:config", "7:config"}));
}

TEST(Expand, T1_3b_RepeatReissuesFromFirstToFirstAndCostsNoCycle) {
  EXPECT_EQ(times("nop 2; config; repeat count=2 interval=3 window=1; mem"),
            (Times{"2:config", "5:config", "8:config", "9:mem"}));
}

TEST(Expand, T1_3d_AWindowKeepsItsSpacingNopsIncluded) {
  EXPECT_EQ(times("config; nop 3; mem; repeat count=1 interval=5 window=3; mem"),
            (Times{"0:config", "4:mem", "5:config", "9:mem", "10:mem"}));
}

TEST(Expand, T1_3b_ATrailingNopInAWindowDoesNotDelayTheNextWord) {
  // The last word of the window is the nop at 1; its last copy is at 1 + 2*4.
  EXPECT_EQ(times("config; nop 9; repeat count=2 interval=4 window=2; mem"),
            (Times{"0:config", "4:config", "8:config", "10:mem"}));
}

TEST(Expand, T1_3b_ARepeatOfNoCopiesStillSetsTheNextDispatch) {
  EXPECT_EQ(times("config; nop 9; repeat count=0 interval=2 window=2; mem"), (Times{"0:config", "2:mem"}));
}

TEST(Expand, T1_3e_StepFieldsAdvanceOncePerCopy) {
  EXPECT_EQ(times("mem rd=1 rdrow=10 rdstep=-3; repeat count=2 interval=1 window=1"),
            (Times{"0:mem rd=1 rdrow=10 rdstep=-3 rdstream=e0", "1:mem rd=1 rdrow=7 rdstep=-3 rdstream=e0",
                   "2:mem rd=1 rdrow=4 rdstep=-3 rdstream=e0"}));
}

TEST(Expand, T1_3e_RowGroupsWrapModuloSuperlanes) {
  EXPECT_EQ(times("lw rowgroup=3 rowstep=3; repeat count=2 interval=1 window=1", "mxm.e0.w"),
            (Times{"0:lw rowgroup=3 rowstep=3", "1:lw rowgroup=2 rowstep=3", "2:lw rowgroup=1 rowstep=3"}));
}

TEST(Expand, T1_3c_AnIntervalShorterThanTheSpanIsIllegal) {
  EXPECT_EQ(times("config; nop 3; mem; repeat count=1 interval=4 window=3; mem"),
            (Times{"0:config", "4:mem", "illegal-encoding"}));
}

TEST(Expand, T1_3d_WindowsHoldNoRepeatIfetchSyncOrNothing) {
  EXPECT_EQ(times("config; repeat count=1 interval=1 window=1; repeat count=1 interval=1 window=1"),
            (Times{"0:config", "1:config", "illegal-encoding"}));
  EXPECT_EQ(times("ifetch; config; repeat count=1 interval=2 window=2"),
            (Times{"0:ifetch stream=e0", "1:config", "illegal-encoding"}));
  EXPECT_EQ(times("config; repeat count=1 interval=2 window=2"), (Times{"0:config", "illegal-encoding"}));
  EXPECT_EQ(times("config; repeat count=1 interval=2"), (Times{"0:config", "illegal-encoding"}));
}

TEST(Expand, T1_3f_AWordWithCopiesAndAWaitIsShortForRepeatAndNop) {
  for (auto [brief, full] : {std::pair("mem rdrow=4 rdstep=2 copies=2 wait=5; mem",
                                       "mem rdrow=4 rdstep=2; repeat count=2 interval=1 window=1; nop 5; mem"),
                             std::pair("mem wait=3; mem", "mem; nop 3; mem"),
                             std::pair("mem; mem wait=2; repeat count=1 interval=4 window=2; mem",
                                       "mem; mem; repeat count=1 interval=4 window=2; nop 2; mem")}) {
    const Program a = program(stepText({{"mem.e0", brief}})), b = program(stepText({{"mem.e0", full}}));
    const Expansion short_ = expand(a.machine, a.classes[0].programs[0]),
                    long_ = expand(b.machine, b.classes[0].programs[0]);
    EXPECT_TRUE(short_.findings.empty()) << brief;
    ASSERT_EQ(short_.dispatches.size(), long_.dispatches.size()) << brief;
    for (std::size_t i = 0; i < short_.dispatches.size(); ++i) {
      EXPECT_EQ(short_.dispatches[i].cycle, long_.dispatches[i].cycle) << brief;
      EXPECT_EQ(short_.dispatches[i].reissue, long_.dispatches[i].reissue) << brief;
    }
  }
}

TEST(Expand, T1_3g_AWaitInsideAWindowIsPartOfItAndCopiesAreNotAllowed) {
  EXPECT_EQ(times("config; mem wait=2; mem; repeat count=1 interval=4 window=2; config"),
            (Times{"0:config", "1:mem wait=2", "4:mem", "5:mem wait=2", "8:mem", "9:config"}));
  EXPECT_EQ(times("mem copies=1; repeat count=1 interval=2 window=1"),
            (Times{"0:mem copies=1", "1:mem copies=1", "illegal-encoding"}));
}

TEST(Expand, T1_4_NothingDispatchesWithoutTheOneBarrier) {
  const Machine machine = preset();
  const auto findings = [&](const std::string &text) {
    std::set<std::string> categories;
    const Program p = program(text);
    for (const Finding &f : expand(machine, p.classes[0].programs[0]).findings)
      categories.insert(f.category);
    return categories;
  };
  using Set = std::set<std::string>;
  EXPECT_EQ(findings(".step \"s\"\n.queue mem.e0\nnotify\nsync\n.queue mem.e1\nsync\n"), Set{});
  EXPECT_EQ(findings(".step \"s\"\n.queue mem.e0\nsync\n"), Set{"overrun"});
  EXPECT_EQ(findings(".step \"s\"\n.queue mem.e0\nnotify\nsync\n.queue mem.e1\nnotify\nsync\n"),
            Set{"illegal-encoding"});
  EXPECT_EQ(findings(".step \"s\"\n.queue mem.e0\nnotify\nsync\n.queue mem.e1\nnop 1\n"), Set{"illegal-encoding"});
  EXPECT_EQ(findings(".step \"s\"\n.queue mem.e0\nnotify\nsync\nconfig\nsync\n"), Set{"overrun"});
  EXPECT_EQ(findings(".step \"s\"\n.queue mem.e0\nnotify\nsync\nnotify\n"), Set{"illegal-encoding"});
}

TEST(Expand, DispatchesComeSortedByCycleThenQueueHoweverSparse) {
  const Program p = program(stepText({{"mem.e0", "nop 65535; nop 65535; config"},
                                      {"mem.e1", "nop 3; config"},
                                      {"mem.e2", "nop 65535; nop 65535; config"}}));
  const Expansion e = expand(p.machine, p.classes[0].programs[0]);
  ASSERT_EQ(e.dispatches.size(), 3u);
  EXPECT_EQ(e.dispatches[0].cycle, 3);
  EXPECT_EQ(e.dispatches[1].cycle, 131070);
  EXPECT_EQ(e.dispatches[1].queue, 0u);
  EXPECT_EQ(e.dispatches[2].queue, 2u);
}

TEST(Expand, AnEndlessStepIsAnOverrunNotAHang) {
  const Program p = program(stepText({{"mem.e0", "config; repeat count=65535 interval=1 window=1"}}));
  LegalityOptions options;
  options.maxDispatches = 1000;
  const Expansion e = expand(p.machine, p.classes[0].programs[0], options);
  ASSERT_EQ(e.findings.size(), 1u);
  EXPECT_EQ(e.findings[0].category, "overrun");
}

} // namespace
