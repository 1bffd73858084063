// The OpenAI dialect, with Groq's additions: requests of chat completions, completions and embeddings, and the events
// that answer them. Pure functions of text: no sockets, no clocks, no models.
// Source: the OpenAI API reference (openai-openapi), Groq's API reference (console.groq.com/docs).
#pragma once

#include "lpu/serve/Dialect.h"

#include <nlohmann/json_fwd.hpp>

#include <string>
#include <string_view>

namespace lpu::serve::openai {

/// Bodies of POST /v1/chat/completions, /v1/completions and /v1/embeddings. Known fields that ask for what is not
/// built are refused by name; unknown ones are named in Request::ignored. null counts as absent.
OrRefusal<Request> parse(Task task, std::string_view body, const RequestLimits &limits = {});

/// The body of any of them, told apart by messages, prompt or input.
OrRefusal<Request> parseAny(std::string_view body, const RequestLimits &limits = {});

/// {"error":{"message","type","param","code"}}
std::string errorBody(const Refusal &refusal);
/// The same as the last event of a stream that has begun.
std::string errorEvent(const Refusal &refusal);

/// "default", "priority" or "flex".
const char *tierName(Tier tier);

/// Every event is a whole `data: …` block.
class Writer final : public AnswerWriter {
public:
  /// `timestamps`: chunks say when their token was there, in virtual ns since the arrival.
  Writer(const Request &request, Identity identity, bool timestamps = false);

  const char *streamType() const override { return "text/event-stream"; }
  /// Opens the stream: who speaks.
  std::string begin() override;
  std::string token(const Piece &piece) override;
  std::string finish(unsigned choice, FinishReason reason, const std::string &stop) override;
  /// Usage, if it was asked for, and the end of the stream.
  std::string end(const Usage &usage) override;
  std::string error(const Refusal &refusal) const override { return errorEvent(refusal); }
  std::string silence() const override { return ":\n\n"; }
  std::string body(const std::vector<Choice> &choices, const Usage &usage) const override;
  std::string embeddings(const std::vector<std::vector<float>> &vectors, const Usage &usage) const override;

private:
  nlohmann::ordered_json chunk() const;

  bool chat;
  bool includeUsage;
  unsigned choices;
  bool logprobs, base64;
  bool timestamps;
  Identity identity;
};

std::string modelBody(const ModelCard &card);
std::string modelsBody(const std::vector<ModelCard> &cards);

} // namespace lpu::serve::openai
