// MXM's fp16 mode (T5.6, T5.7): two planes, a half of each value in each, sums in
// the lower plane's accumulators.
#include "Bench.h"

#include "lpu/isa/Numerics.h"

#include <bit>

namespace lpu::test {
namespace {

class MxmFp16 : public BothEngines {};
LPU_BOTH_ENGINES(MxmFp16);

constexpr int kMxmEast = 9; // position on the small machine

std::uint16_t weight(int row, int lane) {
  return isa::floatToHalf(static_cast<float>((row * 7 + lane * 3) % 251 - 125) / 64.0f);
}
std::uint16_t activation(int lane) { return isa::floatToHalf(static_cast<float>((lane * 5) % 255 - 127) / 8.0f); }
std::uint8_t byteOf(std::uint16_t value, int byte) { return static_cast<std::uint8_t>(value >> (8 * byte)); }

/// Both planes of the east: rows 0..15 of the low bytes by an lw at 40, of the high ones at 41 (each plane's half on
/// its own streams), an activation's bytes at 40, installed at 42, played at 43; the sum arrives at 87.
class Fp16Bench : public Bench {
public:
  isa::Cycle lowAt = 43, highAt = 43;
  std::string lowMask = "0x3", highMask = "0x3", lowHalf = " fp16=1", highHalf = " fp16=1";
  isa::Cycle secondHighAt = 0; ///< another half of the upper plane
  bool nextTile = false;       ///< both planes get other tiles behind the pass
  std::uint16_t special = 0;   ///< in lane 40 of row 2

  std::uint16_t value(int row, int lane) const {
    return special && row == 2 && lane == 40 ? special : weight(row, lane);
  }

  Fp16Bench &setUp() {
    for (int plane = 0; plane < 2; ++plane) {
      const std::string name = "mxm.e" + std::to_string(plane);
      feed16([&](int i) { return lanes([this, i, plane](int l) { return byteOf(value(i, l), plane); }); }, kMxmEast,
             40 + plane);
      at(40 + plane, name + ".w", "lw stream=0 rowgroup=0");
      feed(kEast, 16 + plane, "e" + std::to_string(16 + plane),
           lanes([&](int l) { return byteOf(activation(l), plane); }), kMxmEast, 40);
      at(40, name + ".a",
         "act load=1 loadstream=" + std::to_string(16 + plane) + " loadrow=" + std::to_string(2 + plane));
      at(42, name + ".a", "act install=1");
    }
    if (lowAt)
      at(lowAt, "mxm.e0.a", "act play=1 playrow=2 mask=" + lowMask + lowHalf);
    if (highAt)
      at(highAt, "mxm.e1.a", "act play=1 playrow=3 mask=" + highMask + highHalf);
    if (secondHighAt)
      at(secondHighAt, "mxm.e1.a", "act play=1 playrow=3 mask=0xc" + highHalf);
    for (int plane = 0; nextTile && plane < 2; ++plane) {
      const std::string name = "mxm.e" + std::to_string(plane);
      feed16([&](int i) { return fill(i + 1); }, kMxmEast, 50 + plane);
      at(50 + plane, name + ".w", "lw stream=0 rowgroup=0");
      at(60 + 3 * plane, name + ".a", "act install=1");
    }
    return *this;
  }
  std::vector<RowRef> storeSum(isa::Cycle cycle, int firstSlice = 20) {
    std::vector<RowRef> refs;
    for (int i = 0; i < 4; ++i)
      refs.push_back(store(kEast, firstSlice + i, "w" + std::to_string(i), kMxmEast, cycle));
    return refs;
  }
  /// Small numbers of a few bits: double is exact.
  static float expected(int row, int first, int end) {
    double sum = 0;
    for (int l = first; l < end; ++l)
      sum += double{isa::halfToFloat(weight(row, l))} * isa::halfToFloat(activation(l));
    return static_cast<float>(sum);
  }
};

float asFloat(std::int32_t word) { return std::bit_cast<float>(word); }

// T5.6: the sum arrives 44 cycles after the two halves were played, at the lower plane.
TEST_P(MxmFp16, SumArrivesAfter44CyclesAtTheLowerPlane) {
  for (const bool nextTile : {false, true}) { // T5.2: passes in flight keep the old tile
    Fp16Bench b;
    b.nextTile = nextTile;
    b.setUp();
    b.at(87, "mxm.e0.r", "acc row=5 accmode=overwrite emit=1");
    auto refs = b.storeSum(88);
    auto y = Bench::words(legal(b.finish(), refs));
    for (int row = 0; row < 64; ++row)
      EXPECT_EQ(asFloat(y[row]), row < 16 ? Fp16Bench::expected(row, 0, 32) : 0.0f) << row;
  }
}

TEST_P(MxmFp16, UpperPlaneGetsNoSum) {
  Fp16Bench b;
  b.setUp();
  b.at(87, "mxm.e0.r", "acc accmode=overwrite");
  b.at(87, "mxm.e1.r", "acc accmode=overwrite");
  illegal(b.finish(), "no-sum", 87, "mxm.e1.r");
}

TEST_P(MxmFp16, SumNobodyTakesIsLost) {
  Fp16Bench b;
  b.setUp();
  illegal(b.finish(), "lost-sum", 87, "mxm.e0.a");
}

// T5.6: the halves need each other, in one cycle and with one mask; the arrival is when it shows.
TEST_P(MxmFp16, HalvesComeInPairs) {
  const auto build = [](auto change) {
    Fp16Bench b;
    change(b);
    b.setUp();
    b.at(87, "mxm.e0.r", "acc accmode=overwrite");
    return b.finish();
  };
  legal(build([](Fp16Bench &) {}));
  illegal(build([](Fp16Bench &b) { b.highAt = 44; }), "unpaired-play", 87, "mxm.e0.a");
  illegal(build([](Fp16Bench &b) { b.highAt = 0; }), "unpaired-play", 87, "mxm.e0.a");
  illegal(build([](Fp16Bench &b) { b.highMask = "0x1"; }), "unpaired-play", 87, "mxm.e0.a");
  illegal(build([](Fp16Bench &b) { b.secondHighAt = 44; }), "unpaired-play", 88, "mxm.e1.a");
  illegal(build([](Fp16Bench &b) { b.highHalf = ""; }), "unpaired-play", 87, "mxm.e0.a");
  illegal(build([](Fp16Bench &b) { b.lowHalf = ""; }), "unpaired-play", 87,
          "mxm.e1.a"); // the lower plane's int8 sum is taken
}

// T5.6: half of the four superlanes.
TEST_P(MxmFp16, PassTakesHalfOfTheSuperlanes) {
  for (const char *mask : {"0x7", "0xf"}) {
    Fp16Bench b;
    b.lowMask = b.highMask = mask;
    b.setUp();
    illegal(b.finish(), "illegal-encoding", 43, "mxm.e0.a");
  }
  Fp16Bench b;
  b.at(20, "mxm.e0.a", "act fp16=1");
  illegal(b.finish(), "illegal-encoding", 20, "mxm.e0.a");
}

/// A pass over the other half of the superlanes, one cycle after the first.
void playOtherHalf(Fp16Bench &b) {
  b.at(44, "mxm.e0.a", "act play=1 playrow=2 mask=0xc fp16=1");
  b.at(44, "mxm.e1.a", "act play=1 playrow=3 mask=0xc fp16=1");
}

isa::Program twoPasses(const std::string &first, const std::string &second, std::vector<RowRef> *refs = nullptr) {
  Fp16Bench b;
  b.setUp();
  playOtherHalf(b);
  b.at(87, "mxm.e0.r", "acc row=5 accmode=" + first);
  b.at(88, "mxm.e0.r", "acc row=5 emit=1 accmode=" + second);
  if (refs)
    *refs = b.storeSum(89);
  return b.finish();
}

// T5.7: addf adds with one rounding.
TEST_P(MxmFp16, AddF) {
  std::vector<RowRef> refs;
  auto program = twoPasses("overwrite", "addf", &refs);
  auto y = Bench::words(legal(program, refs));
  for (int row = 0; row < 16; ++row)
    EXPECT_EQ(asFloat(y[row]), Fp16Bench::expected(row, 0, 32) + Fp16Bench::expected(row, 32, 64)) << row;
}

TEST_P(MxmFp16, FormatsDoNotMix) {
  illegal(twoPasses("overwrite", "add"), "sum-format", 88, "mxm.e0.r");
  illegal(twoPasses("addf", "addf"), "empty-operand", 87, "mxm.e0.r");
  const auto mixed = [](const std::string &first, const std::string &second) {
    Fp16Bench b;
    b.lowHalf = "", b.highAt = 0; // an int8 pass
    b.setUp();
    playOtherHalf(b);
    b.at(87, "mxm.e0.r", "acc row=5 accmode=" + first);
    b.at(88, "mxm.e0.r", "acc row=5 accmode=" + second);
    return b.finish();
  };
  illegal(mixed("overwrite", "addf"), "sum-format", 88, "mxm.e0.r"); // the row holds int32
  illegal(mixed("overwrite", "add"), "sum-format", 88, "mxm.e0.r");  // the sum is fp32
  legal(mixed("overwrite", "overwrite"));
}

// N14, and a special outside of the mask does not count.
TEST_P(MxmFp16, SpecialsMakeTheirRowNan) {
  for (const char *mask : {"0x3", "0xc"}) {
    Fp16Bench b;
    b.special = 0xFC00, b.lowMask = b.highMask = mask;
    b.setUp();
    b.at(87, "mxm.e0.r", "acc row=5 accmode=overwrite emit=1");
    auto refs = b.storeSum(88);
    auto y = Bench::words(legal(b.finish(), refs));
    const int first = mask == std::string("0x3") ? 0 : 32;
    EXPECT_EQ(asFloat(y[1]), Fp16Bench::expected(1, first, first + 32));
    if (first == 32)
      EXPECT_EQ(y[2], 0x7FC00000);
    else
      EXPECT_EQ(asFloat(y[2]), Fp16Bench::expected(2, 0, 32));
  }
}

} // namespace
} // namespace lpu::test
