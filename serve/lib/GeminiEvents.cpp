// The last part of a stream has the reasons of all candidates, and the counts.
#include "lpu/serve/Gemini.h"

#include "JsonBody.h"

#include <fmt/format.h>

namespace lpu::serve::gemini {
namespace {

const char *nameOf(FinishReason reason) { return reason == FinishReason::Stop ? "STOP" : "MAX_TOKENS"; }

/// google.rpc.Code of a status of HTTP.
const char *statusOf(int status) {
  switch (status) {
  case 401:
    return "UNAUTHENTICATED";
  case 403:
    return "PERMISSION_DENIED";
  case 404:
    return "NOT_FOUND";
  case 405:
    return "UNIMPLEMENTED";
  case 408:
    return "DEADLINE_EXCEEDED";
  case 429:
    return "RESOURCE_EXHAUSTED";
  case 503:
    return "UNAVAILABLE";
  default:
    return status >= 500 ? "INTERNAL" : "INVALID_ARGUMENT";
  }
}

Json errorOf(const Refusal &refusal) {
  const int status = usualStatus(refusal);
  Json error{{"code", status}, {"message", refusal.message}, {"status", statusOf(status)}};
  if (refusal.retryAfterMs) {
    constexpr double kMsPerSecond = 1000;
    error["details"] = Json::array();
    error["details"].push_back(
        {{"@type", "type.googleapis.com/google.rpc.RetryInfo"},
         {"retryDelay", fmt::format("{:.3f}s", static_cast<double>(*refusal.retryAfterMs) / kMsPerSecond)}});
  }
  return {{"error", error}};
}

Json candidate(unsigned index, const std::string &text) {
  return {{"content", {{"parts", Json::array({Json{{"text", text}}})}, {"role", "model"}}}, {"index", index}};
}

Json usageOf(const Usage &usage) {
  return {{"promptTokenCount", usage.promptTokens},
          {"candidatesTokenCount", usage.completionTokens},
          {"totalTokenCount", usage.promptTokens + usage.completionTokens}};
}

Json responseOf(const Identity &identity, Json candidates) {
  return {{"candidates", std::move(candidates)}, {"modelVersion", identity.model}, {"responseId", identity.id}};
}

Json cardOf(const ModelCard &card) {
  return {{"name", "models/" + card.name},
          {"baseModelId", card.name},
          {"version", card.program.substr(0, 16)},
          {"displayName", card.name},
          {"description", card.architecture},
          {"inputTokenLimit", card.context},
          {"outputTokenLimit", card.context},
          {"supportedGenerationMethods",
           card.encoder ? Json::array() : Json::array({"generateContent", "streamGenerateContent", "countTokens"})}};
}

} // namespace

Writer::Writer(Framing framing, const Request &request, Identity identity)
    : framing(framing), identity(std::move(identity)), reasons(request.choices, FinishReason::Stop) {}

const char *Writer::streamType() const { return framing == Framing::Events ? "text/event-stream" : "application/json"; }

std::string Writer::framed(const std::string &json) const {
  if (framing == Framing::Events)
    return "data: " + json + "\n\n";
  return (first ? "[" : ",\n") + json;
}

std::string Writer::begin() { return ""; }

std::string Writer::token(const Piece &piece) {
  if (piece.text.empty())
    return "";
  Json response = responseOf(identity, Json::array({candidate(piece.choice, piece.text)}));
  response["usageMetadata"] = {{"promptTokenCount", identity.promptTokens}};
  std::string out = framed(dump(response));
  first = false;
  return out;
}

std::string Writer::finish(unsigned choice, FinishReason reason, const std::string &) {
  reasons.at(choice) = reason;
  return "";
}

std::string Writer::end(const Usage &usage) {
  Json candidates = Json::array();
  for (unsigned i = 0; i < reasons.size(); ++i) {
    candidates.push_back(candidate(i, ""));
    candidates.back()["finishReason"] = nameOf(reasons[i]);
  }
  Json response = responseOf(identity, std::move(candidates));
  response["usageMetadata"] = usageOf(usage);
  return framed(dump(response)) + (framing == Framing::List ? "]\n" : "");
}

std::string Writer::error(const Refusal &refusal) const {
  return framed(dump(errorOf(refusal))) + (framing == Framing::List ? "]\n" : "");
}

std::string Writer::silence() const { return framing == Framing::Events ? ":\n\n" : "\n"; }

std::string Writer::body(const std::vector<Choice> &choices, const Usage &usage) const {
  Json candidates = Json::array();
  for (unsigned i = 0; i < choices.size(); ++i) {
    candidates.push_back(candidate(i, choices[i].text));
    candidates.back()["finishReason"] = nameOf(choices[i].reason);
  }
  Json response = responseOf(identity, std::move(candidates));
  response["usageMetadata"] = usageOf(usage);
  return dump(response);
}

HttpResponse refusal(const Refusal &refusal, const std::string &) {
  return {usualStatus(refusal), {}, "application/json", dump(errorOf(refusal))};
}

std::string countBody(std::uint64_t tokens) { return dump({{"totalTokens", tokens}}); }

std::string modelBody(const ModelCard &card) { return dump(cardOf(card)); }

std::string modelsBody(const std::vector<ModelCard> &cards) {
  Json models = Json::array();
  for (const ModelCard &card : cards)
    models.push_back(cardOf(card));
  return dump({{"models", models}});
}

std::string publisherModelsBody(const std::vector<ModelCard> &cards) {
  Json models = Json::array();
  for (const ModelCard &card : cards)
    models.push_back({{"name", "publishers/google/models/" + card.name}, {"versionId", card.program.substr(0, 16)}});
  return dump({{"publisherModels", models}});
}

} // namespace lpu::serve::gemini
