// One request's tokens as they come: what is fed next, how the next token is picked, which text can be shown, and when
// it ends. lpu-run and the service drive their steps through it, so a request gets the same tokens, text and digest
// from both, alone or beside others.
#pragma once

#include "lpu/rt/RequestDigest.h"
#include "lpu/rt/Sampler.h"
#include "lpu/rt/Session.h"
#include "lpu/rt/StopMatcher.h"
#include "lpu/text/Utf8.h"

#include <optional>
#include <span>
#include <string>
#include <vector>

namespace lpu::rt {

struct GenerateRequest {
  std::vector<TokenId> prompt; ///< one token at least
  std::uint64_t count = 0;     ///< tokens to generate at most; 0: only feeds the prompt
  SamplerOptions sampling;
  std::vector<TokenId> endTokens; ///< each of them ends generation; none: the count alone does (--ignore-eos)
  std::vector<std::string> stops; ///< texts that end generation, valid UTF-8
};

enum class FinishReason { Length, EndToken, StopText, Cancelled };
/// "length", "end_token", "stop_text", "cancelled": as reports spell it.
const char *finishReasonName(FinishReason reason);

/// What a step brought one sequence.
struct SequenceOutput {
  std::span<const float> rows;  ///< logits of the tokens fed, a row each; empty in timing mode and for idle users
  std::optional<TokenId> token; ///< the one that was picked; none while the prompt is fed, and in timing mode
  std::string text;             ///< what can be shown now: whole characters, nothing of a stop text or an end token
};

class Sequence {
public:
  /// `tokenizer` must outlive the sequence; null: tokens have no text, and no stop text is ever met.
  Sequence(GenerateRequest request, const text::Tokenizer *tokenizer);

  const GenerateRequest &request() const { return asked; }
  /// Picked so far, the one that ended it included; none in timing mode.
  std::span<const TokenId> tokens() const {
    return hasValues ? std::span(known).subspan(asked.prompt.size()) : std::span<const TokenId>();
  }
  /// All that could be shown so far.
  const std::string &text() const { return shown; }
  /// The stop text that ended it; empty: none did.
  const std::string &stopText() const { return stops.which(); }
  /// Tokens fed so far, which is where the next one goes.
  std::uint32_t position() const { return fed; }
  /// Steps it took part in, and the first so many of them that fed the prompt.
  std::size_t steps() const { return stepCount; }
  std::size_t promptSteps() const { return promptStepCount; }
  /// None: it goes on.
  std::optional<FinishReason> finished() const { return reason; }

  /// What a step that takes `count` tokens of a user feeds: the tokens from position() on, of which there may be fewer.
  Feed next(std::uint32_t count) const;
  /// The step that fed `count` tokens yielded `rows`, or was run without values (empty): token 0 then stands for what
  /// would have been generated.
  SequenceOutput take(std::uint32_t count, std::span<const float> rows);
  /// Ends it where it is.
  void cancel();

  /// 64 hex digits, over what was fed and picked so far; none in timing mode.
  std::optional<std::string> digest() const;

private:
  void pick(std::span<const float> row, SequenceOutput &out);
  std::string textOf(TokenId token);

  GenerateRequest asked;
  const text::Tokenizer *tokenizer;
  Sampler sampler;
  StopMatcher stops;
  text::Utf8Stream utf8;
  RequestDigest rowsDigest;
  std::vector<TokenId> known; ///< the prompt and what was generated
  std::string shown;
  std::uint32_t fed = 0;
  std::uint64_t made = 0; ///< tokens generated, also in timing mode
  std::size_t stepCount = 0, promptStepCount = 0;
  bool hasValues = true;
  std::optional<FinishReason> reason;
};

struct StepOutput {
  std::vector<float> logits;         ///< all users' rows, which `rows` of the entries below are parts of
  std::vector<SequenceOutput> users; ///< one for each of the users given
};

/// Runs step `program` of the session for the sequences of its users, in order. Null or finished: idle. They need not
/// be at the same position, but each must fit the step's context. Error: a violation, see Session::violation().
Result<StepOutput> runStep(Session &session, std::size_t program, std::span<Sequence *const> users);

} // namespace lpu::rt
