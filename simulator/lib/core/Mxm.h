// One plane of the matrix unit (T5). Its three queues act on shared state within
// one cycle, so what they decide depends on timestamps and never on which of
// them ran first.
#pragma once

#include "Unit.h"

#include <deque>
#include <vector>

namespace lpu::sim {

class MxmPlane {
public:
  /// `weightQueue` is the number of queue W; A and R follow it.
  MxmPlane(ChipContext &chip, int weightQueue);

  /// `lower` and `upper` sum fp16 values together (T5.6).
  static void pair(MxmPlane &lower, MxmPlane &upper);

  Unit &weights() { return weightUnit; }
  Unit &activations() { return activationUnit; }
  Unit &results() { return resultUnit; }

  /// Tiles, activation rows, accumulators and passes in flight of the step before are gone.
  void reset();
  /// Arrival of the oldest pass in flight; the largest cycle when there is none.
  Cycle nextArrival() const;
  /// Arrival of the newest pass in flight; there must be one.
  Cycle latestArrival() const { return passes.back().arrival; }
  /// To be called in the cycle after an arrival: reports lost-sum, forgets sums before `now`.
  void checkArrivals(Cycle now);

private:
  struct Tile {
    std::uint32_t groups = 0; ///< bit g: rows 16g..16g+15 were loaded
    std::vector<const std::int8_t *> rows;
    std::vector<VectorValue> values; ///< keep rows alive that are not of the image
  };
  static Tile emptyTile(int lanes);
  struct ActivationRow {
    bool loaded = false;
    VectorValue value;
    std::vector<std::pair<Cycle, VectorValue>> coming; ///< loads that no play sees before their cycle, in its order
    /// Takes what a play dispatched at `now` sees.
    void settle(Cycle now);
  };
  struct AccumulatorRow {
    bool written = false;
    bool fp32 = false;
    VectorValue sum; ///< int32 or fp32 lanes
  };
  struct Pass {
    Cycle arrival;
    bool taken, computed;
    Dispatch play;
    std::uint32_t mask;
    VectorValue x, sum; ///< sum: int32 lanes
    std::shared_ptr<const Tile> tile =
        nullptr; ///< of a half of an fp16 pass, when it is not the installed one any more
    bool isHalf() const { return play.op->activate.fp16; }
  };
  /// The lanes of a played vector that count; zero outside of them and of [first, end).
  struct Operand {
    std::vector<std::int8_t> lanes;
    int first = 0, end = 0; ///< empty: nothing counts
  };

  class WeightUnit final : public Unit {
  public:
    WeightUnit(ChipContext &chip, MxmPlane &plane, int queue) : Unit(chip, queue), plane(plane) {}
    Cycle execute(const Dispatch &d) override;

  private:
    Cycle executeOne(const Dispatch &d);
    bool executeBurst(const Dispatch &d);
    std::uint32_t groupsOf(const WeightsOp &op, int group) const;
    bool takeRows(const Dispatch &d, int group, Tile &tile) const;
    bool expandRows(const Dispatch &d, int group, Tile &tile) const;
    MxmPlane &plane;
  };

  class ActivationUnit final : public Unit {
  public:
    ActivationUnit(ChipContext &chip, MxmPlane &plane, int queue) : Unit(chip, queue), plane(plane) {}
    Cycle execute(const Dispatch &d) override;
    void reportLost(const Pass &pass) const;
    void reportUnpaired(const Pass &pass) const;

  private:
    bool load(const Dispatch &d, const ActivateOp &op);
    bool play(const Dispatch &d, const ActivateOp &op);
    bool install(const Dispatch &d);
    bool rowInRange(const Dispatch &d, int row) const;
    MxmPlane &plane;
  };

  class ResultUnit final : public Unit {
  public:
    ResultUnit(ChipContext &chip, MxmPlane &plane, int queue) : Unit(chip, queue), plane(plane) {}
    Cycle execute(const Dispatch &d) override;

  private:
    bool take(const Dispatch &d, const AccumulateOp &op, AccumulatorRow &row, int index);
    Cycle executeOne(const Dispatch &d);
    MxmPlane &plane;
  };

  /// The tile of the latest install, whether plays see it yet or not.
  Tile &newestTile() { return installing.empty() ? installed : installing.back().second; }
  /// Puts in place what plays dispatched at `now` see.
  void finishInstalls(Cycle now);
  void putInPlace(Tile &next);

  void select(const std::int8_t *in, std::uint32_t mask, Operand &out) const;
  /// Computes the sums of all passes played on the installed tile, two to one reading of its rows.
  void computeSums();
  void multiply(Pass &a, Pass *b);
  // Passes of fp16 values (MxmFp16.cpp).
  /// The other plane's half of a pass of this one, which is the lower; null after reporting that there is none.
  Pass *otherHalf(const Pass &half);
  /// Computes the sum of two halves into that of the lower one.
  void multiplyHalves(Pass &low, Pass &high);
  /// Halves in flight keep the tile that is about to be replaced.
  void keepTile();
  void addFloats(const AccumulatorRow &row, VectorValue &sum) const;
  const Tile &tileOf(const Pass &half) const { return half.tile ? *half.tile : installed; }
  Direction outbound() const { return side == isa::Side::East ? Direction::East : Direction::West; }
  Direction inbound() const { return side == isa::Side::East ? Direction::West : Direction::East; }
  /// An lw is not complete in the first cycle whose plays see the install's tile.
  bool tooEarly(Cycle install, Cycle load) const {
    return install + chip.machine.latency.MxmInstall < load + chip.machine.latency.MxmLoadWeights;
  }
  std::string installTooEarly(Cycle install, Cycle load) const;

  ChipContext &chip;
  isa::Side side;
  WeightUnit weightUnit;
  ActivationUnit activationUnit;
  ResultUnit resultUnit;

  Tile buffer, installed;
  std::deque<std::pair<Cycle, Tile>> installing; ///< tiles with the cycle from which plays see them, in its order
  bool hasTile = false;
  Cycle firstLoad = INT64_MIN; ///< dispatch of the first lw into an empty buffer
  Cycle lastLoad = INT64_MIN;  ///< dispatch of the latest lw
  Cycle lastInstall = INT64_MIN;
  Dispatch lastInstallWord;
  std::vector<ActivationRow> activationRows;
  std::vector<AccumulatorRow> accumulators;
  std::deque<Pass> passes;     ///< in order of arrival
  MxmPlane *partner = nullptr; ///< null: no other plane to pair with
  bool isUpper = false;        ///< of the pair; its halves end in the partner's accumulators
  Operand operands[2];
};

} // namespace lpu::sim
