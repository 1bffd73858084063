// Which step program runs when. A pure function of the programs and of counts,
// never of values, so functional and timing runs take the same steps.
#pragma once

#include "lpu/isa/Program.h"
#include "lpu/isa/Result.h"

#include <cstdint>
#include <span>
#include <vector>

namespace lpu::rt {

struct PlannedStep {
  std::size_t program = 0;    ///< index into Program::steps
  std::uint32_t position = 0; ///< of the first token fed
  std::uint32_t tokens = 0;   ///< valid ones of each user; the program's further rows are padding
  std::uint32_t users = 1;    ///< fed in this step; the program's others are idle
  bool operator==(const PlannedStep &) const = default;
};

struct StepPlan {
  std::vector<PlannedStep> steps;
  std::size_t promptSteps = 0; ///< the first so many feed the prompt; the last of these yields the first new token
};

/// Positions a sequence may have: the largest context of a decode program, or the
/// model's maxContext where that is smaller (buckets may be rounded up).
std::uint32_t contextLimit(const isa::Program &program);
/// The end of an error about too short a context: how to compile a longer one.
std::string longerContext(std::uint64_t positions);

/// Users whose tokens a decode step takes together; more than one where the program was compiled for a batch.
std::uint32_t usersOf(const isa::Program &program);

/// Steps that feed `prompt` tokens and then, to generate `generated` tokens, each
/// of them but the last. Contract for every step: position + program.tokens <=
/// program.context. Every step takes the smallest context that fits. The prompt
/// goes through the mix of prefill chunks and decode steps with the fewest
/// predicted cycles in total (on a tie, large chunks first); only its last chunk
/// may be padded, and a single remaining token is a decode step. Generated tokens
/// are decode steps.
/// Errors: prompt of 0, no decode program, more positions than the context limit.
Result<StepPlan> planSteps(const isa::Program &program, std::uint64_t prompt, std::uint64_t generated);

} // namespace lpu::rt
