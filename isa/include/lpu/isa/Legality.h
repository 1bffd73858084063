// Static re-check of decoded step programs against docs/spec/timing.md: each chip
// class by itself, then the links between chips. Shares
// no code with the compiler's verifier or with the simulator, so that a mistake
// of theirs cannot hide here. Values are never looked at: hazards that depend on
// data (map words of gather and scatter, accumulator overflow) are not found.
#pragma once

#include "lpu/isa/Program.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace lpu::isa {

struct Finding {
  std::string category; ///< as in T9, or "claimed-cycles"
  Cycle cycle = 0;      ///< of the program's own time; with a chip, counted from the release
  QueueId queue;
  std::string instruction;             ///< disassembled, reissue applied
  std::string detail;                  ///< the arithmetic
  std::optional<std::uint32_t> chip{}; ///< set by the checks of a whole system
  /// "stream-collision at cycle 118, vxm.3: addf …: …" on one line; with a chip "…, chip 2, vxm.3: …".
  std::string str() const;
};

struct LegalityOptions {
  std::size_t maxFindings = 100;       ///< the check stops there
  std::size_t maxDispatches = 1 << 25; ///< more than that in one step: overrun
  bool checkClaim = true;              ///< compare with StepProgram::predictedCycles
};

/// One dispatch of a step, as T1 says. Repeats are expanded; nop, sync, notify
/// and repeat themselves do not appear, nor does anything before the release.
struct Dispatch {
  Cycle cycle;
  std::uint32_t queue;   ///< index into StepProgram::queues
  std::uint32_t word;    ///< index into its words
  std::uint32_t reissue; ///< 0, or the copy's number
};

/// A vector that a program sends or receives.
struct LinkUse {
  Dispatch dispatch;
  std::uint8_t link;
  bool send; ///< false: receives
};

struct LegalityReport {
  std::vector<Finding> findings; ///< by cycle; empty: legal
  Cycle length = 0;              ///< of the step, recomputed by T1.5
  std::uint64_t dispatches = 0;  ///< words dispatched after the release, reissues included
  std::vector<LinkUse> links;    ///< in order of cycle
};

/// The program of chip class `chipClass` for step `step`, in its own time.
LegalityReport checkLegality(const Program &program, std::size_t chipClass, std::size_t step,
                             const LegalityOptions &options = {});

/// Links of all chips in a step (T7): who sends what when it can be received.
/// `classes`: what checkLegality reported of each chip class. Findings by cycle,
/// chip and queue; a vector that nobody receives stands after all others.
std::vector<Finding> checkLinks(const Program &program, std::size_t step, std::span<const LegalityReport> classes,
                                const LegalityOptions &options = {});

/// A step of the whole system.
struct SystemLegality {
  std::vector<LegalityReport> classes; ///< as Program::classes
  std::vector<Finding> findings;       ///< of links, and the step's claim of cycles
  Cycle length = 0;                    ///< the largest start + length of the chips that take part
  bool legal() const;
};
SystemLegality checkSystem(const Program &program, std::size_t step, const LegalityOptions &options = {});

/// A step's decoded words and its dispatches in order of cycle, then queue.
struct Expansion {
  std::vector<Instruction> table;               ///< distinct instructions
  std::vector<std::vector<std::uint32_t>> code; ///< per queue and word: index into table
  std::vector<std::vector<Cycle>> due;          ///< per queue and word: cycle it must be present
  std::vector<Dispatch> dispatches;
  std::vector<Finding> findings; ///< what stood in the way
  const Instruction &instruction(const Dispatch &d) const { return table[code[d.queue][d.word]]; }
};
Expansion expand(const Machine &machine, const StepProgram &step, const LegalityOptions &options = {});

/// The instruction of copy `reissue`: step fields applied that many times (T1.3e).
Instruction reissued(const Instruction &instruction, std::uint32_t reissue, const Machine &machine);

/// Cycles from dispatch to the slowest effect (T1.5); -1 when it has none.
Cycle effectLatency(const Machine &machine, const Instruction &instruction);

} // namespace lpu::isa
