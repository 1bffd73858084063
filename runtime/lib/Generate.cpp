// Generation follows a plan made beforehand, so what a token turns out to be
// never changes which program runs next; only a stop token ends it early.
#include "lpu/rt/Generate.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace lpu::rt {
namespace {

std::span<const float> lastRow(const std::vector<float> &rows, std::size_t vocabulary) {
  return std::span<const float>(rows).last(vocabulary);
}

/// Calls `feed` per window with its tokens (BOS first; the last is only predicted).
template <typename Fn>
Status forEachWindow(const isa::Program &program, TokenId bos, const std::vector<TokenId> &text, Fn feed) {
  std::size_t step = contextLimit(program) - 1;
  if (step == 0)
    return Error{"", "a context of one position leaves no room after the BOS; recompile with a larger --max-context"};
  for (std::size_t at = 0; at < text.size(); at += step) {
    std::vector<TokenId> window{bos};
    window.insert(window.end(), text.begin() + at, text.begin() + std::min(at + step, text.size()));
    if (Status status = feed(window); !status)
      return status;
  }
  return Ok{};
}

} // namespace

Result<Generation> generate(Session &session, const GenerateRequest &request, const RowSink &rows,
                            const TokenSink &token) {
  auto plan = planSteps(session.compiled(), request.prompt.size(), request.count);
  if (!plan)
    return plan.error();
  Sampler sampler(request.sampling);
  Generation out{{}, plan->promptSteps - 1, request.count > 0};
  std::vector<TokenId> fed = request.prompt;
  for (std::size_t i = 0; i < plan->steps.size(); ++i) {
    const PlannedStep &step = plan->steps[i];
    fed.resize(std::max<std::size_t>(fed.size(), step.position + step.tokens), 0); // timing mode: no tokens to feed
    auto logits = session.run(step, std::span(fed).subspan(step.position, step.tokens));
    if (!logits)
      return logits.error();
    if (!session.functional())
      continue;
    if (rows)
      rows(*logits);
    if (i < out.firstTokenStep || request.count == 0)
      continue;
    out.tokens.push_back(sampler.sample(lastRow(*logits, session.compiled().model.vocabulary)));
    fed.push_back(out.tokens.back());
    if (token)
      token(out.tokens.back());
    if (out.tokens.back() == request.stop && request.stop >= 0)
      break;
  }
  return out;
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

Result<double> measurePerplexity(Session &session, TokenId bos, const std::vector<TokenId> &text, const RowSink &rows) {
  std::size_t vocabulary = session.compiled().model.vocabulary;
  Likelihood likelihood;
  Status status = forEachWindow(session.compiled(), bos, text, [&](const std::vector<TokenId> &window) -> Status {
    auto plan = planSteps(session.compiled(), window.size() - 1, 0);
    if (!plan)
      return plan.error();
    session.reset();
    for (const PlannedStep &step : plan->steps) {
      auto logits = session.run(step, std::span(window).subspan(step.position, step.tokens));
      if (!logits)
        return logits.error();
      if (rows)
        rows(*logits);
      for (std::uint32_t i = 0; i < step.tokens; ++i)
        likelihood.add(std::span(*logits).subspan(i * vocabulary, vocabulary), window[step.position + i + 1]);
    }
    return Ok{};
  });
  if (!status)
    return status.error();
  return likelihood.perplexity();
}

Result<std::size_t> countPerplexitySteps(const isa::Program &program, std::size_t textTokens) {
  std::size_t steps = 0;
  Status status =
      forEachWindow(program, 0, std::vector<TokenId>(textTokens), [&](const std::vector<TokenId> &window) -> Status {
        auto plan = planSteps(program, window.size() - 1, 0);
        if (!plan)
          return plan.error();
        steps += plan->steps.size();
        return Ok{};
      });
  if (!status)
    return status.error();
  return steps;
}

} // namespace lpu::rt
