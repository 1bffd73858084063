// Clients need the name of every event beside its data, a message without content at the start, and usage both there
// and behind the last block.
#include "lpu/serve/Anthropic.h"

#include "JsonBody.h"

namespace lpu::serve::anthropic {
namespace {

std::string event(const Json &json) {
  return "event: " + json["type"].get<std::string>() + "\ndata: " + dump(json) + "\n\n";
}

Json reasonOf(FinishReason reason, const std::string &stop) {
  if (reason == FinishReason::Length)
    return "max_tokens";
  return stop.empty() ? "end_turn" : "stop_sequence";
}

Json nullable(const std::string &text) { return text.empty() ? Json(nullptr) : Json(text); }

Json usageOf(const Identity &identity, std::uint64_t input, std::uint64_t output) {
  return {{"input_tokens", input},
          {"cache_creation_input_tokens", 0},
          {"cache_read_input_tokens", 0},
          {"output_tokens", output},
          {"service_tier", identity.serviceTier == "default" ? "standard" : identity.serviceTier.c_str()}};
}

Json messageOf(const Identity &identity) {
  return {{"id", "msg_" + identity.id}, {"type", "message"},      {"role", "assistant"},     {"model", identity.model},
          {"content", Json::array()},   {"stop_reason", nullptr}, {"stop_sequence", nullptr}};
}

const char *typeOf(int status) {
  switch (status) {
  case 401:
    return "authentication_error";
  case 403:
    return "permission_error";
  case 404:
    return "not_found_error";
  case 413:
    return "request_too_large";
  case 429:
    return "rate_limit_error";
  case 503:
    return "overloaded_error";
  default:
    return status >= 500 ? "api_error" : "invalid_request_error";
  }
}

Json errorOf(const Refusal &refusal) {
  return {{"type", "error"}, {"error", {{"type", typeOf(usualStatus(refusal))}, {"message", refusal.message}}}};
}

Json cardOf(const ModelCard &card) {
  return {{"type", "model"}, {"id", card.name}, {"display_name", card.name}, {"created_at", isoTime(card.created)}};
}

} // namespace

Writer::Writer(const Request &, Identity identity) : identity(std::move(identity)) {}

std::string Writer::begin() {
  Json message = messageOf(identity);
  message["usage"] = usageOf(identity, identity.promptTokens, 0);
  return event({{"type", "message_start"}, {"message", message}}) +
         event({{"type", "content_block_start"}, {"index", 0}, {"content_block", {{"type", "text"}, {"text", ""}}}}) +
         silence();
}

std::string Writer::token(const Piece &piece) {
  if (piece.text.empty())
    return "";
  return event(
      {{"type", "content_block_delta"}, {"index", 0}, {"delta", {{"type", "text_delta"}, {"text", piece.text}}}});
}

std::string Writer::finish(unsigned, FinishReason ended, const std::string &text) {
  reason = ended;
  stop = text;
  return event({{"type", "content_block_stop"}, {"index", 0}});
}

std::string Writer::end(const Usage &usage) {
  return event({{"type", "message_delta"},
                {"delta", {{"stop_reason", reasonOf(reason, stop)}, {"stop_sequence", nullable(stop)}}},
                {"usage", usageOf(identity, usage.promptTokens, usage.completionTokens)}}) +
         event({{"type", "message_stop"}});
}

std::string Writer::error(const Refusal &refusal) const { return event(errorOf(refusal)); }

std::string Writer::silence() const { return event({{"type", "ping"}}); }

std::string Writer::body(const std::vector<Choice> &choices, const Usage &usage) const {
  const Choice &choice = choices.front();
  Json message = messageOf(identity);
  message["content"].push_back({{"type", "text"}, {"text", choice.text}});
  message["stop_reason"] = reasonOf(choice.reason, choice.stop);
  message["stop_sequence"] = nullable(choice.stop);
  message["usage"] = usageOf(identity, usage.promptTokens, usage.completionTokens);
  return dump(message);
}

HttpResponse refusal(const Refusal &refusal, const std::string &id) {
  constexpr int kUnavailable = 503, kOverloaded = 529;
  Json body = errorOf(refusal);
  body["request_id"] = id;
  return {refusal.status == kUnavailable ? kOverloaded : usualStatus(refusal),
          {{"request-id", id}},
          "application/json",
          dump(body)};
}

std::string countBody(std::uint64_t tokens) { return dump({{"input_tokens", tokens}}); }

std::string modelBody(const ModelCard &card) { return dump(cardOf(card)); }

std::string modelsBody(const std::vector<ModelCard> &cards) {
  Json data = Json::array();
  for (const ModelCard &card : cards)
    data.push_back(cardOf(card));
  return dump({{"data", data},
               {"has_more", false},
               {"first_id", cards.empty() ? Json(nullptr) : Json(cards.front().name)},
               {"last_id", cards.empty() ? Json(nullptr) : Json(cards.back().name)}});
}

} // namespace lpu::serve::anthropic
