// The dialect of Google's Gemini API and of Vertex AI: bodies of generateContent, streamGenerateContent and
// countTokens, and their answers; a stream is server-sent events with ?alt=sse, else a list of JSON that is written as
// it comes. Pure functions, as in every dialect. Source: the Gemini API reference (ai.google.dev/api/generate-content,
// /api/tokens, /api/models), Google's error model (google.rpc.Status, google.rpc.Code).
#pragma once

#include "lpu/serve/Dialect.h"

#include <string>
#include <string_view>

namespace lpu::serve::gemini {

/// What a path names: "tiny:generateContent", or the same behind "projects/…/publishers/google/models/".
struct Target {
  std::string model, action; ///< `action` is empty where there is no colon
};
Target targetOf(std::string_view path);

/// Of generateContent and streamGenerateContent. `maxOutputTokens` is a bound: where the context leaves less, that
/// holds.
OrRefusal<Request> parse(std::string_view body, const std::string &model, bool stream,
                         const RequestLimits &limits = {});
/// Of countTokens: contents, or a whole generateContentRequest.
OrRefusal<Request> parseCount(std::string_view body, const std::string &model, const RequestLimits &limits = {});

enum class Framing { Events, List }; ///< of a stream

class Writer final : public AnswerWriter {
public:
  Writer(Framing framing, const Request &request, Identity identity);

  const char *streamType() const override;
  std::string begin() override;
  std::string token(const Piece &piece) override;
  std::string finish(unsigned choice, FinishReason reason, const std::string &stop) override;
  std::string end(const Usage &usage) override;
  std::string error(const Refusal &refusal) const override;
  std::string silence() const override;
  std::string body(const std::vector<Choice> &choices, const Usage &usage) const override;
  std::string embeddings(const std::vector<std::vector<float>> &, const Usage &) const override { return ""; }

private:
  std::string framed(const std::string &json) const;

  Framing framing;
  Identity identity;
  std::vector<FinishReason> reasons; ///< of each candidate
  bool first = true;                 ///< nothing of the list has been written
};

/// {"error":{"code","message","status"}}, with RetryInfo where a retry helps.
HttpResponse refusal(const Refusal &refusal, const std::string &id);

std::string countBody(std::uint64_t tokens);
std::string modelBody(const ModelCard &card);
std::string modelsBody(const std::vector<ModelCard> &cards);
/// The list as Vertex AI shows it.
std::string publisherModelsBody(const std::vector<ModelCard> &cards);

} // namespace lpu::serve::gemini
