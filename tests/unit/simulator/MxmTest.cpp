// MXM (T5): the three queues of a plane, tiles, passes in flight, accumulators.
#include "Bench.h"

namespace lpu::test {
namespace {

class Mxm : public BothEngines {};
LPU_BOTH_ENGINES(Mxm);

constexpr int kMxmEast = 9; // position on the small machine

int weight(int row, int lane) { return (row * 7 + lane * 3) % 251 - 125; }
int activation(int lane) { return (lane * 5) % 255 - 127; }

/// East plane 0: rows 0..15 loaded by an lw at 40, x in activation row 2 at 40,
/// installed at 41, played at 42; the sum arrives at 86.
class MxmBench : public Bench {
public:
  isa::Cycle lwAt = 40, loadAt = 40, installAt = 41, playAt = 42;
  std::string mask = "0xf";
  std::string group = "0";
  std::map<isa::Cycle, std::string> more; ///< further words of queue A

  MxmBench &setUp() {
    feed16([&](int i) { return lanes([i](int l) { return weight(i, l); }); }, kMxmEast, lwAt);
    feed(kEast, 16, "e16", lanes(activation), kMxmEast, loadAt);
    at(lwAt, "mxm.e0.w", "lw stream=0 rowgroup=" + group);
    std::map<isa::Cycle, std::string> words = more;
    words[loadAt] += " load=1 loadstream=16 loadrow=2";
    words[installAt] += " install=1";
    words[playAt] += " play=1 playrow=2 mask=" + mask;
    for (const auto &[cycle, text] : words)
      at(cycle, "mxm.e0.a", "act" + text);
    return *this;
  }
  /// Stores the four bytes that are on w0..w3 at the MXM in `cycle`.
  std::vector<RowRef> storeSum(isa::Cycle cycle, int firstSlice = 20) {
    std::vector<RowRef> refs;
    for (int i = 0; i < 4; ++i)
      refs.push_back(store(kEast, firstSlice + i, "w" + std::to_string(i), kMxmEast, cycle));
    return refs;
  }
  static std::int32_t expected(int row, int lanes = 64) {
    std::int32_t sum = 0;
    for (int l = 0; l < lanes; ++l)
      sum += weight(row, l) * activation(l);
    return sum;
  }
};

// T5.2, T5.3: y[row] = Σ W[row][lane]·x[lane], 44 cycles after the play; emitted one cycle later.
TEST_P(Mxm, SumArrivesAfter44CyclesAndIsEmittedOneLater) {
  auto build = [](isa::Cycle accDelay, isa::Cycle storeDelay, std::vector<RowRef> *refs = nullptr) {
    MxmBench b;
    b.setUp();
    b.at(42 + accDelay, "mxm.e0.r", "acc row=5 accmode=overwrite emit=1 stream=0");
    auto r = b.storeSum(42 + accDelay + storeDelay);
    if (refs)
      *refs = r;
    return b.finish();
  };
  std::vector<RowRef> refs;
  auto program = build(44, 1, &refs);
  auto y = Bench::words(legal(program, refs));
  for (int row = 0; row < 64; ++row)
    EXPECT_EQ(y[row], row < 16 ? MxmBench::expected(row) : 0) << row; // rows not loaded are zero
  illegal(build(43, 1), "no-sum", 85, "mxm.e0.r");
  illegal(build(45, 1), "lost-sum", 86, "mxm.e0.a");
  illegal(build(44, 0), "empty-stream", 89, "mem.e20"); // 86 + 3 hops: one cycle early
}

TEST_P(Mxm, SumNobodyTakesIsLost) {
  MxmBench b;
  b.setUp();
  illegal(b.finish(), "lost-sum", 86, "mxm.e0.a");
}

// T5.2: lanes of superlanes whose mask bit is 0 do not count.
TEST_P(Mxm, MaskSelectsSuperlanes) {
  MxmBench b;
  b.mask = "0x3";
  b.setUp();
  b.at(86, "mxm.e0.r", "acc accmode=overwrite emit=1");
  auto refs = b.storeSum(87);
  EXPECT_EQ(Bench::words(legal(b.finish(), refs))[3], MxmBench::expected(3, 32));
}

// T5.1: stream i of lw with row group g becomes row 16g + i.
TEST_P(Mxm, RowGroupsPlaceRows) {
  MxmBench b;
  b.group = "2";
  b.setUp();
  b.at(86, "mxm.e0.r", "acc accmode=overwrite emit=1");
  auto refs = b.storeSum(87);
  auto y = Bench::words(legal(b.finish(), refs));
  EXPECT_EQ(y[35], MxmBench::expected(3));
  EXPECT_EQ(y[3], 0);
}

// T1.3e: the row group steps modulo superlanes: 3 + 2 = 1 (mod 4).
TEST_P(Mxm, RowGroupStepsWrap) {
  MxmBench b;
  for (isa::Cycle t : {40, 42})
    b.feed16([&](int i) { return b.fill(t + i); }, kMxmEast, t);
  b.feed(kEast, 16, "e16", b.lanes([](int l) { return l == 0; }), kMxmEast, 40);
  b.at(40, "mxm.e0.w", "lw stream=0 rowgroup=3 rowstep=2");
  b.append("mxm.e0.w", {"repeat count=1 interval=2 window=1"}, 43);
  b.at(40, "mxm.e0.a", "act load=1 loadstream=16 loadrow=2");
  b.at(43, "mxm.e0.a", "act install=1");
  b.at(44, "mxm.e0.a", "act play=1 playrow=2 mask=1");
  b.at(88, "mxm.e0.r", "acc accmode=overwrite emit=1");
  auto refs = b.storeSum(89);
  auto y = Bench::words(legal(b.finish(), refs));
  EXPECT_EQ(y[48 + 5], 45);
  EXPECT_EQ(y[16 + 5], 47);
  EXPECT_EQ(y[0], 0);
}

// T5.8: the nibbles of a byte are weights of two row groups; here of 3 and 0, and in the second load of 1 and 2.
TEST_P(Mxm, PackedLoadsExpandToTwoRowGroups) {
  auto four = [](int row, int lane) { return (row * 5 + lane * 3) % 16 - 8; };
  auto build = [&](int expands, bool again, std::vector<RowRef> *refs = nullptr) {
    MxmBench b;
    b.program.machine.mxmInt4Expand = expands;
    for (int load = 0; load < 2; ++load)
      b.feed16(
          [&](int i) {
            const int low = (load ? 16 : 48) + i, high = (load ? 32 : 0) + i;
            return b.lanes([&](int l) { return (four(low, l) & 15) | four(high, l) * 16; });
          },
          kMxmEast, 40 + load);
    b.feed(kEast, 16, "e16", b.lanes(activation), kMxmEast, 40);
    b.at(40, "mxm.e0.w", "lw stream=0 rowgroup=3 packed=1");
    b.at(41, "mxm.e0.w", again ? "lw stream=0 rowgroup=0" : "lw stream=0 rowgroup=1 packed=1");
    b.at(40, "mxm.e0.a", "act load=1 loadstream=16 loadrow=2");
    b.at(42, "mxm.e0.a", "act install=1");
    b.at(43, "mxm.e0.a", "act play=1 playrow=2 mask=0xf");
    b.at(87, "mxm.e0.r", "acc accmode=overwrite emit=1");
    auto r = b.storeSum(88);
    if (refs)
      *refs = r;
    return b.finish();
  };
  std::vector<RowRef> refs;
  auto program = build(1, false, &refs);
  auto y = Bench::words(legal(program, refs));
  for (int row = 0; row < 64; ++row) {
    std::int32_t sum = 0;
    for (int l = 0; l < 64; ++l)
      sum += four(row, l) * activation(l);
    EXPECT_EQ(y[row], sum) << row;
  }
  illegal(build(1, true), "early-lw", 41, "mxm.e0.w"); // group 0 came with group 3
  illegal(build(0, false), "illegal-encoding", 40, "mxm.e0.w");
}

// T5.2: playable from t + 1; in the load's own cycle the row is still what it was.
TEST_P(Mxm, LoadedRowIsPlayableOneCycleLater) {
  auto build = [](isa::Cycle loadAt) {
    MxmBench b;
    b.loadAt = loadAt;
    b.setUp();
    b.at(86, "mxm.e0.r", "acc accmode=overwrite");
    return b.finish();
  };
  legal(build(41));
  illegal(build(42), "empty-operand", 42, "mxm.e0.a");
}
TEST_P(Mxm, PlaySeesTheOldVectorInTheLoadsCycle) {
  MxmBench b;
  b.setUp();
  b.feed(kEast, 17, "e17", b.fill(0), kMxmEast, 43);
  b.at(43, "mxm.e0.a", "act load=1 loadstream=17 loadrow=2 play=1 playrow=2 mask=0xf");
  b.at(86, "mxm.e0.r", "acc accmode=overwrite");
  b.at(87, "mxm.e0.r", "acc accmode=add emit=1");
  auto refs = b.storeSum(88);
  EXPECT_EQ(Bench::words(legal(b.finish(), refs))[7], 2 * MxmBench::expected(7));
}

// T5.4, T5.5: an lw in the cycle of the install still belongs to the tile, so a tile takes as many cycles as row
// groups.
TEST_P(Mxm, TheLastRowsMayArriveWithTheInstall) {
  MxmBench b;
  b.setUp();
  b.feed16([&](int i) { return b.lanes([i](int l) { return weight(16 + i, l); }); }, kMxmEast, 41);
  b.at(41, "mxm.e0.w", "lw stream=0 rowgroup=1");
  b.at(86, "mxm.e0.r", "acc accmode=overwrite emit=1");
  auto refs = b.storeSum(87);
  auto y = Bench::words(legal(b.finish(), refs));
  for (int row = 0; row < 64; ++row)
    EXPECT_EQ(y[row], row < 32 ? MxmBench::expected(row) : 0) << row;
}

// T5.4: the last lw completes for the first play after the install, and something was loaded before it.
TEST_P(Mxm, InstallNeedsACompleteBuffer) {
  MxmBench same;
  same.installAt = 40;
  same.playAt = 42;
  same.setUp();
  same.at(86, "mxm.e0.r", "acc accmode=overwrite");
  illegal(same.finish(), "early-install", 40, "mxm.e0.a");
  Bench empty;
  empty.at(7, "mxm.w1.a", "act install=1");
  illegal(empty.finish(), "early-install", 7, "mxm.w1.a");
}

// T5.2: plays from t + 1 on use the new tile; before any install there is none.
TEST_P(Mxm, InstallTakesEffectOneCycleLater) {
  MxmBench b;
  b.playAt = 41;
  b.setUp(); // install and play become one word
  illegal(b.finish(), "install-play", 41, "mxm.e0.a");
  MxmBench c;
  c.installAt = 43;
  c.setUp();
  illegal(c.finish(), "no-tile", 42, "mxm.e0.a");
}

// T5.2: a load can be played MxmLoad cycles later; until then a play sees the vector before it.
TEST_P(Mxm, LoadsArePlayableAfterTheMachinesLatency) {
  auto build = [](isa::Cycle playAt, bool second, std::vector<RowRef> *refs = nullptr) {
    MxmBench b;
    b.program.machine.latency.MxmLoad = 3;
    b.playAt = playAt;
    if (second)
      b.more[43] = " load=1 loadstream=17 loadrow=2";
    b.setUp(); // x is loaded at 40
    if (second)
      b.feed(kEast, 17, "e17", b.fill(1), kMxmEast, 43);
    b.at(playAt + 44, "mxm.e0.r", "acc accmode=overwrite emit=1");
    auto r = b.storeSum(playAt + 45);
    if (refs)
      *refs = r;
    return b.finish();
  };
  std::int32_t ones = 0;
  for (int l = 0; l < 64; ++l)
    ones += weight(9, l);
  std::vector<RowRef> refs;
  illegal(build(42, false), "empty-operand", 42, "mxm.e0.a");
  auto first = build(44, false, &refs);
  EXPECT_EQ(Bench::words(legal(first, refs))[9], MxmBench::expected(9));
  auto old = build(45, true, &refs);
  EXPECT_EQ(Bench::words(legal(old, refs))[9], MxmBench::expected(9));
  auto replaced = build(46, true, &refs);
  EXPECT_EQ(Bench::words(legal(replaced, refs))[9], ones);
}

// T5.2: an installed tile is for plays MxmInstall cycles later; until then they use the tile before.
TEST_P(Mxm, InstallsTakeTheMachinesLatency) {
  auto build = [](isa::Cycle playAt, bool second, std::vector<RowRef> *refs = nullptr) {
    MxmBench b;
    b.program.machine.latency.MxmInstall = 3;
    b.playAt = playAt;
    if (second)
      b.more[45] = " install=1";
    b.setUp(); // installed at 41
    if (second) {
      b.feed16([&](int i) { return b.fill(i); }, kMxmEast, 44);
      b.at(44, "mxm.e0.w", "lw stream=0");
    }
    b.at(playAt + 44, "mxm.e0.r", "acc accmode=overwrite emit=1");
    auto r = b.storeSum(playAt + 45);
    if (refs)
      *refs = r;
    return b.finish();
  };
  std::int32_t sum = 0;
  for (int l = 0; l < 64; ++l)
    sum += activation(l);
  std::vector<RowRef> refs;
  illegal(build(43, false), "no-tile", 43, "mxm.e0.a");
  auto first = build(44, false, &refs);
  EXPECT_EQ(Bench::words(legal(first, refs))[9], MxmBench::expected(9));
  auto old = build(47, true, &refs);
  EXPECT_EQ(Bench::words(legal(old, refs))[9], MxmBench::expected(9));
  auto replaced = build(48, true, &refs);
  EXPECT_EQ(Bench::words(legal(replaced, refs))[9], 9 * sum);
}

// T5.4: loading a row group of the next tile twice.
TEST_P(Mxm, LoadingAGroupTwiceBeforeTheInstall) {
  auto build = [](isa::Cycle secondLw) {
    MxmBench b;
    b.setUp();
    b.feed16([&](int) { return b.fill(1); }, kMxmEast, secondLw);
    b.at(secondLw, "mxm.e0.w", "lw stream=0");
    if (secondLw == 42) { // and again
      b.feed16([&](int) { return b.fill(1); }, kMxmEast, 43);
      b.at(43, "mxm.e0.w", "lw stream=0");
    }
    b.at(86, "mxm.e0.r", "acc accmode=overwrite");
    return b.finish();
  };
  illegal(build(41), "early-lw", 41, "mxm.e0.w"); // in the install's cycle it is still loaded
  illegal(build(42), "early-lw", 43, "mxm.e0.w"); // the first after the install is fine
}

// T5.2: passes in flight keep the old tile; there is no drain.
TEST_P(Mxm, TileSwapNeedsNoDrain) {
  MxmBench b;
  b.setUp(); // play at 42 on the first tile
  b.feed16([&](int i) { return b.fill(i); }, kMxmEast, 42);
  b.at(42, "mxm.e0.w", "lw stream=0");
  b.at(43, "mxm.e0.a", "act install=1");
  b.at(44, "mxm.e0.a", "act play=1 playrow=2 mask=0xf");
  b.at(86, "mxm.e0.r", "acc row=0 accmode=overwrite emit=1");
  b.at(88, "mxm.e0.r", "acc row=1 accmode=overwrite emit=1");
  auto refs = b.storeSum(87);
  auto second = b.storeSum(89, 20);
  refs.insert(refs.end(), second.begin(), second.end());
  auto rows = legal(b.finish(), refs);
  std::int32_t sum = 0;
  for (int l = 0; l < 64; ++l)
    sum += activation(l);
  EXPECT_EQ(Bench::words(rows, 0)[9], MxmBench::expected(9));
  EXPECT_EQ(Bench::words(rows, 4)[9], 9 * sum);
}

// T5.3: accumulator rows: add, emit without a sum, rows never written.
TEST_P(Mxm, AccumulatorRows) {
  MxmBench b;
  b.setUp();
  b.at(43, "mxm.e0.a", "act play=1 playrow=2 mask=0xf");
  b.at(86, "mxm.e0.r", "acc row=511 accmode=overwrite");
  b.at(87, "mxm.e0.r", "acc row=511 accmode=add");
  b.at(88, "mxm.e0.r", "acc row=511 emit=1");
  auto refs = b.storeSum(89);
  EXPECT_EQ(Bench::words(legal(b.finish(), refs))[1], 2 * MxmBench::expected(1));

  MxmBench add;
  add.setUp();
  add.at(86, "mxm.e0.r", "acc row=4 accmode=add");
  illegal(add.finish(), "empty-operand", 86, "mxm.e0.r");
  MxmBench emit;
  emit.at(3, "mxm.e0.r", "acc row=4 emit=1");
  illegal(emit.finish(), "empty-operand", 3, "mxm.e0.r");
}

// T5.4: 64 lanes of 127·127 add 1,032,256 a pass; pass 2081 leaves int32.
TEST_P(Mxm, AccumulatorOverflowIsExact) {
  auto build = [](int plays) {
    MxmBench b;
    b.feed16([&](int) { return b.fill(127); }, kMxmEast, 40);
    b.feed(kEast, 16, "e16", b.fill(127), kMxmEast, 40);
    b.at(40, "mxm.e0.w", "lw stream=0");
    b.at(40, "mxm.e0.a", "act load=1 loadstream=16");
    b.at(41, "mxm.e0.a", "act install=1");
    std::string again = "repeat interval=1 window=1 count=";
    b.append("mxm.e0.a", {"act play=1 mask=0xf", again + std::to_string(plays - 1)}, 0);
    b.at(86, "mxm.e0.r", "acc accmode=overwrite");
    b.append("mxm.e0.r", {"acc accmode=add", again + std::to_string(plays - 2)}, 0);
    return b.finish();
  };
  legal(build(2080));
  illegal(build(2081), "accumulator-overflow", 86 + 2080, "mxm.e0.r");
}

TEST_P(Mxm, RowsOutOfRange) {
  for (auto [queue, text] :
       {std::pair{"mxm.e0.w", "lw stream=0 rowgroup=4"}, std::pair{"mxm.e0.a", "act load=1 loadrow=128"},
        std::pair{"mxm.e0.a", "act play=1 playrow=200"}, std::pair{"mxm.e0.r", "acc emit=1 row=512"}}) {
    Bench b;
    b.at(2, queue, text);
    illegal(b.finish(), "address-range", 2, queue);
  }
}

// T4-like: tiles, activation rows and accumulators do not outlive a step.
TEST_P(Mxm, NothingOutlivesAStep) {
  for (auto [queue, text, category] : {std::tuple{"mxm.e0.a", "act play=1 playrow=2", "no-tile"},
                                       std::tuple{"mxm.e0.r", "acc emit=1", "empty-operand"}}) {
    MxmBench b;
    b.setUp();
    b.at(86, "mxm.e0.r", "acc accmode=overwrite");
    b.nextStep();
    b.at(0, queue, text);
    illegal(b.finish(), category, 0, queue);
  }
}

// T2.7: the west planes take westward streams and emit eastward ones; planes of a side share a slot.
TEST_P(Mxm, BothPlanesOfTheWestSide) {
  Bench b;
  for (int i = 0; i < 16; ++i)
    b.feed(kWest, i, "w" + std::to_string(i), b.lanes([i](int l) { return weight(i, l); }), -kMxmEast, 40);
  b.feed(kWest, 16, "w16", b.lanes(activation), -kMxmEast, 40);
  std::vector<RowRef> refs;
  for (int p = 0; p < 2; ++p) {
    std::string plane = "mxm.w" + std::to_string(p);
    b.at(40, plane + ".w", "lw stream=0");
    b.at(40, plane + ".a", "act load=1 loadstream=16");
    b.at(41, plane + ".a", "act install=1");
    b.at(42, plane + ".a", "act play=1 mask=0xf");
    b.at(86, plane + ".r", "acc accmode=overwrite emit=1 stream=" + std::to_string(4 * p));
    for (int i = 0; i < 4; ++i)
      refs.push_back(b.store(kWest, 17 + 4 * p + i, "e" + std::to_string(4 * p + i), -kMxmEast, 87));
  }
  auto rows = legal(b.finish(), refs);
  EXPECT_EQ(Bench::words(rows, 0)[15], MxmBench::expected(15));
  EXPECT_EQ(Bench::words(rows, 4)[15], MxmBench::expected(15));
}

// N2: an int16 operand as two balanced digits gives the int16 product exactly.
TEST_P(Mxm, BalancedDigitsMultiplyInt16) {
  auto value = [](int l) { return l * 1021 - 32639; };
  auto digits = [&](int l) { return (value(l) + 0x80) ^ 0x80; };
  MxmBench b;
  b.feed16([&](int i) { return b.lanes([i](int l) { return weight(i, l); }); }, kMxmEast, 40);
  b.feed(kEast, 16, "e16", b.lanes(digits), kMxmEast, 40);
  b.feed(kEast, 17, "e17", b.lanes([&](int l) { return digits(l) >> 8; }), kMxmEast, 41);
  b.at(40, "mxm.e0.w", "lw stream=0");
  b.at(40, "mxm.e0.a", "act load=1 loadstream=16 loadrow=0");
  b.at(41, "mxm.e0.a", "act load=1 loadstream=17 loadrow=1 install=1");
  b.at(42, "mxm.e0.a", "act play=1 playrow=0 playstep=1 mask=0xf");
  b.append("mxm.e0.a", {"repeat count=1 interval=1 window=1"}, 0);
  b.at(86, "mxm.e0.r", "acc row=0 accmode=overwrite emit=1");
  b.at(87, "mxm.e0.r", "acc row=1 accmode=overwrite emit=1");
  auto refs = b.storeSum(87, 20), high = b.storeSum(88, 24);
  refs.insert(refs.end(), high.begin(), high.end());
  auto rows = legal(b.finish(), refs);
  for (int row = 0; row < 16; ++row) {
    std::int64_t sum = 0;
    for (int l = 0; l < 64; ++l)
      sum += std::int64_t{weight(row, l)} * value(l);
    EXPECT_EQ(256 * std::int64_t{Bench::words(rows, 4)[row]} + Bench::words(rows, 0)[row], sum) << row;
  }
}

} // namespace
} // namespace lpu::test
