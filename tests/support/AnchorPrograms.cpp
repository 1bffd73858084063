// Cycles are those at which values meet: weights reach the planes from kStart on.
#include "AnchorPrograms.h"

namespace lpu::test {

namespace {

constexpr isa::Side kSides[] = {isa::Side::East, isa::Side::West};
constexpr int kTile = 20;          ///< cycles that a tile takes to load
constexpr isa::Cycle kStart = 100; ///< the first lw
constexpr int kFirstSlice = 6;     ///< of the 32 of a side that hold weights; 7 positions to the planes on average
constexpr isa::Cycle kPlay = 44, kRead = 5;

class Builder : public ProgramBuilder {
public:
  explicit Builder(int cycles) : ProgramBuilder("tsp1"), cycles(cycles / kTile * kTile) {}

  static std::string mem(isa::Side side, int slice) {
    return (side == isa::Side::East ? "mem.e" : "mem.w") + std::to_string(slice);
  }
  static std::string mxm(isa::Side side, int plane, char queue) {
    return std::string("mxm.") + (side == isa::Side::East ? "e" : "w") + std::to_string(plane) + "." + queue;
  }
  static std::string outbound(isa::Side side, int stream) {
    return (side == isa::Side::East ? "e" : "w") + std::to_string(stream);
  }
  static std::string inbound(isa::Side side, int stream) {
    return (side == isa::Side::East ? "w" : "e") + std::to_string(stream);
  }
  static std::string copies(int count) { return " copies=" + std::to_string(count - 1); }
  int positionOf(int slice) const { return machine.memPosition(isa::Side::East, slice); }

  /// Row 0 of a slice on an outbound stream, at the planes in cycle `at` and the `count` - 1 behind it.
  void read(isa::Side side, int slice, int stream, isa::Cycle at, int count) {
    region(isa::Region::Kind::Zero, side, slice, 0, 0);
    this->at(at - kRead - (machine.mxmPosition() - positionOf(slice)), mem(side, slice),
             "mem rd=1 rdstream=" + outbound(side, stream) + copies(count));
  }
  /// `count` bytes rows a cycle from each side's slices to its planes.
  void readWeights(isa::Side side, isa::Cycle at, int count) {
    for (int stream = 0; stream < 32; ++stream)
      read(side, kFirstSlice + stream, stream, at, count);
  }
  void loadWeights(isa::Side side, int plane, isa::Cycle at, int count) {
    this->at(at, mxm(side, plane, 'w'), "lw stream=" + std::to_string(16 * plane) + " rowstep=1" + copies(count));
  }

  /// Four ALUs scale what a plane emits on its inbound group from cycle `emitted` on to int8; position 1 keeps it.
  void scaleResults(isa::Side side, int plane, isa::Cycle emitted) {
    const isa::Cycle arrival = emitted + 1 + machine.mxmPosition();
    const int first = 8 * static_cast<int>(side) + 4 * plane, slice = 2 * static_cast<int>(side) + plane;
    const auto alu = [&](int n) { return "vxm." + std::to_string(first + n); };
    const auto from = [&](int n) { return "a=alu" + std::to_string(first + n); };
    const std::string many = copies(cycles), stream = "e" + std::to_string(8 + slice);
    at(arrival, alu(0), "cvt.i32.f32 a=" + inbound(side, 4 * plane) + ":4" + many);
    at(arrival + 4, alu(1), "mulf " + from(0) + " b=imm imm=0.5f" + many);
    at(arrival + 8, alu(2), "addf " + from(1) + " b=imm imm=0.5f" + many);
    at(arrival + 12, alu(3), "cvt.f32.i8 " + from(2) + " out=" + stream + ":1" + many);
    at(arrival + 16 + 1, mem(isa::Side::East, slice), "mem wr=1 wrbank=1 wrstream=" + stream + many);
  }

  const int cycles; ///< whole tiles
};

std::string repeatTiles(int tiles, int window) {
  return "repeat count=" + std::to_string(tiles - 1) + " interval=20 window=" + std::to_string(window);
}

} // namespace

isa::Program idleProgram(int cycles) {
  Builder b(cycles);
  b.region(isa::Region::Kind::Zero, isa::Side::East, 0, 0, 0);
  b.at(b.cycles, "mem.e0", "mem rd=1 rdstream=e0");
  return b.finish();
}

isa::Program decodeSweepProgram(int cycles) {
  Builder b(cycles);
  const int tiles = b.cycles / kTile;
  for (isa::Side side : kSides) {
    for (int plane = 0; plane < 2; ++plane) // two vectors before the weights come
      for (int row = 0; row < 2; ++row)
        b.at(kStart - 4 + row, Builder::mxm(side, plane, 'a'), "act load=1 loadrow=" + std::to_string(row));
    b.read(side, 0, 0, kStart - 4, 2);
    b.readWeights(side, kStart, b.cycles);
    for (int plane = 0; plane < 2; ++plane) {
      b.loadWeights(side, plane, kStart, b.cycles);
      const std::string a = Builder::mxm(side, plane, 'a'), r = Builder::mxm(side, plane, 'r');
      const isa::Cycle install = kStart + kTile - 1;
      b.at(install, a, "act install=1");
      b.at(install + 1, a, "act play=1 mask=0xfffff");
      b.at(install + 2, a, "act play=1 playrow=1 mask=0xfffff");
      b.append(a, {repeatTiles(tiles, 3)}, 1 << 30);
      b.at(install + 1 + kPlay, r, "acc row=0 accmode=1 emit=1 stream=" + std::to_string(4 * plane));
      b.at(install + 2 + kPlay, r, "acc row=1 accmode=1 emit=1 stream=" + std::to_string(4 * plane));
      b.append(r, {repeatTiles(tiles, 2)}, 1 << 30);
      const isa::Cycle arrival = install + 1 + kPlay + 1 + b.machine.mxmPosition();
      const std::string alu = "vxm." + std::to_string(2 * static_cast<int>(side) + plane);
      for (int row = 0; row < 2; ++row) // the vectors' sums are added up over tiles
        b.at(arrival + row, alu, "addi a=" + Builder::inbound(side, 4 * plane) + ":4 b=imm");
      b.append(alu, {repeatTiles(tiles, 2)}, 1 << 30);
    }
  }
  return b.finish();
}

isa::Program denseGemmProgram(int cycles) {
  Builder b(cycles);
  for (isa::Side side : kSides) {
    b.readWeights(side, kStart, kTile);
    const isa::Cycle play = kStart + kTile + 20;
    b.read(side, 4, 0, play - 1, b.cycles + 1); // the activations of both planes
    for (int plane = 0; plane < 2; ++plane) {
      b.loadWeights(side, plane, kStart, kTile);
      const std::string a = Builder::mxm(side, plane, 'a');
      b.at(kStart + kTile - 1, a, "act install=1");
      b.at(play - 1, a, "act load=1");
      b.at(play, a, "act load=1 play=1 mask=0xfffff" + Builder::copies(b.cycles));
      b.at(play + kPlay, Builder::mxm(side, plane, 'r'),
           "acc accmode=1 emit=1 stream=" + std::to_string(4 * plane) + Builder::copies(b.cycles));
      b.scaleResults(side, plane, play + kPlay);
    }
  }
  return b.finish();
}

isa::Program allUnitsProgram(int cycles) {
  Builder b(cycles);
  const int tiles = b.cycles / kTile;
  for (isa::Side side : kSides) {
    b.read(side, side == isa::Side::East ? 4 : 0, 0, kStart - 4, 1);
    b.readWeights(side, kStart, b.cycles);
    const std::string sxm = side == isa::Side::East ? "sxm.e" : "sxm.w";
    const isa::Cycle passing = kStart - 1; // weights pass the SXM
    const auto move = [&](int queue, const std::string &word) {
      b.at(passing, sxm + std::to_string(queue), word + Builder::copies(b.cycles));
    };
    const std::string source = " srcstream=" + Builder::outbound(side, 0) + " dststream=";
    move(0, "transpose" + source + Builder::inbound(side, 16));
    move(2, "shift" + source + Builder::inbound(side, 12) + " amount=1");
    move(10, "rotate" + source + Builder::inbound(side, 13) + " amount=1");
    for (int plane = 0; plane < 2; ++plane) {
      b.loadWeights(side, plane, kStart, b.cycles);
      const std::string a = Builder::mxm(side, plane, 'a');
      const isa::Cycle install = kStart + kTile - 1;
      b.at(kStart - 4, a, "act load=1");
      b.at(install, a, "act install=1");
      for (int i = 1; i < kTile; ++i)
        b.at(install + i, a, "act play=1 mask=0xfffff");
      b.append(a, {repeatTiles(tiles, kTile)}, 1 << 30);
      const std::string r = Builder::mxm(side, plane, 'r');
      const isa::Cycle emitted = install + 1 + kPlay;
      // In the cycle of an install no sum arrives; then the row is emitted as it is.
      for (int i = 0; i < kTile; ++i)
        b.at(emitted + i, r,
             std::string("acc accmode=") + (i < kTile - 1 ? "1" : "0") + " emit=1 stream=" + std::to_string(4 * plane));
      b.append(r, {repeatTiles(tiles, kTile)}, 1 << 30);
      b.scaleResults(side, plane, emitted);
    }
  }
  return b.finish();
}

} // namespace lpu::test
