// What a request costs on one system once it has started, in cycles: known from
// the compiled program alone, before anything runs. The host link is included:
// every step's transfers are rounded up to whole cycles of the machine.
#pragma once

#include "lpu/isa/Program.h"
#include "lpu/isa/Result.h"

#include <cstdint>
#include <map>
#include <vector>

namespace lpu::serve {

using isa::Cycle;

/// Cycles and nanoseconds of a machine's clock, in whole numbers. Both ways round up.
class VirtualClock {
public:
  explicit VirtualClock(double clockGHz);
  std::int64_t nanoseconds(Cycle cycles) const;
  Cycle cycles(std::int64_t nanoseconds) const;

private:
  std::int64_t kHz;
};

/// Which systems a sequence may have.
enum class Tier {
  Shared,   ///< those that nobody reserved, first come, first served
  Reserved, ///< those that are kept for this tier, and those that are shared if it starts earlier there
  Leftover  ///< shared ones, if one is free at once
};

/// A sequence's demand: tokens that are fed, and tokens it may generate at most. Of an encoder: 1.
struct Work {
  std::uint64_t prompt = 1, maxTokens = 1;
  Tier tier = Tier::Shared;
};

/// Steps of one sequence, counted from its own start. Step programs are chosen as lpu-run chooses them
/// (rt::planSteps). Where a program takes several users together, they move in frames: every step lasts as long as the
/// longest step program, so that no user changes the pace of another.
/// Not to be called from several threads: lengths of prompts are remembered.
class Timing {
public:
  /// One kind of decode step: positions up to `context` take `cycles`, with the host.
  struct Bucket {
    std::uint32_t context = 0;
    Cycle cycles = 0;
  };

  /// `program` must have passed rt::checkRunnable and outlive the object.
  explicit Timing(const isa::Program &program);

  const VirtualClock &clock() const { return virtualClock; }
  bool isEncoder() const { return encoder; }
  /// Positions a sequence may have; of an encoder: tokens.
  std::uint32_t context() const { return limit; }
  /// Users of one system at a time: as many as have a KV cache of their own.
  std::uint32_t users() const { return userCount; }
  /// Length of every step where users() > 1, with the host; else 0.
  Cycle frame() const { return userCount > 1 ? frameCycles : 0; }
  /// The step program that a frame runs.
  std::size_t frameProgram() const { return frameStep; }
  /// Decode steps by context, ascending.
  const std::vector<Bucket> &buckets() const { return kinds; }
  /// How long a step program occupies the system, with the host.
  Cycle stepCycles(std::size_t program) const { return withHost[program]; }

  /// Chips of one system.
  unsigned chips() const { return static_cast<unsigned>(program.chips.size()); }
  /// How long it takes to load a system's weights. Every chip has a host link, so the chip with the most constants
  /// counts.
  Cycle reloadCycles() const;

  /// Error: no prompt, or more positions than the context, in planSteps' words.
  Status check(const Work &work) const;
  /// Steps that feed the prompt; the last of them yields the first token.
  std::uint64_t promptSteps(std::uint64_t prompt) const { return planOf(prompt).ends.size(); }
  /// All steps of a sequence that generates `tokens`.
  std::uint64_t steps(std::uint64_t prompt, std::uint64_t tokens) const;
  /// From the start to the end of step number `step` (0 is the first).
  Cycle stepEnd(std::uint64_t prompt, std::uint64_t step) const;
  /// From the start until generated token number `index` is there (0 is the first).
  Cycle tokenEnd(std::uint64_t prompt, std::uint64_t index) const;
  /// Adds, for each step program, how often a sequence of these lengths runs it.
  void countPrograms(std::uint64_t prompt, std::uint64_t tokens, std::vector<std::uint64_t> &counts) const;
  /// Cycles that the chips alone take for the first `steps` steps.
  Cycle chipCycles(std::uint64_t prompt, std::uint64_t steps) const;

private:
  struct PromptPlan {
    std::vector<Cycle> ends;     ///< of each step, with the host
    std::vector<Cycle> chipEnds; ///< of each step, without
    std::vector<std::size_t> programs;
  };
  const PromptPlan &planOf(std::uint64_t prompt) const;
  PromptPlan makePlan(std::uint64_t prompt) const;
  void sumDecodeSteps();

  const isa::Program &program;
  VirtualClock virtualClock;
  bool encoder = false;
  std::uint32_t limit = 0, userCount = 1;
  Cycle frameCycles = 0;
  std::size_t frameStep = 0;
  std::vector<Cycle> withHost;
  std::vector<Bucket> kinds;
  /// Cycles of the decode steps that feed positions 0 … p − 1, one a step, with the host and without.
  std::vector<Cycle> decodeBefore, chipDecodeBefore;
  mutable std::map<std::uint64_t, PromptPlan> plans;
};

} // namespace lpu::serve
