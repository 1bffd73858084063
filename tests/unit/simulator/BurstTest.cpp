// Bursts (REPEAT): the event engine executes them as a whole, the clocked one copy
// by copy. One legal program takes bursts through every unit that has them; each
// of its bursts is then moved, lengthened and spread, which makes hazards of most
// kinds, and both engines and both modes must find the same ones.
#include "Bench.h"

#include <algorithm>
#include <set>

namespace lpu::test {
namespace {

struct Burst {
  isa::Cycle at;
  std::string queue, text;
  int count = 1, interval = 1;
};

constexpr int kMxm = 9; // position on the small machine
constexpr int kRows = 4, kLong = 12;

/// Weights and two activations to the MXM, their sums through two chained ALUs to memory; beside it a long burst
/// from the west through an ALU to the east.
std::vector<Burst> bursts() {
  Bench b;
  std::vector<Burst> list;
  for (int i = 0; i < 16; ++i)
    list.push_back({40 - 5 - b.hops(kEast, i, kMxm), Bench::memQueue(kEast, i),
                    "mem rd=1 rdstep=1 rdstream=e" + std::to_string(i), kRows});
  list.push_back({40 - 5 - b.hops(kEast, 16, kMxm), "mem.e16", "mem rd=1 rdstep=1 rdstream=e16", 2});
  list.push_back({40, "mxm.e0.w", "lw stream=0 rowgroup=0 rowstep=1", kRows});
  list.push_back({40, "mxm.e0.a", "act load=1 loadstream=16 loadrow=2 loadstep=1", 2});
  list.push_back({44, "mxm.e0.a", "act install=1"});
  list.push_back({45, "mxm.e0.a", "act play=1 playrow=2 playstep=1 mask=0xf", 2});
  list.push_back({89, "mxm.e0.r", "acc row=5 rowstep=1 accmode=overwrite emit=1 stream=0", 2});
  list.push_back({99, "vxm.0", "cvt.i32.f32 a=w0:4 out=e20:4", 2});
  list.push_back({103, "vxm.1", "addf a=alu0 b=imm imm=1065353216 accwrite=1", 2});
  for (int i = 0; i < 4; ++i)
    list.push_back({103 + b.hops(kEast, 20 + i, 0), Bench::memQueue(kEast, 20 + i),
                    "mem wr=1 wrbank=1 wrstep=1 wrstream=e" + std::to_string(20 + i), 2});
  list.push_back({54, "mem.w0", "mem rd=1 rdstep=1 rdstream=e24", kLong});
  list.push_back({60, "vxm.2", "muli a=e24:1 b=imm imm=7 out=e25:1", kLong});
  list.push_back({64 + b.hops(kEast, 24, 0), "mem.e24", "mem wr=1 wrbank=1 wrstep=1 wrstream=e25", kLong});
  return list;
}

/// Two activations of fp16 values, a byte of each in either plane of the east, and their sums to memory; the upper
/// plane's tile changes while they are under way.
std::vector<Burst> halfBursts() {
  Bench b;
  std::vector<Burst> list;
  for (int i = 0; i < 16; ++i)
    list.push_back({40 - 5 - b.hops(kEast, i, kMxm), Bench::memQueue(kEast, i),
                    "mem rd=1 rdstep=1 rdstream=e" + std::to_string(i), kRows});
  list.push_back({40 - 5 - b.hops(kEast, 16, kMxm), "mem.e16", "mem rd=1 rdstep=1 rdstream=e16", 2});
  for (const std::string plane : {"mxm.e0", "mxm.e1"}) {
    list.push_back({40, plane + ".w", "lw stream=0 rowgroup=0 rowstep=1", 2});
    list.push_back({40, plane + ".a", "act load=1 loadstream=16 loadrow=2 loadstep=1", 2});
    list.push_back({42, plane + ".a", "act install=1"});
    list.push_back({43, plane + ".a", "act play=1 playrow=2 playstep=1 mask=0x3 fp16=1", 2});
  }
  list.push_back({43, "mxm.e1.w", "lw stream=0 rowgroup=0"});
  list.push_back({46, "mxm.e1.a", "act install=1"});
  list.push_back({87, "mxm.e0.r", "acc row=5 rowstep=1 accmode=overwrite emit=1 stream=0", 2});
  for (int i = 0; i < 4; ++i)
    list.push_back({88 + b.hops(kEast, 20 + i, kMxm), Bench::memQueue(kEast, 20 + i),
                    "mem wr=1 wrbank=1 wrstep=1 wrstream=w" + std::to_string(i), 2});
  return list;
}

isa::Program build(std::vector<Burst> list) {
  Bench b;
  for (int i = 0; i < 17; ++i)
    for (int row = 0; row < kRows; ++row)
      b.constant(kEast, i, 0, row, b.lanes([&](int l) { return (l * 5 + i * 3 + row * 11) % 251 - 125; }));
  for (int row = 0; row < kLong; ++row)
    b.constant(kWest, 0, 0, row, b.lanes([&](int l) { return l + row; }));
  b.constant(kWest, 3, 0, 0, b.fill(9));
  std::stable_sort(list.begin(), list.end(), [](const Burst &x, const Burst &y) { return x.at < y.at; });
  for (const Burst &burst : list) {
    const bool carried = burst.interval == 1 && burst.at % 2 == 0; // by the word itself
    b.at(burst.at, burst.queue, burst.text + (carried ? " copies=" + std::to_string(burst.count - 1) : ""));
    if (carried)
      b.append(burst.queue, {}, burst.at + burst.count);
    else if (burst.count > 1)
      b.append(burst.queue,
               {"repeat count=" + std::to_string(burst.count - 1) + " interval=" + std::to_string(burst.interval) +
                " window=1"},
               burst.at + (burst.count - 1) * burst.interval + 1);
  }
  return b.finish();
}

/// Both engines and both modes on one program; returns the category of the hazard they agree on.
std::string agreed(const isa::Program &program, const std::string &what) {
  Outcome clocked = simulate(program, {sim::Engine::Clocked, sim::Mode::Functional, ""});
  for (sim::Mode mode : {sim::Mode::Functional, sim::Mode::Timing}) {
    Outcome event = simulate(program, {sim::Engine::Event, mode, ""});
    EXPECT_FALSE(event.crashed) << what;
    EXPECT_EQ(event.category, clocked.category) << what << ": " << event.detail << " / " << clocked.detail;
    EXPECT_EQ(event.at, clocked.at) << what << ": " << event.detail;
    EXPECT_EQ(event.queue, clocked.queue) << what;
    EXPECT_EQ(event.instruction, clocked.instruction) << what;
    if (!clocked.category.empty())
      continue;
    EXPECT_EQ(event.cycles, clocked.cycles) << what;
    EXPECT_EQ(event.instructions, clocked.instructions) << what;
    if (mode == sim::Mode::Functional) {
      EXPECT_EQ(event.digest, clocked.digest) << what;
    }
  }
  return clocked.category;
}

TEST(Bursts, LegalProgramGivesTheSameInBothEngines) { EXPECT_EQ(agreed(build(bursts()), "as it is"), ""); }

/// The categories of hazards that changes to single bursts of `list` make.
std::set<std::string> hazardsOfChanges(const std::vector<Burst> &list) {
  std::set<std::string> categories;
  for (std::size_t i = 0; i < list.size(); ++i) {
    auto change = [&](const char *what, auto edit) {
      std::vector<Burst> changed = list;
      edit(changed[i]);
      try {
        categories.insert(agreed(build(changed), what + (" " + list[i].queue)));
      } catch (const std::runtime_error &) { // two bursts of one queue would overlap
      }
    };
    change("earlier", [](Burst &b) { --b.at; });
    change("later", [](Burst &b) { ++b.at; });
    change("longer", [](Burst &b) { ++b.count; });
    change("shorter", [](Burst &b) { b.count = std::max(1, b.count - 1); });
    change("spread", [](Burst &b) { b.interval = 2; });
  }
  return categories;
}

TEST(Bursts, EveryChangedBurstIsTheSameHazardInBothEngines) {
  const std::set<std::string> categories = hazardsOfChanges(bursts());
  for (const char *category : {"empty-stream", "early-lw", "no-sum", "lost-sum", "read-before-write"})
    EXPECT_TRUE(categories.count(category)) << category;
}

TEST(Bursts, PairsOfHalvesAreTheSameInBothEngines) {
  EXPECT_EQ(agreed(build(halfBursts()), "as it is"), "");
  const std::set<std::string> categories = hazardsOfChanges(halfBursts());
  for (const char *category : {"unpaired-play", "no-sum", "lost-sum"})
    EXPECT_TRUE(categories.count(category)) << category;
}

// Two bursts that meet on one stream: the first copy that collides is to blame, whichever was executed first.
TEST(Bursts, CollisionsNameTheFirstCopyThatCollides) {
  for (int offset : {-5, -4, -1, 0, 3, 11, 12}) {
    std::vector<Burst> list = bursts();
    list.push_back({54 + offset, "mem.w3", "mem rd=1 rdstream=e24", 3, 2});
    const bool meets = offset + 4 >= 0 && offset < kLong;
    EXPECT_EQ(agreed(build(list), "offset " + std::to_string(offset)), meets ? "stream-collision" : "") << offset;
  }
}

} // namespace
} // namespace lpu::test
