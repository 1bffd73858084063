// The dialect of Ollama's API: bodies of /api/chat, /api/generate, /api/embed and /api/embeddings, and their answers,
// objects of JSON, one a line. Durations are virtual nanoseconds. Pure functions, as in every dialect.
// Source: Ollama's docs/api.md and docs/modelfile.md (names, ranges and defaults of options).
#pragma once

#include "lpu/serve/Dialect.h"

#include <string>
#include <string_view>

namespace lpu::serve::ollama {

enum class Form { Chat, Generate, Embed, Embeddings }; ///< Embeddings: the older one, of a single prompt

/// Options keep Ollama's defaults (temperature 0.8, top_k 40, top_p 0.9, repeat_penalty 1.1 over 64 tokens), and
/// answers come as a stream unless `stream` is false. A request without messages, prompt or input only asks that the
/// model be loaded: it has no prompts. Options without effect here are in Request::ignored.
OrRefusal<Request> parse(Form form, std::string_view body, const RequestLimits &limits = {});

/// "name:latest" is "name".
std::string modelName(const std::string &name);

class Writer final : public AnswerWriter {
public:
  Writer(Form form, const Request &request, Identity identity);

  const char *streamType() const override { return "application/x-ndjson"; }
  std::string begin() override { return ""; }
  std::string token(const Piece &piece) override;
  std::string finish(unsigned choice, FinishReason reason, const std::string &stop) override;
  std::string end(const Usage &usage) override;
  std::string error(const Refusal &refusal) const override;
  /// A piece of no text.
  std::string silence() const override;
  std::string body(const std::vector<Choice> &choices, const Usage &usage) const override;
  std::string embeddings(const std::vector<std::vector<float>> &vectors, const Usage &usage) const override;

private:
  std::string line(const std::string &text, const std::string &more) const;

  Form form;
  Identity identity;
  bool empty; ///< there is no prompt
  FinishReason reason = FinishReason::Stop;
};

/// {"error":"…"}; a full queue is 503, as there.
HttpResponse refusal(const Refusal &refusal, const std::string &id);

std::string tagsBody(const std::vector<ModelCard> &cards);
/// Of GET /api/ps: those that are loaded.
std::string runningBody(const std::vector<ModelCard> &cards);
std::string showBody(const ModelCard &card);

} // namespace lpu::serve::ollama
