// Several chips: values over links, starts, forwarding, and every hazard of
// links, found by the legality checker and by both engines in the same cycle, on
// the same chip and queue. What one chip stands for is measured as if all ran.
#include "RunHelper.h"

#include "lpu/isa/Assembler.h"
#include "lpu/isa/Legality.h"

#include <algorithm>
#include <fmt/format.h>

#include <stdexcept>

namespace lpu::test {
namespace {

class Systems : public BothEngines {};
LPU_BOTH_ENGINES(Systems);

/// Links 0 to 5 stand at position 8 (east), MEM e20 at 6, e0 at 1.
isa::Program assemble(const std::string &text) {
  auto program = isa::assembleProgram(text, "test.s", *isa::loadMachine("small"));
  if (!program)
    throw std::runtime_error(program.error().str());
  return std::move(*program);
}

/// Class "from": row 0 of e0 (all lanes `value`) leaves on link 0 at its cycle 12, and arrives at 228.
std::string from(int value, const std::string &send = "nop 12\nsend stream=e0\n",
                 const std::string &source = "mem rd=1 rdstream=e0\n") {
  return fmt::format(".class \"from\"\n.region \"x\" kind=constant rows=1\n.row {:02x}\n.program \"s\"\n"
                     ".queue mem.e0\nnotify\nsync\n{}.queue c2c.0\nsync\n{}",
                     value, source, send);
}
/// Class "via": takes a vector from link 1 at its cycle 10 and sends it on over link 2 in the next.
std::string via(const std::string &receive = "nop 10\nreceive stream=e3\n") {
  return ".class \"via\"\n.program \"s\"\n.queue c2c.1\nnotify\nsync\n" + receive +
         ".queue c2c.2\nsync\nnop 11\nsend stream=e3\n";
}
/// Class "to": takes a vector from link 3 at its cycle 5; w1 is at e20 two hops later, in cycle 8.
std::string to(const std::string &receive = "nop 5\nreceive stream=w1\n") {
  return ".class \"to\"\n.program \"s\"\n.queue c2c.3\nnotify\nsync\n" + receive +
         ".queue mem.e20\nsync\nnop 8\nmem wr=1 wrrow=9 wrstream=w1\n";
}
std::string chip(const char *name, isa::Cycle start) { return fmt::format(".chip \"{}\" start={}\n", name, start); }
const std::string kStep = ".step \"s\"\n";

/// Chip 0 sends to chip 1: received at 228 + `late`.
isa::Program pair(isa::Cycle late = 0) {
  return assemble(kStep + from(0x5a) + to() + chip("from", 0) + chip("to", 223 + late) + ".wire 0 0 1 3\n");
}

/// 0 sends to 1, which sends on to 2: arrivals at 228 and 229 + 216 = 445.
isa::Program chain(const std::string &source, const std::string &relay, const std::string &sink, isa::Cycle start0 = 0,
                   isa::Cycle start1 = 218, isa::Cycle start2 = 440) {
  return assemble(kStep + source + relay + sink + chip("from", start0) + chip("via", start1) + chip("to", start2) +
                  ".wire 0 0 1 1\n.wire 1 2 2 3\n");
}

TEST_P(Systems, AVectorReachesTheOtherChip) {
  const RowRef target{kEast, 20, 0, 9, 1};
  const Outcome o = run(pair(), {target, {kEast, 20, 0, 9, 0}});
  EXPECT_EQ(o.category, "") << o.detail;
  EXPECT_EQ(o.rows[0], Row(64, 0x5a));
  EXPECT_EQ(o.rows[1], Row(64, 0));
  EXPECT_EQ(o.chipCycles, (std::vector<isa::Cycle>{228 + 3, 223 + 8 + 2 + 3}));
  EXPECT_EQ(o.cycles, (std::vector<isa::Cycle>{236}));
  EXPECT_EQ(legal(pair(100), {target})[0], Row(64, 0x5a)); // it waits
}

TEST_P(Systems, AChipInBetweenForwards) {
  const Outcome o = run(chain(from(7), via(), to()), {{kEast, 20, 0, 9, 2}});
  EXPECT_EQ(o.category, "") << o.detail;
  EXPECT_EQ(o.rows[0], Row(64, 7));
  EXPECT_EQ(o.cycles.back(), 440 + 8 + 2 + 3);
  EXPECT_EQ(o.chipCycles, (std::vector<isa::Cycle>{231, 445 + 3, 453}));
}

TEST_P(Systems, ChipsWithoutCodeTakeNoPart) {
  const std::string idle = ".class \"idle\"\n";
  const Outcome o = run(assemble(kStep + from(1) + to() + idle + chip("idle", 77) + chip("from", 3) + chip("to", 226) +
                                 ".wire 1 0 2 3\n"));
  EXPECT_EQ(o.category, "") << o.detail;
  EXPECT_EQ(o.chipCycles, (std::vector<isa::Cycle>{0, 3 + 231, 226 + 13}));
}

/// Both nets before the chip runs and while it runs: the same hazard at the same place.
class Hazards : public Systems {
protected:
  void both(const isa::Program &program, const std::string &category, isa::Cycle at, int chip,
            const std::string &queue) const {
    const isa::SystemLegality report = isa::checkSystem(program, 0, {.checkClaim = false});
    std::vector<isa::Finding> findings = report.findings;
    for (std::size_t c = 0; c < report.classes.size(); ++c)
      for (isa::Finding finding : report.classes[c].findings) { // of the class's own time
        const auto own = std::ranges::find(program.chips, c, &isa::Chip::chipClass);
        finding.chip = static_cast<std::uint32_t>(own - program.chips.begin());
        finding.cycle += own->start[0];
        findings.push_back(finding);
      }
    ASSERT_FALSE(findings.empty());
    std::ranges::stable_sort(findings, {},
                             [](const isa::Finding &f) { return std::pair(f.category == "lost-vector", f.cycle); });
    EXPECT_EQ(findings[0].category, category);
    EXPECT_EQ(findings[0].cycle, at);
    EXPECT_EQ(findings[0].chip, static_cast<std::uint32_t>(chip));
    EXPECT_EQ(isa::queueName(findings[0].queue), queue);
    for (const sim::Options &how : {options(), timing()}) {
      const Outcome o = simulate(program, how);
      EXPECT_EQ(o.category, category) << o.detail;
      EXPECT_EQ(o.at, at) << o.detail;
      EXPECT_EQ(o.chip, chip) << o.detail;
      EXPECT_EQ(o.queue, queue) << o.detail;
    }
  }
};
LPU_BOTH_ENGINES(Hazards);

TEST_P(Hazards, LateSend) {
  both(chain(from(1), via(), to(), 1), "link-empty", 228, 1, "c2c.1");
  both(chain(from(1), via(), to(), 0, 219), "link-empty", 445, 2, "c2c.3");
}

TEST_P(Hazards, MissingSend) { both(chain(from(1, ""), via(), to()), "link-empty", 228, 1, "c2c.1"); }

TEST_P(Hazards, MissingReceive) {
  both(chain(from(1), via(), ".class \"to\"\n"), "lost-vector", 445, 1, "c2c.2");
  // Of two vectors one is received: the values are not what was meant, and the second is left over.
  const std::string twice = "\nrepeat window=1 interval=24 count=1\n";
  both(chain(from(1, "nop 12\nsend stream=e0" + twice, "mem rd=1 rdstream=e0" + twice), via(), to()), "lost-vector",
       252, 0, "c2c.0");
}

TEST_P(Hazards, OverBookedLink) {
  const auto sends = [](int interval, int count) {
    const std::string more = fmt::format("\nrepeat window=1 interval={} count={}\n", interval, count - 1);
    return from(1, "nop 12\nsend stream=e0" + more, "mem rd=1 rdstream=e0" + more);
  };
  const std::string receives = "nop 500\nreceive stream=e9\nreceive stream=e9\n";
  both(assemble(kStep + sends(23, 2) + to(receives) + chip("from", 30) + chip("to", 223) + ".wire 0 0 1 3\n"),
       "link-busy", 30 + 12 + 23, 0, "c2c.0");
}

TEST_P(Hazards, FifoOverflow) {
  const auto vectors = [](isa::Cycle receiveAt) {
    const std::string more = "\nrepeat window=1 interval=24 count=2\n";
    isa::Program p = assemble(kStep + from(1, "nop 12\nsend stream=e0" + more, "mem rd=1 rdstream=e0" + more) +
                              ".class \"to\"\n.program \"s\"\n.queue c2c.3\nnotify\nsync\nnop " +
                              std::to_string(receiveAt) + "\nreceive stream=w1\nrepeat window=1 interval=1 count=2\n" +
                              chip("to", 6) + chip("from", 5) + ".wire 1 0 0 3\n");
    p.machine.c2cFifoVectors = 2;
    return p;
  };
  // Arrivals at 5 + 228, + 24, + 48.
  const isa::Cycle third = 5 + 228 + 48;
  legal(vectors(third - 6));
  EXPECT_TRUE(isa::checkSystem(vectors(third - 6), 0).legal());
  both(vectors(third - 6 + 1), "link-overflow", third, 1, "c2c.0");
}

TEST_P(Hazards, UnconnectedLink) {
  both(assemble(kStep + from(1) + to() + chip("from", 4) + chip("to", 223)), "link-unconnected", 16, 0, "c2c.0");
}

// The earliest hazard of all chips is reported, whichever chip was run first.
TEST_P(Hazards, OfSeveralChipsTheFirstInTime) {
  const std::string bad = ".program \"s\"\n.queue mem.e3\nnotify\nsync\nnop 7\nmem rd=1 rdrow=4\n";
  for (auto [a, b, chip] : {std::tuple(9, 0, 1), {0, 9, 0}, {4, 4, 0}})
    both(assemble(kStep + ".class \"a\"\n" + bad + ".class \"b\"\n" + bad + test::chip("a", a) + test::chip("b", b)),
         "read-before-write", std::min(a, b) + 7, chip, "mem.e3");
}

/// A ring of pairs: of chips 0, 2, 4, … each sends to the next one; pair k starts `start[k]` later.
isa::Program pairs(const std::vector<isa::Cycle> &starts, isa::Cycle late = 0) {
  std::string text = kStep + from(9) + to(), wires;
  for (std::size_t k = 0; k < starts.size(); ++k) {
    text += chip("from", starts[k]) + chip("to", starts[k] + 223 + (k == 2 ? late : 0));
    wires += fmt::format(".wire {} 0 {} 3\n", 2 * k, 2 * k + 1);
  }
  return assemble(text + wires);
}

TEST_P(Systems, OneChipStandsForThoseThatBehaveAlike) {
  sim::Options some = timing(), all = timing();
  all.allChips = true;
  for (const isa::Program &p : {pairs({0, 50, 7, 2000}), pairs({30, 20, 10, 0}), pairs({0, 0, 0, 0}, 40), pair(),
                                chain(from(1), via(), to())}) {
    const Outcome few = simulate(p, some), every = simulate(p, all), values = simulate(p, options());
    EXPECT_EQ(every.category, "") << every.detail;
    for (const Outcome &o : {few, values}) {
      EXPECT_EQ(o.category, "") << o.detail;
      EXPECT_EQ(o.cycles, every.cycles);
      EXPECT_EQ(o.chipCycles, every.chipCycles);
      EXPECT_EQ(o.instructions, every.instructions);
    }
    EXPECT_EQ(every.cycles.back(), p.steps[0].predictedCycles);
  }
}

// A group's hazard is that of the chip that starts first.
TEST_P(Hazards, AreThoseOfTheRealChip) {
  both(pairs({40, 30, 10, 20}, -1), "link-empty", 10 + 227, 5, "c2c.3");
  isa::Program p = pairs({40, 30, 10, 20});
  for (isa::Chip &c : p.chips)
    if (c.chipClass == 1)
      c.start[0] -= 2;
  both(p, "link-empty", 10 + 226, 5, "c2c.3");
}

TEST(System, FunctionalModeNeedsWeights) {
  isa::Program p = pair();
  p.hasWeights = false;
  EXPECT_NE(simulate(p, {}).error.find("the program has no weights to compute with; run it with --mode=timing"),
            std::string::npos);
  EXPECT_EQ(simulate(p, {sim::Engine::Event, sim::Mode::Timing, "", false}).error, "");
}

} // namespace
} // namespace lpu::test
