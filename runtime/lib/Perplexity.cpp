// What llama-perplexity counts was read off llama.cpp's tools/perplexity/perplexity.cpp: whole windows of n_ctx tokens,
// the first token of each replaced by BOS where the vocabulary adds one, and of the predictions those of positions
// n_ctx / 2 to n_ctx − 2. Early positions have little to go by and would raise the figure with every window.
#include "lpu/rt/Perplexity.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

namespace lpu::rt {
namespace {

class Cutter {
public:
  Cutter(const isa::Program &program, std::vector<TokenId> text, std::optional<TokenId> bos)
      : text(std::move(text)), context(contextLimit(program)), vocabulary(program.model.vocabulary), bos(bos) {
    out.beginsWithBos = bos.has_value();
    out.length = context;
  }

  Result<TextWindows> cut(std::optional<Counting> asked) {
    if (context == 0)
      return Error{"", "the program predicts no tokens, so a text has no perplexity; take a model that generates"};
    const std::size_t whole = (text.size() + out.beginsWithBos) / context;
    if (text.empty())
      return Error{"", "the text has no tokens; give at least one word"};
    for (TokenId id : text)
      if (static_cast<std::size_t>(id) >= vocabulary)
        return Error{"", fmt::format("the text spells token {}, which has no row in the model's embedding of {}; leave "
                                     "it out",
                                     id, vocabulary)};
    if (bos && context < 2)
      return Error{"", "a context of one position leaves no room after the BOS; recompile with a larger --max-context"};
    out.counting = asked.value_or(!bos && whole >= 2 && context > 2 ? Counting::SecondHalf : Counting::All);
    if (out.counting == Counting::SecondHalf)
      return cutHalves(whole);
    if (bos)
      cutAfterBos();
    else
      cutOverlapping();
    if (out.counted == 0)
      return Error{"", "the text has one token, and nothing before it predicts it; give a longer text"};
    return std::move(out);
  }

private:
  Result<TextWindows> cutHalves(std::size_t whole) {
    if (whole < 2 || context < 3)
      return Error{"", fmt::format("--counting=second-half needs two windows of {} tokens, and the text has {}; take "
                                   "--counting=all, or recompile with a smaller --max-context",
                                   std::max<std::size_t>(context, 3), text.size() + out.beginsWithBos)};
    if (bos)
      text.insert(text.begin(), *bos);
    for (std::size_t at = 0; at < whole * context; at += context) {
      add(at, context, context / 2 + 1);
      if (bos)
        out.windows.back().tokens.front() = *bos;
    }
    out.leftOut = text.size() - whole * context;
    return std::move(out);
  }

  void cutAfterBos() {
    for (std::size_t at = 0; at < text.size(); at += context - 1) {
      add(at, context - 1, 0);
      TextWindow &window = out.windows.back();
      window.tokens.insert(window.tokens.begin(), *bos);
      window.firstCounted = 1;
    }
  }

  void cutOverlapping() {
    for (std::size_t at = 0; at + 1 < text.size(); at += context)
      add(at, context + 1, 1);
  }

  void add(std::size_t at, std::size_t length, std::size_t firstCounted) {
    const std::size_t end = std::min(at + length, text.size());
    out.windows.push_back(
        {{text.begin() + static_cast<std::ptrdiff_t>(at), text.begin() + static_cast<std::ptrdiff_t>(end)},
         firstCounted});
    out.counted += end - at - firstCounted;
  }

  std::vector<TokenId> text;
  std::size_t context, vocabulary;
  std::optional<TokenId> bos;
  TextWindows out;
};

/// Calls `feed` with every window and the steps it takes.
template <typename Fn> Status forEachWindow(const isa::Program &program, const TextWindows &text, Fn feed) {
  for (const TextWindow &window : text.windows) {
    auto plan = planSteps(program, window.tokens.size() - 1, 0);
    if (!plan)
      return plan.error();
    if (Status status = feed(window, plan->steps); !status)
      return status;
  }
  return Ok{};
}

} // namespace

const char *countingName(Counting counting) { return counting == Counting::All ? "all" : "second-half"; }

std::string TextWindows::str() const {
  std::string out =
      fmt::format("{} window{} of up to {} positions, {} BOS", windows.size(), windows.size() == 1 ? "" : "s", length,
                  beginsWithBos ? "each beginning with" : "without");
  if (counting == Counting::All)
    return out + fmt::format("; all {} tokens{} count", counted, beginsWithBos ? "" : " behind the first");
  return out + fmt::format("; {} tokens in their second halves count, as for llama-perplexity; {} at the end are left "
                           "out",
                           counted, leftOut);
}

Result<TextWindows> cutText(const isa::Program &program, std::vector<TokenId> text, std::optional<TokenId> bos,
                            std::optional<Counting> counting) {
  return Cutter(program, std::move(text), bos).cut(counting);
}

std::optional<TokenId> bosOfWindows(const text::Tokenizer &tokenizer) {
  return tokenizer.addsBos() ? std::optional(tokenizer.bos()) : std::nullopt;
}

void Likelihood::add(std::span<const float> logits, TokenId actual) {
  double largest = *std::max_element(logits.begin(), logits.end()), sum = 0;
  for (float z : logits)
    sum += std::exp(z - largest);
  nll -= logits[actual] - largest - std::log(sum);
  ++count;
}

double Likelihood::perplexity() const {
  return count ? std::exp(nll / static_cast<double>(count)) : std::numeric_limits<double>::quiet_NaN();
}

Result<double> measurePerplexity(Session &session, const TextWindows &text, const RowSink &rows) {
  const std::size_t vocabulary = session.compiled().model.vocabulary;
  Likelihood likelihood;
  auto feed = [&](const TextWindow &window, const std::vector<PlannedStep> &steps) -> Status {
    session.reset();
    for (const PlannedStep &step : steps) {
      auto logits = session.run(step, std::span(window.tokens).subspan(step.position, step.tokens));
      if (!logits)
        return logits.error();
      if (rows)
        rows(*logits);
      for (std::uint32_t i = 0; i < step.tokens; ++i)
        if (const std::size_t predicted = step.position + i + 1; predicted >= window.firstCounted)
          likelihood.add(std::span(*logits).subspan(i * vocabulary, vocabulary), window.tokens[predicted]);
    }
    return Ok{};
  };
  if (Status status = forEachWindow(session.compiled(), text, feed); !status)
    return status.error();
  return likelihood.perplexity();
}

Result<std::size_t> countPerplexitySteps(const isa::Program &program, const TextWindows &text) {
  std::size_t steps = 0;
  Status status =
      forEachWindow(program, text, [&](const TextWindow &, const std::vector<PlannedStep> &taken) -> Status {
        steps += taken.size();
        return Ok{};
      });
  if (!status)
    return status.error();
  return steps;
}

} // namespace lpu::rt
