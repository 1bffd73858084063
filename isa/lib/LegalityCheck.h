// Inside of the legality checker: one dispatch with its surroundings, and the
// state of each part of the chip that a hazard depends on. Dispatches are fed
// in order of cycle; every latency is at least 1, so whatever is visible at a
// cycle was dispatched before it.
#pragma once

#include "lpu/isa/Legality.h"

#include <deque>
#include <map>
#include <optional>

namespace lpu::isa::legality {

struct Site {
  Cycle t = 0;
  QueueId queue;
  int position = 0;
  const Instruction *instruction = nullptr;
  std::uint32_t reissue = 0;

  std::int64_t get(Field f) const { return instruction->get(f); }
  /// A row field after the reissues so far.
  std::int64_t row(Field f, Field step) const { return get(f) + std::int64_t{reissue} * get(step); }
};

class Findings {
public:
  Findings(const Machine &m, const LegalityOptions &o, std::vector<Finding> &l) : machine(m), options(o), list(l) {}
  void add(const char *category, const Site &site, std::string detail);
  bool full() const { return list.size() >= options.maxFindings; }

private:
  const Machine &machine;
  const LegalityOptions &options;
  std::vector<Finding> &list;
};

/// Stream slots (T2). A slot is remembered for as long as a consumer can meet it.
class Streams {
public:
  Streams(const Machine &machine, Findings &findings);
  /// `count` streams from `stream` on carry a value from (position of site, t).
  void drive(const Site &site, Direction dir, std::int64_t stream, int count, Cycle t);
  void sample(const Site &site, Direction dir, std::int64_t stream, int count);

private:
  Findings &findings;
  int reach;               ///< outermost position
  std::size_t ring, words; ///< slots kept per stream; 64-bit words of a set of positions
  std::vector<Cycle> tags; ///< τ of each kept slot
  std::vector<std::uint64_t> producers;

  std::size_t slot(Direction dir, std::int64_t stream, Cycle tau) const;
  bool aligned(const Site &site, std::int64_t stream, int count);
  bool hasUpstream(std::size_t slot, Direction dir, int position) const;
  std::string emptyDetail(Direction dir, std::int64_t stream, int position, Cycle t) const;
};

/// Memory rows (T3).
class Memory {
public:
  Memory(const Machine &machine, const ChipClass &chip, const StepProgram &step, Findings &findings);
  void read(const Site &site, int bank, std::int64_t row);
  void write(const Site &site, int bank, std::int64_t row);
  /// From here on any row of the bank may have been written.
  void scatter(const Site &site, int bank);

private:
  enum Flags : std::uint8_t { Written = 1, Constant = 2, Code = 4 };
  const Machine &machine;
  Findings &findings;
  std::vector<std::uint8_t> flags;
  std::vector<Cycle> lastWrite;
  std::vector<bool> scattered; ///< per bank of the chip

  std::size_t bankIndex(Side side, int slice, int bank) const;
  std::optional<std::size_t> find(const Site &site, int bank, std::int64_t row);
  void mark(Side side, int slice, int bank, int row0, int rows, std::uint8_t flag);
};

/// ALU results and accumulators (T4).
class Alus {
public:
  Alus(const Machine &machine, Streams &streams, Findings &findings);
  void dispatch(const Site &site);

private:
  const Machine &machine;
  Streams &streams;
  Findings &findings;
  std::size_t ring;
  struct Result {
    Cycle cycle = -1;
    int count = 0; ///< operations of different latency can end together
  };
  std::vector<Result> visible; ///< per ALU and cycle modulo ring: results visible then
  std::vector<Cycle> accSince; ///< per ALU: first cycle its accumulator may be read

  Result &result(std::int64_t alu, Cycle cycle);
  void operand(const Site &site, Field kind, Field index, Field dir, Field width);
};

/// One MXM plane (T5).
class Plane {
public:
  Plane(const Machine &machine, Streams &streams, Findings &findings);
  void loadWeights(const Site &site);
  void activate(const Site &site);
  void accumulate(const Site &site);
  /// The two planes of a pair sum fp16 values together; the upper one holds the high bytes.
  static void pair(Plane &lower, Plane &upper) { lower.partner = &upper, upper.partner = &lower, upper.isUpper = true; }
  /// Sums still under way when the step ends are lost.
  void finish();

private:
  struct Sum {
    Cycle arrival;
    Site play;
    bool isHalf() const { return play.get(Field::Fp16) != 0; }
  };
  enum class Format : std::uint8_t { Empty, Int32, Fp32 };
  const Machine &machine;
  Streams &streams;
  Findings &findings;
  std::vector<std::optional<Cycle>> groups;       ///< when lw of the next tile was dispatched
  std::vector<std::optional<Cycle>> groupsBefore; ///< the same just before the last install
  std::optional<Site> lastInstall;
  std::optional<Cycle> firstInstalled;    ///< from then on plays find a tile
  std::vector<std::optional<Cycle>> rows; ///< activation row: first cycle it can be played
  std::vector<Format> accumulators;       ///< what they hold in this step
  std::deque<Sum> sums;
  Plane *partner = nullptr; ///< null: none on this machine
  bool isUpper = false;     ///< its halves of fp16 passes end in the partner's accumulators

  void install(const Site &site);
  void play(const Site &site);
  void lose(const Sum &sum);
  void loseBefore(Cycle t);
  void report(const char *category, const Sum &sum, const std::string &detail);
  void checkHalf(const Site &site);
  /// Takes the sum that arrives at site.t; its format, or Empty after reporting that there is none.
  Format take(const Site &site);
  bool takesPartner(const Sum &half);
};

/// The chip's ends of its C2C links (T7): spacing of sends, and what to check with
/// the chips at the other ends.
class Links {
public:
  Links(const Machine &machine, Streams &streams, Findings &findings, std::vector<LinkUse> &uses);
  void send(const Site &site, const Dispatch &dispatch);
  void receive(const Site &site, const Dispatch &dispatch);

private:
  const Machine &machine;
  Streams &streams;
  Findings &findings;
  std::vector<LinkUse> &uses;
  std::vector<std::optional<Cycle>> lastSends; ///< per link
};

} // namespace lpu::isa::legality
