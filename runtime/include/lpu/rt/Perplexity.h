// How well a model predicts a text: windows of the text, each fed to an empty cache, and the mean likelihood of the
// tokens that count. docs/howto/run-and-time.md says in words what is counted.
#pragma once

#include "lpu/rt/Session.h"

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace lpu::rt {

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

/// Which tokens of a text count.
enum class Counting {
  All,       ///< every token that has one before it in its window
  SecondHalf ///< those of the second half of each whole window, as llama-perplexity (llama.cpp) counts
};
/// "all", "second-half": as options and reports spell it.
const char *countingName(Counting counting);

/// Tokens of which all but the last are fed, from position 0 on; from number `firstCounted` (at least 1) on each is
/// compared with what the tokens before it predict.
struct TextWindow {
  std::vector<TokenId> tokens;
  std::size_t firstCounted = 1;
};

struct TextWindows {
  std::vector<TextWindow> windows;
  Counting counting = Counting::All;
  bool beginsWithBos = false;
  std::size_t length = 0;  ///< positions that a window may have
  std::size_t counted = 0; ///< tokens that count
  std::size_t leftOut = 0; ///< at the end of the text, where only whole windows count

  /// "3 windows of up to 64 positions, each beginning with BOS; all 150 tokens count"
  std::string str() const;
};

/// Cuts a text, given without BOS, into windows of the program's context.
///
/// A window begins with `bos` where there is one, which is where the vocabulary asks for it (bosOfWindows), and with a
/// token of the text otherwise.
/// Without `counting`: SecondHalf where windows do not begin with BOS and the text fills two, else All.
/// - All, with BOS: context − 1 tokens of the text follow each BOS, and all of them count.
/// - All, without: every window begins with the token that the window before ends with, so that all but the text's
///   first count.
/// - SecondHalf: windows of `context` tokens of the text, or of BOS and the text; BOS then replaces the first token of
///   each. Tokens from number context / 2 + 1 on count, and what fills no window is left out.
/// Errors: no token that counts; a token without a row in the embedding; for SecondHalf a text of less than two
/// windows; a context too short.
Result<TextWindows> cutText(const isa::Program &program, std::vector<TokenId> text, std::optional<TokenId> bos,
                            std::optional<Counting> counting = std::nullopt);

/// BOS, if prompts of this vocabulary begin with it.
std::optional<TokenId> bosOfWindows(const text::Tokenizer &tokenizer);

/// Gets the logits rows of every step, in the order of their positions.
using RowSink = std::function<void(std::span<const float>)>;

Result<double> measurePerplexity(Session &session, const TextWindows &text, const RowSink &rows);

/// Steps measurePerplexity will take.
Result<std::size_t> countPerplexitySteps(const isa::Program &program, const TextWindows &text);

} // namespace lpu::rt
