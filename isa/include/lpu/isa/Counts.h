// What a step does, in numbers that energy follows from (docs/spec/counts.md).
// Three pieces of code count the same step without sharing code: the compiler from
// its schedule, the simulator from what it executes, and countProgram from the
// words of a container. This is the vocabulary they have in common.
#pragma once

#include "lpu/isa/Instruction.h"
#include "lpu/isa/Machine.h"

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace lpu::isa {

struct Program;
struct StepProgram;

enum class Count : std::uint8_t {
#define COUNT(ENUM, KEY, UNIT, DOC) ENUM,
#include "lpu/isa/Counts.def"
};
inline constexpr int kCountKinds = static_cast<int>(Count::SuperlaneCycles) + 1;

struct CountInfo {
  Count count;
  std::string_view key, unit, doc;
};
/// In order of the enumeration.
std::span<const CountInfo> countKinds();

struct Counts {
  /// Words by opcode that dispatch after the release, reissues included; nop, sync, notify and repeat stay 0.
  std::array<std::uint64_t, 64> words{};
  std::array<std::uint64_t, kCountKinds> values{};
  std::vector<std::uint64_t> sent, received; ///< vectors by link; links beyond the end: none

  std::uint64_t &operator[](Count c) { return values[static_cast<std::size_t>(c)]; }
  std::uint64_t operator[](Count c) const { return values[static_cast<std::size_t>(c)]; }
  std::uint64_t &operator[](Opcode o) { return words[static_cast<std::size_t>(o)]; }
  std::uint64_t operator[](Opcode o) const { return words[static_cast<std::size_t>(o)]; }
  void countSent(int link, std::uint64_t vectors) { at(sent, link) += vectors; }
  void countReceived(int link, std::uint64_t vectors) { at(received, link) += vectors; }
  std::uint64_t allWords() const;
  std::uint64_t allSent() const;
  /// Adds what `chips` chips do that each do `other`.
  Counts &add(const Counts &other, std::uint64_t chips = 1);
  bool operator==(const Counts &other) const;

private:
  static std::uint64_t &at(std::vector<std::uint64_t> &list, int link) {
    if (list.size() <= static_cast<std::size_t>(link))
      list.resize(static_cast<std::size_t>(link) + 1);
    return list[static_cast<std::size_t>(link)];
  }
};

/// The first number in which two counts differ, as "sram_read_bytes: 320 and 640"; empty: none.
std::string difference(const Counts &a, const Counts &b);

/// What a step program does, by operation and over time.
struct CountedProgram {
  Counts total;
  std::vector<Counts> byLabel; ///< as StepProgram::labels; superlane cycles are in the first
  /// By cycle of dispatch, `binCycles` each, from the program's start on; hops at their consumer's, tails at their
  /// producer's. Empty if not asked for.
  std::vector<Counts> byTime;
  Cycle binCycles = 0;
};

/// Counts a step program from its decoded words, which must be legal. `binCycles` > 0: also over time.
CountedProgram countProgram(const Machine &machine, const StepProgram &step, Cycle binCycles = 0);
/// All chips of a system in one step.
Counts countStep(const Program &program, std::size_t step);
/// Ends of wires of all chips: each powers a link.
std::uint64_t poweredLinks(const Program &program);

} // namespace lpu::isa
