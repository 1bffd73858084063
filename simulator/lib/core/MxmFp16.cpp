// Passes of fp16 values through a pair of planes (T5.6). Each plane plays its half,
// one byte of every value; the halves meet when the lower plane's sum is taken.
// By then either plane may have another tile, so a half in flight keeps its own.
#include "Lanes.h"
#include "Mxm.h"

#include "lpu/isa/Numerics.h"

#include <algorithm>
#include <fmt/format.h>

namespace lpu::sim {

void MxmPlane::pair(MxmPlane &lower, MxmPlane &upper) {
  lower.partner = &upper, upper.partner = &lower;
  upper.isUpper = true;
}

void MxmPlane::keepTile() {
  std::shared_ptr<const Tile> kept;
  for (Pass &pass : passes)
    if (chip.functional && pass.isHalf() && !pass.taken && !pass.tile)
      pass.tile = kept ? kept : kept = std::make_shared<const Tile>(installed);
}

MxmPlane::Pass *MxmPlane::otherHalf(const Pass &half) {
  for (Pass &other : partner->passes)
    if (other.arrival == half.arrival && other.isHalf() && other.mask == half.mask) {
      other.taken = true;
      return &other;
    }
  activationUnit.reportUnpaired(half);
  return nullptr;
}

void MxmPlane::ActivationUnit::reportUnpaired(const Pass &pass) const {
  chip.faults.report("unpaired-play", pass.arrival, queue, pass.play.op,
                     fmt::format("the sum of the play at t={} arrives at {} + {} = {} and {}", relative(pass.play.time),
                                 relative(pass.play.time), chip.machine.latency.MxmPlay, relative(pass.arrival),
                                 plane.isUpper ? "the lower plane of the side has no half of it that is taken"
                                               : "the upper plane of the side plays no half with the same mask then"));
}

namespace {

std::uint16_t joined(std::uint8_t low, std::uint8_t high) { return static_cast<std::uint16_t>(low | high << 8); }

} // namespace

void MxmPlane::multiplyHalves(Pass &low, Pass &high) {
  if (!chip.functional)
    return;
  const int width = chip.machine.lanesPerSuperlane, lanes = chip.machine.lanes();
  const std::uint8_t *xLow = low.x.data(), *xHigh = high.x.data();
  std::vector<std::uint16_t> x, weights;
  std::vector<int> superlanes; // that count: an infinity in a tile makes a NaN of a zero
  for (int k = 0; k < chip.machine.superlanes; ++k)
    if (low.mask >> k & 1)
      superlanes.push_back(k);
  for (int k : superlanes)
    for (int l = k * width; l < (k + 1) * width; ++l)
      x.push_back(joined(xLow[l], xHigh[l]));
  const Tile &lowTile = tileOf(low), &highTile = partner->tileOf(high);
  const auto rowOf = [&](const Tile &tile, int row) {
    return tile.groups >> (row / 16) & 1 ? reinterpret_cast<const std::uint8_t *>(tile.rows[row]) : nullptr;
  };
  weights.resize(x.size() * static_cast<std::size_t>(lanes));
  auto next = weights.begin();
  for (int row = 0; row < lanes; ++row) {
    const std::uint8_t *a = rowOf(lowTile, row), *b = rowOf(highTile, row);
    for (int k : superlanes)
      for (int l = k * width; l < (k + 1) * width; ++l)
        *next++ = joined(a ? a[l] : 0, b ? b[l] : 0);
  }
  low.sum = VectorValue::allocate(chip.words);
  low.computed = high.computed = true;
  isa::halfDots(weights.data(), lanes, x.data(), static_cast<int>(x.size()),
                reinterpret_cast<float *>(low.sum.writableWords()));
  low.x = high.x = VectorValue();
  low.tile = high.tile = nullptr;
}

void MxmPlane::addFloats(const AccumulatorRow &row, VectorValue &sum) const {
  isa::vxmOp(isa::Opcode::AddF, row.sum.words(), sum.words(), nullptr, sum.writableWords(), chip.machine.lanes());
}

} // namespace lpu::sim
