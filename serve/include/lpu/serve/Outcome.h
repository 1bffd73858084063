// What happens to a request, in words that every dialect can be written from.
#pragma once

#include "lpu/serve/Request.h"
#include "lpu/serve/Timing.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace lpu::serve {

enum class FinishReason { Stop, Length };

struct TokenProbability {
  TokenId id = 0;
  std::string bytes;
  double logprob = 0; ///< natural logarithm, of the model's own distribution (temperature 1, all tokens)
};

struct TokenLogprob {
  TokenProbability chosen;
  std::vector<TokenProbability> top; ///< as many as were asked for, best first
};

/// What one token adds to a choice. Text comes in whole characters, and not before it is certain to be part of the
/// answer: it may be empty, or belong to several tokens.
struct Piece {
  unsigned choice = 0;
  std::string text;
  std::optional<TokenLogprob> logprob;
  std::size_t textOffset = 0; ///< in bytes, of the token's text in the choice's
  std::int64_t atNs = 0;      ///< virtual, when the token was there
  std::string stop;           ///< the stop text that the token completed; empty: none
};

/// One choice, when it has ended.
struct Choice {
  std::string text;
  FinishReason reason = FinishReason::Stop;
  std::string stop; ///< the stop text that ended it; empty: none did
  std::vector<TokenLogprob> logprobs;
  std::vector<std::size_t> textOffsets;
};

/// Of a whole request; times are virtual.
struct Usage {
  std::uint64_t promptTokens = 0, completionTokens = 0;
  std::int64_t queueNs = 0, promptNs = 0; ///< of the first choice
  std::int64_t completionNs = 0;          ///< from its first token to the end of the last choice
  Cycle arrivalCycle = 0, startCycle = 0, firstTokenCycle = 0, endCycle = 0; ///< the same: the end is of all choices
  Cycle predictedCycles = 0, simulatedCycles = 0;                            ///< of the chips, all steps of all choices
  std::vector<std::pair<std::string, std::uint64_t>> steps;                  ///< how often each step program ran
  std::uint64_t seed = 0;
};

/// What is known before a request runs: a promise. Nanoseconds are virtual, from the arrival, rounded up. With several
/// sequences, start and first token are those of the first one, the last token is that of all.
struct Promise {
  std::int64_t queueNs = 0;    ///< until it starts, at the latest
  std::int64_t ttftNs = 0;     ///< until its first token is there, at the latest
  std::int64_t tokenNs = 0;    ///< a later token, at the largest context it can reach
  std::int64_t totalNsMax = 0; ///< until its last token, should it generate as many as it may
  Cycle cyclesMax = 0;         ///< the same in cycles, from its start
  bool exact = true;           ///< it starts then, whatever others do
};

} // namespace lpu::serve
