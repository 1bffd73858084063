// From cycles to the figures people compare: time to first token, time per
// output token, tokens per second.
#pragma once

#include "lpu/rt/Session.h"

#include <optional>
#include <span>
#include <vector>

namespace lpu::rt {

struct Latency {
  std::optional<double> ttftUs;          ///< steps up to and including the one that yields the first generated token
  std::optional<double> tpotUs;          ///< mean over the later token steps; none with fewer than two tokens
  std::optional<double> tokensPerSecond; ///< 1e6 / tpotUs
};

/// Chip time of a step in µs: simulated cycles at the machine's clock.
double chipUs(const StepRecord &record, const isa::Machine &machine);
/// Host link time around a step in µs: the link's latency once per direction, plus
/// the bytes of token ids and positions (in) and of the logits (out) at its rate. Each
/// chip has a link of its own; the one with the most bytes counts.
double hostUs(const isa::Program &program, std::size_t step);

/// `firstTokenStep`: index into `records`; none if nothing was generated.
Latency summarize(std::span<const StepRecord> records, std::optional<std::size_t> firstTokenStep,
                  const isa::Program &program, bool withHost);

} // namespace lpu::rt
