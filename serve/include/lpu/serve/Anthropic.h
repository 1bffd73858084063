// The dialect of Anthropic's Messages API: bodies of /v1/messages and /v1/messages/count_tokens, the answer, and its
// stream of named events. Pure functions, as in every dialect.
// Source: Anthropic's API reference (docs.anthropic.com, Messages, Streaming, Errors).
#pragma once

#include "lpu/serve/Dialect.h"

#include <string>
#include <string_view>

namespace lpu::serve::anthropic {

/// `max_tokens` is required and is a bound: where the context leaves less, that holds.
OrRefusal<Request> parse(std::string_view body, const RequestLimits &limits = {});
/// The same of a body whose tokens are only counted: without max_tokens.
OrRefusal<Request> parseCount(std::string_view body, const RequestLimits &limits = {});

class Writer final : public AnswerWriter {
public:
  Writer(const Request &request, Identity identity);

  const char *streamType() const override { return "text/event-stream"; }
  std::string begin() override;
  std::string token(const Piece &piece) override;
  std::string finish(unsigned choice, FinishReason reason, const std::string &stop) override;
  std::string end(const Usage &usage) override;
  std::string error(const Refusal &refusal) const override;
  std::string silence() const override;
  std::string body(const std::vector<Choice> &choices, const Usage &usage) const override;
  std::string embeddings(const std::vector<std::vector<float>> &, const Usage &) const override { return ""; }
  HttpFields fields() const override { return {{"request-id", identity.id}}; }

private:
  Identity identity;
  FinishReason reason = FinishReason::Stop;
  std::string stop;
};

/// {"type":"error","error":{"type","message"},"request_id"}; 503 is 529 there.
HttpResponse refusal(const Refusal &refusal, const std::string &id);

std::string countBody(std::uint64_t tokens);
std::string modelBody(const ModelCard &card);
std::string modelsBody(const std::vector<ModelCard> &cards);

} // namespace lpu::serve::anthropic
