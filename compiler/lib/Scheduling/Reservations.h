// What is taken when: issue slots of every queue, stream slots by (direction,
// stream, tau) with a bit per position, and accumulators. Grows with time.
#pragma once

#include "lpu/compiler/Scheduling/Flow.h"

#include <array>
#include <optional>

namespace lpu::compiler::sched {

class Reservations {
public:
  explicit Reservations(const isa::Machine &machine);

  /// Reserves everything `flow` uses when started at `start`, choosing streams
  /// and ALUs; nothing is reserved on failure.
  std::optional<Placement> tryPlace(const FlowShape &flow, Cycle start);

  /// Reserves what a flow uses where tryPlace put it before; of times further back than some that are reserved already.
  void enter(const FlowShape &flow, const Placement &placement);

  /// Promises that no flow with ALUs will start before `cycle`; keeps the accumulator lists short.
  void forgetAccumulatorsBefore(Cycle cycle);

private:
  struct Bits {
    std::vector<std::uint64_t> words;
    bool isFree(Cycle from, Cycle count) const;
    void assign(Cycle from, Cycle count, bool taken);
    /// Free cycles directly before `from`, at most `limit`.
    Cycle idleBefore(Cycle from, Cycle limit) const;
  };
  struct Span {
    Cycle from, to;
  };

  bool queuesFree(const FlowShape &flow, Cycle start) const;
  bool chooseAlus(const FlowShape &flow, Cycle start, Placement &placement);
  bool chooseStreams(const FlowShape &flow, Cycle start, Placement &placement);
  bool streamFree(const FlowShape &flow, int group, int first, Cycle start);
  void markStreams(const FlowShape &flow, int group, int first, Cycle start, bool taken);
  void takeQueues(const FlowShape &flow, Cycle start);
  void markAlu(const FlowShape &flow, int alu, int number, Cycle start, bool taken);
  std::vector<std::uint32_t> &slots(isa::Direction direction, int stream, int word);
  /// The positions of a segment that are bits of this word.
  std::uint32_t positions(const Segment &segment, int word) const;

  const isa::Machine &machine;
  std::vector<Bits> queues;               ///< slots of whole words, and the first halves of split ones
  std::vector<Bits> seconds;              ///< the other halves
  std::vector<bool> split;                ///< has halves: an MXM activation queue or a memory slice
  std::vector<std::array<Bits, 2>> banks; ///< per queue, of a memory slice: what halves are at
  int positionWords;                      ///< words of 32 positions, westmost first: one on a chip of tsp1's size
  std::vector<std::vector<std::uint32_t>> streams; ///< [(direction × 32 + stream) × positionWords + word][tau + offset]
  std::vector<std::vector<Span>> accumulators;     ///< per ALU
  std::vector<Bits> results; ///< per ALU: cycles in which a result becomes visible (operations differ in latency)
  Cycle tauOffset;
  int vxmQueue; ///< queue number of ALU 0
};

} // namespace lpu::compiler::sched
