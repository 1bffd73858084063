// Generation follows a plan made beforehand, so what a token turns out to be
// never changes which program runs next; only a stop token ends it early.
#include "lpu/rt/Generate.h"

#include <fmt/format.h>

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

/// Positions that are fed: all of the prompt and of what is generated but the last.
std::size_t fedPositions(const GenerateRequest &request) {
  return request.prompt.size() + (request.count ? request.count - 1 : 0);
}

} // namespace

Result<Generation> generate(Session &session, const GenerateRequest &request, const RowSink &rows,
                            const TokenSink &token) {
  auto plan = planSteps(session.compiled(), request.prompt.size(), request.count);
  if (!plan)
    return plan.error();
  Sampler sampler(request.sampling);
  Generation out{{}, plan->promptSteps - 1, 0, request.count > 0};
  std::vector<TokenId> fed = request.prompt;
  for (std::size_t i = 0; i < plan->steps.size(); ++i) {
    const PlannedStep &step = plan->steps[i];
    fed.resize(std::max<std::size_t>(fed.size(), step.position + step.tokens), 0); // timing mode: no tokens to feed
    auto logits = session.run(step, std::span(fed).subspan(step.position, step.tokens));
    if (!logits)
      return logits.error();
    out.steps = i + 1;
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

Result<std::vector<PlannedStep>> planTogether(const isa::Program &program, std::span<const GenerateRequest> requests) {
  if (requests.size() > usersOf(program))
    return Error{"",
                 fmt::format("{} prompts for a program that takes {} at a time; give fewer, or compile the model with "
                             "lpucc --batch={}",
                             requests.size(), usersOf(program), requests.size())};
  std::vector<PlannedStep> longest;
  for (const GenerateRequest &request : requests) {
    auto plan = planSteps(program, request.prompt.size(), request.count);
    if (!plan)
      return plan.error();
    if (plan->steps.size() > longest.size())
      longest = std::move(plan->steps);
  }
  for (PlannedStep &step : longest)
    step.users = static_cast<std::uint32_t>(std::ranges::count_if(
        requests, [&](const GenerateRequest &request) { return step.position < fedPositions(request); }));
  return longest;
}

Result<std::vector<Generation>> generateTogether(Session &session, std::span<const GenerateRequest> requests,
                                                 const UserRowSink &row, const UserTokenSink &token) {
  auto plan = planTogether(session.compiled(), requests);
  if (!plan)
    return plan.error();
  const std::size_t vocabulary = session.compiled().model.vocabulary;
  std::vector<Generation> out;
  std::vector<Sampler> samplers;
  std::vector<std::vector<TokenId>> fed;
  std::vector<bool> ended(requests.size(), false);
  for (const GenerateRequest &request : requests) {
    out.push_back({{}, request.prompt.size() - 1, 0, request.count > 0});
    samplers.emplace_back(request.sampling);
    fed.push_back(request.prompt);
    fed.back().resize(std::max(request.prompt.size(), session.functional() ? 0 : fedPositions(request)), 0);
  }
  for (PlannedStep step : *plan) {
    std::vector<Feed> feeds(requests.size());
    std::vector<std::size_t> active;
    for (std::size_t user = 0; user < requests.size(); ++user)
      if (!ended[user] && step.position < fedPositions(requests[user])) {
        feeds[user] = {step.position, std::span(fed[user]).subspan(step.position, 1)};
        active.push_back(user);
      }
    if (active.empty())
      break;
    step.users = static_cast<std::uint32_t>(active.size());
    auto logits = session.run(step, feeds);
    if (!logits)
      return logits.error();
    for (std::size_t i = 0; i < active.size(); ++i) {
      const std::size_t user = active[i];
      out[user].steps = step.position + 1;
      if (!session.functional())
        continue;
      const std::span<const float> own = std::span<const float>(*logits).subspan(i * vocabulary, vocabulary);
      if (row)
        row(user, own);
      if (step.position < out[user].firstTokenStep || requests[user].count == 0)
        continue;
      const TokenId next = samplers[user].sample(own);
      out[user].tokens.push_back(next);
      fed[user].push_back(next);
      if (token)
        token(user, next);
      ended[user] = next == requests[user].stop && requests[user].stop >= 0;
    }
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
