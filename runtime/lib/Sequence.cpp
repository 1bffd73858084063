// A sequence ends behind the token that ends it, which is not fed any more. What the token turns out to be never
// changes which steps come next, so the chips' time depends on its length alone.
#include "lpu/rt/Sequence.h"

#include <algorithm>
#include <utility>

namespace lpu::rt {

const char *finishReasonName(FinishReason reason) {
  switch (reason) {
  case FinishReason::Length:
    return "length";
  case FinishReason::EndToken:
    return "end_token";
  case FinishReason::StopText:
    return "stop_text";
  case FinishReason::Cancelled:
    break;
  }
  return "cancelled";
}

Sequence::Sequence(GenerateRequest request, const text::Tokenizer *tokenizer)
    : asked(std::move(request)), tokenizer(tokenizer), sampler(asked.sampling), stops(asked.stops),
      known(asked.prompt) {}

Feed Sequence::next(std::uint32_t count) const {
  return {fed, std::span(known).subspan(fed, std::min<std::size_t>(count, known.size() - fed))};
}

SequenceOutput Sequence::take(std::uint32_t count, std::span<const float> rows) {
  ++stepCount;
  promptStepCount += fed < asked.prompt.size();
  fed += count;
  hasValues = !rows.empty();
  rowsDigest.addRows(rows);
  SequenceOutput out{rows, std::nullopt, {}};
  if (fed < asked.prompt.size())
    return out;
  if (made < asked.count)
    pick(hasValues ? rows.last(rows.size() / count) : rows, out);
  if (made == asked.count && !reason)
    reason = FinishReason::Length;
  return out;
}

void Sequence::pick(std::span<const float> row, SequenceOutput &out) {
  ++made;
  if (row.empty()) {
    known.push_back(0);
    return;
  }
  out.token = sampler.sample(row, known);
  known.push_back(*out.token);
  if (std::ranges::find(asked.endTokens, *out.token) != asked.endTokens.end())
    reason = FinishReason::EndToken;
  out.text = textOf(*out.token);
  shown += out.text;
}

/// What can be shown once `token` is known: at the end also what was held back.
std::string Sequence::textOf(TokenId token) {
  if (!tokenizer)
    return {};
  const bool isEnd = reason == FinishReason::EndToken;
  std::string piece = isEnd ? std::string() : utf8.push(tokenizer->bytes(token));
  if (isEnd || made == asked.count)
    piece += utf8.finish();
  std::string out = stops.push(piece);
  if (stops.met())
    reason = FinishReason::StopText;
  else if (isEnd || made == asked.count)
    out += stops.finish();
  return out;
}

void Sequence::cancel() {
  if (!reason)
    reason = FinishReason::Cancelled;
}

std::optional<std::string> Sequence::digest() const {
  if (!hasValues)
    return std::nullopt;
  return rowsDigest.hex(asked.prompt, tokens());
}

Result<StepOutput> runStep(Session &session, std::size_t program, std::span<Sequence *const> users) {
  std::vector<Feed> feeds(users.size());
  PlannedStep step{program, 0, 0, 0};
  for (std::size_t user = 0; user < users.size(); ++user) {
    if (!users[user] || users[user]->finished())
      continue;
    feeds[user] = users[user]->next(session.compiled().steps[program].tokens);
    if (step.users++ == 0)
      step.position = feeds[user].position;
    step.tokens = std::max(step.tokens, static_cast<std::uint32_t>(feeds[user].tokens.size()));
  }
  auto logits = session.run(step, feeds);
  if (!logits)
    return logits.error();
  StepOutput out{std::move(*logits), std::vector<SequenceOutput>(users.size())};
  std::span<const float> left = out.logits;
  for (std::size_t user = 0; user < users.size(); ++user) {
    const auto count = static_cast<std::uint32_t>(feeds[user].tokens.size());
    if (count == 0)
      continue;
    const std::size_t size = session.functional() ? count * std::size_t{session.compiled().model.vocabulary} : 0;
    out.users[user] = users[user]->take(count, left.first(size));
    left = left.subspan(size);
  }
  return out;
}

} // namespace lpu::rt
