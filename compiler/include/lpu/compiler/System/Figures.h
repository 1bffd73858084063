// What a compiled program says about the system it makes: memory, latency, throughput, use of units. Read from the
// program alone, so a report holds for the file that is run.
#pragma once

#include "lpu/isa/Program.h"

#include <cstdint>
#include <map>
#include <string>

namespace lpu::compiler {

/// Bytes of one chip, or summed over chips.
struct MemoryUse {
  std::int64_t weights = 0, kv = 0, activations = 0, code = 0, capacity = 0;
  std::int64_t used() const { return weights + kv + activations + code; }
  void add(const MemoryUse &other, std::int64_t chips);
};
MemoryUse memoryOf(const isa::Machine &machine, const isa::ChipClass &chip);

/// The rate of a pipeline that is always full: one decode step after the other on the busiest chip. Nothing runs that
/// way; it is what more users could reach at most, with what they would need.
struct PipelineBound {
  double tokensPerSecond = 0;
  std::int64_t users = 0;          ///< at once, so that the busiest chip never waits
  std::int64_t kvBytesPerChip = 0; ///< of their caches, on the chip that has the most
  bool fits = false;               ///< beside everything else, on every chip
};

/// Chip time unless said otherwise, hand-over between chips included: a step is over when its last effect is.
struct SystemFigures {
  isa::Cycle tokenLatencyCycles = 0; ///< the decode step with the largest context
  isa::Cycle initiationIntervalCycles =
      0; ///< of that step: how long its busiest chip is busy, then the next token may follow
  double tokensPerSecondPerUser = 0;
  std::uint32_t users = 0;              ///< whose caches are laid out; a step makes a token for each
  double throughputTokensPerSecond = 0; ///< of these users, one step after the other
  PipelineBound pipeline;
  std::uint32_t promptTokens = 0;
  isa::Cycle promptCycles = 0; ///< the mix of prefill and decode steps with the fewest cycles
  std::int64_t promptSteps = 0;
  double ttftUs = 0, ttftWithHostUs = 0;
  double prefillTokensPerSecond = 0, prefillTokensPerSecondWithHost = 0; ///< of that prompt
  double tokensPerSecondWithHost = 0;                                    ///< for one user
};
/// `promptTokens` is cut to the largest context. All zero for a program without decode steps.
SystemFigures figuresOf(const isa::Program &program, std::uint32_t promptTokens);

/// The stages' lower bounds for a step one after the other: every phase a token passes, with the larger of its bounds.
isa::Cycle lowerBoundOf(const isa::Program &program, std::size_t step);

/// Uses per cycle of a step; for queues and links at most 1. What is never used is left out.
struct StepUse {
  std::map<std::string, double> queues;  ///< dispatches, by queue name
  std::map<std::string, double> streams; ///< values put on a stream, "e0" to "w31"; several may share its positions
  std::map<std::string, double> links;   ///< time in which a link carries what is sent on it: "c2c.0"
  double allLinks = 0;                   ///< mean over the machine's links
};
StepUse useOf(const isa::Machine &machine, const isa::StepProgram &step);

} // namespace lpu::compiler
