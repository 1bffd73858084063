// What holds for whole runs: moved issues are hazards, both engines agree on
// everything, timing mode takes the same time and finds the same hazards.
#include "Bench.h"

#include <algorithm>
#include <random>
#include <set>

namespace lpu::test {
namespace {

constexpr sim::Options kEvent{sim::Engine::Event, sim::Mode::Functional, ""};
constexpr sim::Options kClocked{sim::Engine::Clocked, sim::Mode::Functional, ""};

void expectSame(const Outcome &a, const Outcome &b, const std::string &what) {
  EXPECT_FALSE(a.crashed || b.crashed) << what;
  EXPECT_EQ(a.category, b.category) << what << ": " << a.detail << " / " << b.detail;
  EXPECT_EQ(a.at, b.at) << what;
  EXPECT_EQ(a.queue, b.queue) << what;
  EXPECT_EQ(a.instruction, b.instruction) << what;
  if (a.category.empty()) {
    EXPECT_EQ(a.cycles, b.cycles) << what;
    EXPECT_EQ(a.instructions, b.instructions) << what;
    EXPECT_EQ(a.counts, b.counts) << what;
    EXPECT_EQ(a.digest, b.digest) << what;
  }
}

struct Placed {
  isa::Cycle at;
  std::string queue, text;
};

/// Two reads, an addition, a chained conversion, a shift through the SXM, a write
/// and a read of what was written.
std::vector<Placed> pipeline() {
  return {{10, "mem.e0", "mem rd=1 rdrow=0 rdstream=w0"},             // VXM at 16
          {9, "mem.e4", "mem rd=1 rdrow=0 rdstream=w1"},              // VXM at 16
          {16, "vxm.0", "addi a=w0:1 b=w1:1"},                        // visible at 20
          {20, "vxm.1", "addi a=alu0 b=imm imm=3 out=e4:1"},          // position 0 at 24, SXM at 32
          {32, "sxm.e2", "shift srcstream=e4 dststream=w4 amount=1"}, // SXM at 56
          {57, "mem.e27", "mem wr=1 wrrow=5 wrstream=w4"},            // position 7
          {59, "mem.e27", "mem rd=1 rdrow=5 rdstream=w9"},
          {65, "mem.e20", "mem wr=1 wrrow=5 wrstream=w9"}}; // 59 + 5, one hop
}

isa::Program place(std::vector<Placed> issues) {
  Bench b;
  b.constant(kEast, 0, 0, 0, b.lanes([](int l) { return l; }));
  b.constant(kEast, 4, 0, 0, b.fill(5));
  std::stable_sort(issues.begin(), issues.end(), [](const auto &x, const auto &y) { return x.at < y.at; });
  for (const Placed &p : issues)
    b.at(p.at, p.queue, p.text);
  return b.finish();
}

class Engines : public BothEngines {};
LPU_BOTH_ENGINES(Engines);

TEST_P(Engines, MovingAnyIssueByACycleIsAHazard) {
  auto issues = pipeline();
  Row row = legal(place(issues), {{kEast, 20, 0, 5}})[0];
  EXPECT_EQ(row, ProgramBuilder().lanes([](int l) { return l == 0 ? 0 : l - 1 + 8; }));
  for (std::size_t i = 0; i < issues.size(); ++i)
    for (int by : {-1, 1}) {
      auto moved = issues;
      moved[i].at += by;
      EXPECT_NE(run(place(moved)).category, "") << moved[i].queue << " at " << moved[i].at;
    }
}

TEST_P(Engines, TimingModeTakesTheSameTimeAndFindsTheSameHazards) {
  auto issues = pipeline();
  Outcome functional = simulate(place(issues), options()), timed = simulate(place(issues), timing());
  EXPECT_EQ(functional.cycles, timed.cycles);
  EXPECT_EQ(functional.instructions, timed.instructions);
  EXPECT_EQ(functional.counts, timed.counts);
  EXPECT_EQ(timed.category, "");
  for (std::size_t i = 0; i < issues.size(); ++i) {
    auto moved = issues;
    moved[i].at += 1;
    expectSame(simulate(place(moved), options()), simulate(place(moved), timing()), moved[i].queue);
  }
}

/// Random flows MEM → VXM (→ SXM) → MEM. With `reserve`, each flow takes slots
/// and issue cycles nobody else has, so the program is legal; without, hazards are likely.
class RandomFlows {
public:
  RandomFlows(unsigned seed, bool reserve) : random(seed), reserve(reserve) {}

  isa::Program build(int flows) {
    for (int made = 0, tries = 0; made < flows && tries < 50 * flows; ++tries)
      made += addFlow();
    for (auto &[queue, words] : issues)
      for (auto &[at, text] : words)
        b.at(at, queue, text);
    return b.finish();
  }

private:
  int pick(int n) { return static_cast<int>(random() % static_cast<unsigned>(n)); }
  bool free(const std::vector<std::pair<std::string, isa::Cycle>> &uses) {
    std::set<std::string> keys;
    for (const auto &[name, at] : uses)
      keys.insert(name + "@" + std::to_string(at));
    for (const std::string &key : keys)
      if (taken.count(key))
        return false;
    taken.insert(keys.begin(), keys.end());
    return keys.size() == uses.size();
  }

  bool addFlow() {
    const isa::Side from = pick(2) ? kEast : kWest, to = pick(2) ? kEast : kWest;
    const int fromSlice = pick(28), toSlice = pick(28), alu = pick(16), in = pick(32), out = pick(32);
    const bool viaSxm = pick(3) == 0, special = pick(4) == 0;
    const isa::Cycle at = 60 + pick(300); // at the ALU
    const std::string source = Bench::memQueue(from, fromSlice), target = Bench::memQueue(to, toSlice);
    const isa::Cycle read = at - 5 - b.hops(from, fromSlice, 0), result = at + (special ? 12 : 4);
    const char *inDir = from == kEast ? "w" : "e", *outDir = to == kEast ? "e" : "w",
               *backDir = to == kEast ? "w" : "e";
    const std::string inStream = inDir + std::to_string(in), outStream = outDir + std::to_string(out);
    const std::string backStream = backDir + std::to_string(out);
    const int sxmAt = to == kEast ? 8 : -8;
    const std::string sxm = (to == kEast ? "sxm.e" : "sxm.w") + std::to_string(10 + pick(4));
    const isa::Cycle rotated = result + 8 + 4;
    const isa::Cycle write = viaSxm ? rotated + b.hops(to, toSlice, sxmAt) : result + b.hops(to, toSlice, 0);
    // Slots are named by when they pass position 0.
    std::vector<std::pair<std::string, isa::Cycle>> uses = {
        {source, read}, {target, write}, {"vxm." + std::to_string(alu), at}, {inStream, at}, {outStream, result}};
    if (viaSxm)
      uses.insert(uses.end(), {{sxm, result + 8}, {backStream, rotated + 8}});
    if (!free(uses) && reserve)
      return false;
    if (issues[source].count(read) || issues[target].count(write) || issues["vxm." + std::to_string(alu)].count(at) ||
        (viaSxm && issues[sxm].count(result + 8)) || (source == target && read == write))
      return false;
    const int row = rows++;
    b.constant(from, fromSlice, 0, row, b.lanes([&](int) { return pick(256); }));
    issues[source][read] = "mem rd=1 rdrow=" + std::to_string(row) + " rdstream=" + inStream;
    const char *op = special ? "exp" : "muli";
    issues["vxm." + std::to_string(alu)][at] =
        std::string(op) + " a=" + inStream + ":1" + (special ? "" : " b=imm imm=77") + " out=" + outStream + ":1";
    if (viaSxm)
      issues[sxm][result + 8] = "rotate srcstream=" + outStream + " dststream=" + backStream + " amount=3";
    issues[target][write] =
        "mem wr=1 wrbank=1 wrrow=" + std::to_string(row) + " wrstream=" + (viaSxm ? backStream : outStream);
    return true;
  }

  std::mt19937 random;
  const bool reserve;
  Bench b;
  int rows = 0;
  std::map<std::string, std::map<isa::Cycle, std::string>> issues;
  std::set<std::string> taken;
};

TEST(EnginesAgree, OnRandomLegalPrograms) {
  for (unsigned seed = 1; seed <= 20; ++seed) {
    isa::Program program = RandomFlows(seed, true).build(150);
    Outcome event = simulate(program, kEvent), clocked = simulate(program, kClocked);
    EXPECT_EQ(event.category, "") << seed << ": " << event.detail;
    EXPECT_GT(event.instructions, 400u);
    expectSame(event, clocked, "seed " + std::to_string(seed));
  }
}

TEST(EnginesAgree, OnRandomHazards) {
  std::set<std::string> categories;
  for (unsigned seed = 1; seed <= 30; ++seed) {
    isa::Program program = RandomFlows(seed, false).build(40 + 5 * static_cast<int>(seed));
    Outcome event = simulate(program, kEvent), clocked = simulate(program, kClocked);
    expectSame(event, clocked, "seed " + std::to_string(seed));
    categories.insert(event.category);
  }
  EXPECT_TRUE(categories.count("stream-collision"));
}

// Moving one word of a legal program: whatever happens, it happens in both engines.
TEST(EnginesAgree, OnMovedIssues) {
  for (unsigned seed = 1; seed <= 30; ++seed) {
    isa::Program program = RandomFlows(seed, true).build(60);
    std::mt19937 random(seed);
    auto &queues = program.classes[0].programs[0].queues;
    auto &code = queues[random() % queues.size()];
    code.words.insert(code.words.end() - 1, ProgramBuilder::word("nop 1"));
    code.labels.push_back(0);
    Outcome event = simulate(program, kEvent);
    EXPECT_NE(event.category, "") << seed;
    expectSame(event, simulate(program, kClocked), "seed " + std::to_string(seed));
  }
}

} // namespace
} // namespace lpu::test
