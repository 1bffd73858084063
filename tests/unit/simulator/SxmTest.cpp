// SXM (T6): what each operation moves, its latency, its queue, its maps.
#include "Bench.h"

namespace lpu::test {
namespace {

class Sxm : public BothEngines {
protected:
  static constexpr int kEastSxm = 8; // position on the small machine

  struct Move {
    std::string queue = "sxm.e2", text;
    isa::Cycle latency = 24, offset = 0;
    std::vector<std::int16_t> map;
  };
  /// Lanes hold l + 1 on e1 (and l + 101 on e2) at the east SXM in cycle 40;
  /// the result is taken from w5 `latency` + `offset` later.
  static isa::Program program(const Move &m) {
    Bench b;
    if (!m.map.empty())
      b.chip().sxmMaps.push_back(m.map);
    b.feed(kEast, 0, "e1", b.lanes([](int l) { return l + 1; }), kEastSxm, 40);
    b.feed(kEast, 1, "e2", b.lanes([](int l) { return l + 101; }), kEastSxm, 40);
    b.at(40, m.queue, m.text + " srcstream=e1 dststream=w5");
    b.store(kEast, 20, "w5", kEastSxm, 40 + m.latency + m.offset);
    return b.finish();
  }
  /// The result at the right cycle; nothing one cycle earlier or later.
  template <class F> void check(Move m, F expected) const {
    Row row = legal(program(m), {{kEast, 20, 1, 2}})[0];
    EXPECT_EQ(row, ProgramBuilder().lanes(expected)) << m.text;
    for (isa::Cycle offset : {-1, 1}) {
      m.offset = offset;
      illegal(program(m), "empty-stream", 40 + m.latency + offset + 2, "mem.e20");
    }
  }
  template <class F> static std::vector<std::int16_t> map(F f) {
    std::vector<std::int16_t> m(64);
    for (int l = 0; l < 64; ++l)
      m[l] = static_cast<std::int16_t>(f(l));
    return m;
  }
};
LPU_BOTH_ENGINES(Sxm);

TEST_P(Sxm, ShiftMovesLanesUpInTwentyFourCycles) {
  check({"sxm.e2", "shift amount=3", 24, 0, {}}, [](int l) { return l >= 3 ? l - 2 : 0; });
}
TEST_P(Sxm, ShiftMovesLanesDown) {
  check({"sxm.e5", "shift amount=-17", 24, 0, {}}, [](int l) { return l + 17 < 64 ? l + 18 : 0; });
}
TEST_P(Sxm, PermuteTakesLanesFromAnywhere) {
  check({"sxm.e3", "permute map=0", 24, 0, map([](int l) { return l == 7 ? -1 : 63 - l; })},
        [](int l) { return l == 7 ? 0 : 64 - l; });
}
TEST_P(Sxm, DistributeStaysInsideSuperlanesInFourCycles) {
  check({"sxm.e6", "distribute map=0", 4, 0, map([](int l) { return l == 2 ? -1 : l / 2 % 16; })},
        [](int l) { return l % 16 == 2 ? 0 : l / 16 * 16 + l % 16 / 2 + 1; });
}
TEST_P(Sxm, RotateStaysInsideSuperlanes) {
  check({"sxm.e10", "rotate amount=5", 4, 0, {}}, [](int l) { return l / 16 * 16 + (l % 16 + 11) % 16 + 1; });
}
TEST_P(Sxm, SelectLanesJoinsTwoSources) {
  check({"sxm.e13", "selectlanes map=0 src2stream=e2", 4, 0, map([](int l) { return l % 3 == 0 ? 0 : -1; })},
        [](int l) { return l % 3 == 0 ? l + 1 : l + 101; });
}

// T6: lane i of result stream j is lane j of source stream i, in each superlane.
TEST_P(Sxm, TransposeInTwentyCycles) {
  auto build = [](isa::Cycle latency, std::vector<RowRef> *refs) {
    Bench b;
    b.feed16([&](int i) { return b.lanes([i](int l) { return i * 16 + l % 16 + l / 16; }); }, kEastSxm, 40);
    b.at(40, "sxm.e1", "transpose srcstream=e0 dststream=w16");
    RowRef first = b.store(kEast, 24, "w16", kEastSxm, 40 + latency);
    RowRef last = b.store(kEast, 25, "w31", kEastSxm, 40 + latency);
    if (refs)
      *refs = {first, last};
    return b.finish();
  };
  std::vector<RowRef> refs;
  auto program = build(20, &refs);
  auto rows = legal(program, refs);
  EXPECT_EQ(rows[0], ProgramBuilder().lanes([](int l) { return l % 16 * 16 + l / 16; }));
  EXPECT_EQ(rows[1], ProgramBuilder().lanes([](int l) { return l % 16 * 16 + 15 + l / 16; }));
  illegal(build(19, nullptr), "empty-stream", 60, "mem.e24");
  illegal(build(21, nullptr), "empty-stream", 62, "mem.e24");
}

// T6: queues of a side are transpose, permute/shift, distribute, rotate/selectlanes.
TEST_P(Sxm, QueuesExecuteTheirOwnOperations) {
  for (auto [queue, text] :
       {std::pair{"sxm.e0", "shift"}, std::pair{"sxm.e2", "transpose"}, std::pair{"sxm.e5", "distribute"},
        std::pair{"sxm.e6", "permute"}, std::pair{"sxm.e9", "rotate"}, std::pair{"sxm.e10", "distribute"},
        std::pair{"sxm.w13", "transpose"}}) {
    Bench b;
    b.at(3, queue, text);
    illegal(b.finish(), "illegal-encoding", 3, queue);
  }
}

TEST_P(Sxm, MapsMustExistAndStayInRange) {
  illegal(program({"sxm.e3", "permute map=1", 24, 0, map([](int l) { return l; })}), "address-range", 40, "sxm.e3");
  illegal(program({"sxm.e3", "permute map=0", 24, 0, map([](int l) { return l + 1; })}), "address-range", 40, "sxm.e3");
  illegal(program({"sxm.e6", "distribute map=0", 4, 0, map([](int l) { return l + 1; })}), "address-range", 40,
          "sxm.e6");
}

// The west unit stands at the other end and drives in either direction.
TEST_P(Sxm, WestUnit) {
  Bench b;
  b.feed(kWest, 0, "w1", b.lanes([](int l) { return l; }), -kEastSxm, 40);
  b.at(40, "sxm.w11", "rotate amount=0 srcstream=w1 dststream=e5");
  RowRef ref = b.store(kEast, 27, "e5", -kEastSxm, 44);
  EXPECT_EQ(legal(b.finish(), {ref})[0][33], 33);
}

} // namespace
} // namespace lpu::test
