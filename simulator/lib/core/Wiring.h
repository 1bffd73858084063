// Which producer feeds which sample. In a step program whose every word is known
// this does not depend on any state, so it is found once, when the program is
// laid out: every sample must have a producer upstream on its slot, and no two
// producers may meet (T2). A program in which that holds is *wired*: values go
// from unit to unit through registers, and streams are not looked at again. In
// any other program it is left to the streams to say what is wrong, and when.
#pragma once

#include "Icu.h"
#include "Memory.h"
#include "OpCounts.h"
#include "Wires.h"

#include <map>

namespace lpu::sim {

class Wiring {
public:
  /// What of a queue has no state to check and no value to make, so that nobody executes it: reads of constants.
  struct Idle {
    std::uint64_t words = 0;
    Cycle effect = INT64_MIN; ///< the latest one (T1.5), counted from the release
  };

  /// `memory`: of a chip of the class `chip`, loaded. `everyWord`: constants are read word by word all the same.
  Wiring(const isa::Machine &machine, const isa::ChipClass &chip, const Memory &memory, bool functional,
         bool everyWord);

  /// Issues of one queue, in order, with reads of constants apart from others.
  std::vector<Issue> splitReads(const std::vector<Issue> &bursts) const;
  /// `issues`: all of the program, by cycle of execution. Puts in their place what is to be executed, with sources and
  /// results. False: the program is not wired.
  bool wire(std::vector<Issue> &issues);

  std::vector<Source> sources; ///< the issues refer to it
  std::size_t rowRegisters = 0, wordRegisters = 0;
  std::vector<Idle> idle; ///< per queue
  /// What the program does, words that nobody executes included; without the superlanes' time.
  isa::Counts counts;

private:
  static constexpr std::int64_t kFreed = -2; ///< as a last use: it is over

  /// A stream that a burst drives.
  struct Producer {
    std::uint32_t issue = 0;
    std::uint8_t drive = 0; ///< number among the streams of its word
    std::int8_t plane = -1; ///< of 32-bit lanes; -1: rows
    bool constant = false;
    std::uint64_t offset = 0; ///< constant: bytes from the start of the image, and between copies
    std::int64_t stride = 0;
  };
  /// A copy of a producer on its slot.
  struct Passing {
    std::int32_t position;
    std::uint32_t producer;
    std::int32_t copy;
    std::int32_t taken = 0; ///< positions up to the last consumer so far
  };
  struct Slot {
    Cycle tau = INT64_MIN;
    std::vector<Passing> passing;
  };
  /// A part of a burst whose samples come from neighbouring copies of the same producers.
  struct Part {
    Issue issue;
    std::uint32_t origin = 0; ///< the burst
    std::int32_t first = 0;   ///< its copy
    std::size_t source = 0;   ///< index of its first source
    int sourceCount = 0;
    std::int64_t place = 0; ///< in the order of execution
  };
  /// Where a source comes from before registers are given out.
  struct Tap {
    std::uint32_t producer;
    std::int32_t copy;
  };
  /// The registers of a burst's results.
  struct Result {
    std::uint32_t firstPart = 0, partCount = 0;
    std::int64_t lastUse = -1; ///< place in the order of execution; -1: nobody samples it
    std::int64_t base = -1;    ///< register of the first copy
    bool words = false;
    int drives = 0;
  };

  bool inputsAreConstant() const;
  const ConstantRows *constantRows(int queue, const MemOp &op, std::int32_t copy) const;
  Slot &slotOf(StreamRef ref, Cycle tau);
  const Passing *find(StreamRef ref, int position, Cycle time);
  bool pass(Slot &slot, StreamRef ref, const Passing &value);
  bool driveAll(std::uint32_t number, const Issue &issue);
  void makeProducers(std::uint32_t number, const Issue &issue);
  bool sampleAll(std::uint32_t number, const Issue &issue);
  bool continues(const Part &part, std::int32_t k, int i, const Passing &from);
  void beginPart(std::uint32_t number, const Issue &issue, std::int32_t k);
  bool leaveOut(const Issue &issue);
  bool sweep(const std::vector<Issue> &issues);
  bool noteUses();
  bool noteUse(const Part &user, const Tap &tap);
  void giveRegisters(Part &part);
  std::uint32_t takeBlock(const Result &result);
  void freeAfter(std::int64_t place, Result &result);
  std::uint32_t sizeOf(const Result &result) const;

  const isa::Machine &machine;
  const isa::ChipClass &chip;
  const Memory &memory;
  const bool functional, everyWord;
  StreamWay way;
  std::size_t ring;
  std::vector<Slot> slots; ///< a ring per stream
  std::vector<Producer> producers;
  std::vector<Part> parts;
  std::vector<Tap> taps;                                                   ///< beside `sources`
  std::vector<Result> results;                                             ///< per issue
  std::map<std::uint32_t, std::vector<std::uint32_t>> freeRows, freeWords; ///< by size of the block
};

} // namespace lpu::sim
