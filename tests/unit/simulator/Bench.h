// A builder that knows where units stand: brings values from MEM to a place and
// cycle, and takes values from there back to MEM.
#pragma once

#include "RunHelper.h"

#include <cstdlib>

namespace lpu::test {

class Bench : public ProgramBuilder {
public:
  using ProgramBuilder::ProgramBuilder;

  int sxm() const { return program.machine.sxmPosition(); }
  int mxm() const { return program.machine.mxmPosition(); }
  static std::string memQueue(isa::Side side, int slice) {
    return (side == kEast ? "mem.e" : "mem.w") + std::to_string(slice);
  }
  isa::Cycle hops(isa::Side side, int slice, int position) const {
    return std::abs(position - program.machine.memPosition(side, slice));
  }

  /// Constant `bytes` from bank 0 of a slice are on `stream` at `position` in `cycle`.
  Bench &feed(isa::Side side, int slice, const std::string &stream, const Row &bytes, int position, isa::Cycle cycle) {
    int row = nextRow++;
    constant(side, slice, 0, row, bytes);
    at(cycle - 5 - hops(side, slice, position), memQueue(side, slice),
       "mem rd=1 rdrow=" + std::to_string(row) + " rdstream=" + stream);
    return *this;
  }
  /// Sixteen rows from east slices 0..15 are on e0..e15 (e16..e31) at `position` in `cycle`.
  template <class F> Bench &feed16(F rowOf, int position, isa::Cycle cycle, int firstStream = 0) {
    for (int i = 0; i < 16; ++i)
      feed(kEast, i, "e" + std::to_string(firstStream + i), rowOf(i), position, cycle);
    return *this;
  }
  /// The value on `stream` at `position` in `cycle` is written to bank 1 of a slice.
  RowRef store(isa::Side side, int slice, const std::string &stream, int position, isa::Cycle cycle) {
    int row = nextRow++;
    at(cycle + hops(side, slice, position), memQueue(side, slice),
       "mem wr=1 wrbank=1 wrrow=" + std::to_string(row) + " wrstream=" + stream);
    return {side, slice, 1, row};
  }
  /// Four byte rows to 32-bit lanes.
  static std::vector<std::int32_t> words(const std::vector<Row> &rows, std::size_t first = 0) {
    std::vector<std::int32_t> out(rows[first].size());
    for (std::size_t l = 0; l < out.size(); ++l)
      out[l] = static_cast<std::int32_t>(rows[first][l] | rows[first + 1][l] << 8 | rows[first + 2][l] << 16 |
                                         static_cast<std::uint32_t>(rows[first + 3][l]) << 24);
    return out;
  }

private:
  int nextRow = 0;
};

} // namespace lpu::test
