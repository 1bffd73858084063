// Milliseconds are whole ones in Bedrock's API, so virtual times are rounded up; exact ones are in the head's fields.
#include "lpu/serve/Bedrock.h"

#include "EventStream.h"
#include "JsonBody.h"
#include "lpu/isa/Base64.h"
#include "lpu/serve/Anthropic.h"

#include <fmt/format.h>

#include <cctype>

namespace lpu::serve::bedrock {
namespace {

std::int64_t milliseconds(std::int64_t ns) {
  constexpr std::int64_t kNsPerMs = 1'000'000;
  return (ns + kNsPerMs - 1) / kNsPerMs;
}

std::string event(std::string_view type, const Json &payload) {
  return eventFrame({{":event-type", type}, {":content-type", "application/json"}, {":message-type", "event"}},
                    dump(payload));
}

/// A part of a model's own body.
std::string chunk(const std::string &json) { return event("chunk", {{"bytes", toBase64(json)}}); }

const char *reasonOf(FinishReason reason, const std::string &stop) {
  if (reason == FinishReason::Length)
    return "max_tokens";
  return stop.empty() ? "end_turn" : "stop_sequence";
}

Json usageOf(const Usage &usage) {
  return {{"inputTokens", usage.promptTokens},
          {"outputTokens", usage.completionTokens},
          {"totalTokens", usage.promptTokens + usage.completionTokens}};
}

Json metricsOf(const Usage &usage) {
  return {{"latencyMs", milliseconds(usage.queueNs + usage.promptNs + usage.completionNs)}};
}

/// The exception of a status of HTTP.
std::string exceptionOf(const Refusal &refusal) {
  if (refusal.code == "model_loading")
    return "ModelNotReadyException";
  switch (usualStatus(refusal)) {
  case 401:
  case 403:
    return "AccessDeniedException";
  case 404:
    return "ResourceNotFoundException";
  case 405:
    return "UnknownOperationException";
  case 408:
    return "ModelTimeoutException";
  case 429:
    return "ThrottlingException";
  case 503:
    return "ServiceUnavailableException";
  default:
    return refusal.status >= 500 ? "InternalServerException" : "ValidationException";
  }
}

std::string exceptionFrame(const Refusal &refusal) {
  std::string name = exceptionOf(refusal);
  name[0] = static_cast<char>(std::tolower(static_cast<unsigned char>(name[0])));
  return eventFrame({{":exception-type", name}, {":content-type", "application/json"}, {":message-type", "exception"}},
                    dump({{"message", refusal.message}}));
}

Json llamaOf(const std::string &text, std::uint64_t prompt, std::uint64_t generated, const Json &reason) {
  return {{"generation", text},
          {"prompt_token_count", prompt},
          {"generation_token_count", generated},
          {"stop_reason", reason}};
}

const char *llamaReason(FinishReason reason) { return reason == FinishReason::Length ? "length" : "stop"; }

Json metricsOfInvocation(const Usage &usage) {
  return {{"inputTokenCount", usage.promptTokens},
          {"outputTokenCount", usage.completionTokens},
          {"invocationLatency", milliseconds(usage.queueNs + usage.promptNs + usage.completionNs)},
          {"firstByteLatency", milliseconds(usage.queueNs + usage.promptNs)}};
}

/// Every event of Anthropic's stream as a chunk of its own.
std::string chunksOf(const std::string &events) {
  constexpr std::string_view kData = "\ndata: ";
  std::string out;
  for (std::size_t at = events.find(kData); at != std::string::npos; at = events.find(kData, at)) {
    at += kData.size();
    const std::string json = events.substr(at, events.find('\n', at) - at);
    if (json.find(R"("type":"ping")") != 1) // Bedrock has none
      out += chunk(json);
  }
  return out;
}

Json cardOf(const ModelCard &card) {
  return {{"modelArn", "arn:aws:bedrock:local::foundation-model/" + card.name},
          {"modelId", card.name},
          {"modelName", card.name},
          {"providerName", "lpu"},
          {"inputModalities", Json::array({"TEXT"})},
          {"outputModalities", Json::array({card.encoder ? "EMBEDDING" : "TEXT"})},
          {"responseStreamingSupported", !card.encoder},
          {"customizationsSupported", Json::array()},
          {"inferenceTypesSupported", Json::array({"ON_DEMAND"})},
          {"modelLifecycle", {{"status", "ACTIVE"}}}};
}

} // namespace

ConverseWriter::ConverseWriter(const Request &, Identity identity) : identity(std::move(identity)) {}

std::string ConverseWriter::begin() { return event("messageStart", {{"role", "assistant"}}); }

std::string ConverseWriter::token(const Piece &piece) {
  if (piece.text.empty())
    return "";
  return event("contentBlockDelta", {{"contentBlockIndex", 0}, {"delta", {{"text", piece.text}}}});
}

std::string ConverseWriter::finish(unsigned, FinishReason reason, const std::string &stop) {
  return event("contentBlockStop", {{"contentBlockIndex", 0}}) +
         event("messageStop", {{"stopReason", reasonOf(reason, stop)}});
}

std::string ConverseWriter::end(const Usage &usage) {
  return event("metadata", {{"usage", usageOf(usage)}, {"metrics", metricsOf(usage)}});
}

std::string ConverseWriter::error(const Refusal &refusal) const { return exceptionFrame(refusal); }

std::string ConverseWriter::silence() const {
  return event("contentBlockDelta", {{"contentBlockIndex", 0}, {"delta", {{"text", ""}}}});
}

std::string ConverseWriter::body(const std::vector<Choice> &choices, const Usage &usage) const {
  const Choice &choice = choices.front();
  return dump(
      {{"output", {{"message", {{"role", "assistant"}, {"content", Json::array({Json{{"text", choice.text}}})}}}}},
       {"stopReason", reasonOf(choice.reason, choice.stop)},
       {"usage", usageOf(usage)},
       {"metrics", metricsOf(usage)}});
}

InvokeWriter::InvokeWriter(const Request &request, Identity given) : identity(std::move(given)) {
  if (request.task == Task::Chat)
    messages = std::make_unique<anthropic::Writer>(request, identity);
}

InvokeWriter::~InvokeWriter() = default;

HttpFields InvokeWriter::fields() const {
  return {{"x-amzn-requestid", identity.id}, {"x-amzn-bedrock-content-type", "application/json"}};
}

std::string InvokeWriter::begin() { return messages ? chunksOf(messages->begin()) : ""; }

std::string InvokeWriter::token(const Piece &piece) {
  ++tokens;
  if (messages)
    return chunksOf(messages->token(piece));
  return piece.text.empty() ? "" : chunk(dump(llamaOf(piece.text, identity.promptTokens, tokens, nullptr)));
}

std::string InvokeWriter::finish(unsigned choice, FinishReason ended, const std::string &stop) {
  reason = ended;
  return messages ? chunksOf(messages->finish(choice, ended, stop)) : "";
}

std::string InvokeWriter::end(const Usage &usage) {
  if (messages)
    return chunksOf(messages->end(usage));
  Json last = llamaOf("", usage.promptTokens, usage.completionTokens, llamaReason(reason));
  last["amazon-bedrock-invocationMetrics"] = metricsOfInvocation(usage);
  return chunk(dump(last));
}

std::string InvokeWriter::error(const Refusal &refusal) const { return exceptionFrame(refusal); }

std::string InvokeWriter::body(const std::vector<Choice> &choices, const Usage &usage) const {
  if (messages)
    return messages->body(choices, usage);
  const Choice &choice = choices.front();
  return dump(llamaOf(choice.text, usage.promptTokens, usage.completionTokens, llamaReason(choice.reason)));
}

HttpResponse refusal(const Refusal &refusal, const std::string &id) {
  constexpr int kUnauthorized = 401, kForbidden = 403, kTooMany = 429;
  int status = refusal.status == kUnauthorized ? kForbidden : usualStatus(refusal);
  if (refusal.code == "model_loading")
    status = kTooMany;
  const std::string name = exceptionOf(refusal);
  return {status,
          {{"x-amzn-errortype", name}, {"x-amzn-requestid", id}},
          "application/json",
          dump({{"message", refusal.message}, {"__type", name}})};
}

std::string countBody(std::uint64_t tokens) { return dump({{"inputTokens", tokens}}); }

std::string modelsBody(const std::vector<ModelCard> &cards) {
  Json models = Json::array();
  for (const ModelCard &card : cards)
    models.push_back(cardOf(card));
  return dump({{"modelSummaries", models}});
}

std::string modelBody(const ModelCard &card) { return dump({{"modelDetails", cardOf(card)}}); }

} // namespace lpu::serve::bedrock
