// Shapes that unmodified clients were seen to need: every chunk has id, object, created, model and an index; the first
// one names the role; one chunk without content carries finish_reason; usage comes with an empty list of choices.
#include "lpu/serve/OpenAi.h"

#include "JsonBody.h"
#include "lpu/isa/Base64.h"
#include "lpu/text/Utf8.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <span>

namespace lpu::serve::openai {
namespace {

constexpr double kNsPerSecond = 1e9;

const char *nameOf(FinishReason reason) { return reason == FinishReason::Stop ? "stop" : "length"; }

std::string event(const Json &json) { return "data: " + dump(json) + "\n\n"; }

bool isUtf8(const std::string &bytes) {
  text::Utf8Stream stream;
  return stream.push(bytes) == bytes;
}

/// As OpenAI writes tokens that are part of a character: bytes:\xf0\x9f.
std::string spelled(const std::string &bytes) {
  if (isUtf8(bytes))
    return bytes;
  std::string out = "bytes:";
  for (const char c : bytes)
    out += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
  return out;
}

Json probability(const TokenProbability &token) {
  Json bytes = Json::array();
  for (const char c : token.bytes)
    bytes.push_back(static_cast<unsigned char>(c));
  return {{"token", spelled(token.bytes)}, {"logprob", token.logprob}, {"bytes", bytes}};
}

Json chatLogprob(const TokenLogprob &token) {
  Json json = probability(token.chosen);
  json["top_logprobs"] = Json::array();
  for (const TokenProbability &other : token.top)
    json["top_logprobs"].push_back(probability(other));
  return json;
}

Json chatLogprobs(std::span<const TokenLogprob> tokens) {
  Json json{{"content", Json::array()}, {"refusal", nullptr}};
  for (const TokenLogprob &token : tokens)
    json["content"].push_back(chatLogprob(token));
  return json;
}

Json completionLogprobs(std::span<const TokenLogprob> tokens, std::span<const std::size_t> offsets) {
  Json json{{"tokens", Json::array()},
            {"token_logprobs", Json::array()},
            {"top_logprobs", Json::array()},
            {"text_offset", offsets}};
  for (const TokenLogprob &token : tokens) {
    json["tokens"].push_back(spelled(token.chosen.bytes));
    json["token_logprobs"].push_back(token.chosen.logprob);
    Json top = Json::object();
    for (const TokenProbability &other : token.top)
      top[spelled(other.bytes)] = other.logprob;
    json["top_logprobs"].push_back(std::move(top));
  }
  return json;
}

Json usageJson(const Usage &usage) {
  return {{"prompt_tokens", usage.promptTokens},
          {"completion_tokens", usage.completionTokens},
          {"total_tokens", usage.promptTokens + usage.completionTokens},
          {"queue_time", static_cast<double>(usage.queueNs) / kNsPerSecond},
          {"prompt_time", static_cast<double>(usage.promptNs) / kNsPerSecond},
          {"completion_time", static_cast<double>(usage.completionNs) / kNsPerSecond},
          {"total_time", static_cast<double>(usage.promptNs + usage.completionNs) / kNsPerSecond}};
}

Json lpuJson(const Usage &usage) {
  Json steps = Json::array();
  for (const auto &[program, count] : usage.steps)
    steps.push_back({{"program", program}, {"count", count}});
  return {{"arrival_cycle", usage.arrivalCycle},
          {"start_cycle", usage.startCycle},
          {"first_token_cycle", usage.firstTokenCycle},
          {"end_cycle", usage.endCycle},
          {"cycles_predicted", usage.predictedCycles},
          {"cycles_simulated", usage.simulatedCycles},
          {"bucket_steps", steps}};
}

Json opening(const Identity &identity, bool chat, const char *object) {
  return {{"id", (chat ? "chatcmpl-" : "cmpl-") + identity.id},
          {"object", object},
          {"created", identity.created},
          {"model", identity.model},
          {"system_fingerprint", identity.fingerprint},
          {"service_tier", identity.serviceTier}};
}

const char *typeOf(int status) {
  switch (status) {
  case 401:
    return "authentication_error";
  case 403:
    return "permission_error";
  case 404:
    return "not_found_error";
  case 429:
    return "rate_limit_error";
  default:
    return status >= 500 ? "server_error" : "invalid_request_error";
  }
}

Json nullable(const std::string &text) { return text.empty() ? Json(nullptr) : Json(text); }

Json errorJson(const Refusal &refusal) {
  return {{"error",
           {{"message", refusal.message},
            {"type", typeOf(refusal.status)},
            {"param", nullable(refusal.param)},
            {"code", nullable(refusal.code)}}}};
}

Json cardJson(const ModelCard &card) {
  return {{"id", card.name},
          {"object", "model"},
          {"created", card.created},
          {"owned_by", "lpu"},
          {"max_model_len", card.context},
          {"meta", {{"n_ctx_train", card.context}, {"n_vocab", card.vocabulary}}},
          {"lpu",
           {{"kind", card.encoder ? "encoder" : "generator"},
            {"architecture", card.architecture},
            {"program", card.program},
            {"chat_template", card.templateOrigin},
            {"systems", card.systems},
            {"users", card.users},
            {"chips", card.chips}}}};
}

/// Little-endian float32, which is what clients that ask for base64 take apart.
std::string floatsBase64(const std::vector<float> &values) {
  std::string bytes(values.size() * sizeof(float), '\0');
  std::memcpy(bytes.data(), values.data(), bytes.size());
  return toBase64(bytes);
}

} // namespace

const char *tierName(Tier tier) {
  return tier == Tier::Shared ? "default" : tier == Tier::Reserved ? "priority" : "flex";
}

Writer::Writer(const Request &request, Identity identity, bool timestamps)
    : chat(request.task == Task::Chat), includeUsage(request.includeUsage),
      choices(request.choices * std::max<unsigned>(1, static_cast<unsigned>(request.prompts.size()))),
      logprobs(request.logprobs), base64(request.base64), timestamps(timestamps), identity(std::move(identity)) {}

Json Writer::chunk() const {
  Json json = opening(identity, chat, chat ? "chat.completion.chunk" : "text_completion");
  json["choices"] = Json::array();
  if (includeUsage)
    json["usage"] = nullptr;
  return json;
}

std::string Writer::begin() {
  std::string out;
  for (unsigned i = 0; chat && i < choices; ++i) {
    Json json = chunk();
    json["choices"].push_back({{"index", i},
                               {"delta", {{"role", "assistant"}, {"content", ""}}},
                               {"logprobs", nullptr},
                               {"finish_reason", nullptr}});
    if (i == 0)
      json["x_groq"] = {{"id", identity.id}};
    out += event(json);
  }
  return out;
}

std::string Writer::token(const Piece &piece) {
  Json json = chunk(), choice{{"index", piece.choice}};
  if (chat) {
    choice["delta"] = {{"content", piece.text}};
    choice["logprobs"] = piece.logprob ? chatLogprobs(std::span(&*piece.logprob, 1)) : Json(nullptr);
  } else {
    choice["text"] = piece.text;
    choice["logprobs"] = piece.logprob
                             ? completionLogprobs(std::span(&*piece.logprob, 1), std::span(&piece.textOffset, 1))
                             : Json(nullptr);
  }
  choice["finish_reason"] = nullptr;
  json["choices"].push_back(std::move(choice));
  if (timestamps)
    json["lpu"] = {{"t_ns", piece.atNs}};
  return event(json);
}

std::string Writer::finish(unsigned choice, FinishReason reason, const std::string &) {
  Json json = chunk(), last{{"index", choice}};
  if (chat)
    last["delta"] = Json::object();
  else
    last["text"] = "";
  last["logprobs"] = nullptr;
  last["finish_reason"] = nameOf(reason);
  json["choices"].push_back(std::move(last));
  return event(json);
}

std::string Writer::end(const Usage &usage) {
  std::string out;
  if (includeUsage) {
    Json json = chunk();
    json["usage"] = usageJson(usage);
    json["x_groq"] = {{"id", identity.id}, {"usage", usageJson(usage)}, {"seed", usage.seed}};
    json["lpu"] = lpuJson(usage);
    out += event(json);
  }
  return out + "data: [DONE]\n\n";
}

std::string Writer::body(const std::vector<Choice> &ended, const Usage &usage) const {
  Json json = opening(identity, chat, chat ? "chat.completion" : "text_completion");
  json["choices"] = Json::array();
  for (std::size_t i = 0; i < ended.size(); ++i) {
    Json choice{{"index", i}};
    if (chat) {
      choice["message"] = {{"role", "assistant"}, {"content", ended[i].text}, {"refusal", nullptr}};
      choice["logprobs"] = logprobs ? chatLogprobs(ended[i].logprobs) : Json(nullptr);
    } else {
      choice["text"] = ended[i].text;
      choice["logprobs"] = logprobs ? completionLogprobs(ended[i].logprobs, ended[i].textOffsets) : Json(nullptr);
    }
    choice["finish_reason"] = nameOf(ended[i].reason);
    json["choices"].push_back(std::move(choice));
  }
  json["usage"] = usageJson(usage);
  json["x_groq"] = {{"id", identity.id}, {"seed", usage.seed}};
  json["lpu"] = lpuJson(usage);
  return dump(json);
}

std::string Writer::embeddings(const std::vector<std::vector<float>> &vectors, const Usage &usage) const {
  Json data = Json::array();
  for (std::size_t i = 0; i < vectors.size(); ++i)
    data.push_back({{"object", "embedding"},
                    {"index", i},
                    {"embedding", base64 ? Json(floatsBase64(vectors[i])) : Json(vectors[i])}});
  return dump({{"object", "list"},
               {"data", data},
               {"model", identity.model},
               {"usage", {{"prompt_tokens", usage.promptTokens}, {"total_tokens", usage.promptTokens}}}});
}

HttpResponse refusal(const Refusal &refusal, const std::string &) {
  return {refusal.status, {}, "application/json", errorBody(refusal)};
}

std::string errorBody(const Refusal &refusal) { return dump(errorJson(refusal)); }

std::string errorEvent(const Refusal &refusal) { return event(errorJson(refusal)); }

std::string modelBody(const ModelCard &card) { return dump(cardJson(card)); }

std::string modelsBody(const std::vector<ModelCard> &cards) {
  Json data = Json::array();
  for (const ModelCard &card : cards)
    data.push_back(cardJson(card));
  return dump({{"object", "list"}, {"data", data}});
}

} // namespace lpu::serve::openai
