// The two things lpu-run does with a session: generate, and measure perplexity.
#pragma once

#include "lpu/rt/Sampler.h"
#include "lpu/rt/Session.h"

#include <functional>

namespace lpu::rt {

/// Gets the valid logits rows of every step, in the order of their positions.
using RowSink = std::function<void(std::span<const float>)>;
/// Gets every generated token as it comes.
using TokenSink = std::function<void(TokenId)>;

struct GenerateRequest {
  std::vector<TokenId> prompt;
  std::uint64_t count = 0;
  SamplerOptions sampling;
  TokenId stop = -1; ///< generation ends with this token; -1: never (--ignore-eos)
};

struct Generation {
  std::vector<TokenId> tokens;    ///< generated; empty in timing mode
  std::size_t firstTokenStep = 0; ///< index of the step that yields the first generated token
  std::size_t steps = 0;          ///< until the user had ended
  bool reachesToken = false;      ///< count > 0
};

/// In timing mode samples nothing, ignores `stop` and feeds token 0 for the
/// generated ones, over the same steps.
Result<Generation> generate(Session &session, const GenerateRequest &request, const RowSink &rows,
                            const TokenSink &token);

/// Gets a row of logits, or a token, of one of several users.
using UserRowSink = std::function<void(std::size_t user, std::span<const float> row)>;
using UserTokenSink = std::function<void(std::size_t user, TokenId)>;

/// Several users, one of the program's each, in step with each other: step i feeds token i of everyone's sequence,
/// which is the prompt and then what was generated. Who has ended is idle, and the run is over when all have. So
/// everyone gets the tokens of a run of their own. Index of a generation's firstTokenStep: as for one user. Error
/// besides those of generate: more requests than users.
Result<std::vector<Generation>> generateTogether(Session &session, std::span<const GenerateRequest> requests,
                                                 const UserRowSink &row, const UserTokenSink &token);

/// The steps that takes, should nobody stop early.
Result<std::vector<PlannedStep>> planTogether(const isa::Program &program, std::span<const GenerateRequest> requests);

/// Mean negative log-likelihood over tokens, in double.
class Likelihood {
public:
  void add(std::span<const float> logits, TokenId actual);
  double perplexity() const; ///< exp(mean); NaN before the first token
  std::uint64_t tokens() const { return count; }

private:
  double nll = 0;
  std::uint64_t count = 0;
};

/// `text` (without BOS) in windows of contextLimit − 1 tokens, each fed after a
/// BOS with an empty cache; its last token is predicted but not fed.
Result<double> measurePerplexity(Session &session, TokenId bos, const std::vector<TokenId> &text, const RowSink &rows);

/// Steps measurePerplexity will take.
Result<std::size_t> countPerplexitySteps(const isa::Program &program, std::size_t textTokens);

} // namespace lpu::rt
