// The last line carries the counts and durations. Clients wait for done:true, and LangChain's needs a message there.
#include "lpu/serve/Ollama.h"

#include "JsonBody.h"

namespace lpu::serve::ollama {
namespace {

Json lineOf(Form form, const Identity &identity, const std::string &text, bool done) {
  Json json{{"model", identity.model}, {"created_at", isoTime(identity.created)}};
  if (form == Form::Chat)
    json["message"] = {{"role", "assistant"}, {"content", text}};
  else
    json["response"] = text;
  json["done"] = done;
  return json;
}

Json lastLine(Form form, const Identity &identity, const std::string &text, FinishReason reason, const Usage &usage) {
  Json json = lineOf(form, identity, text, true);
  json["done_reason"] = reason == FinishReason::Stop ? "stop" : "length";
  json["total_duration"] = usage.queueNs + usage.promptNs + usage.completionNs;
  json["load_duration"] = 0; // models are loaded before they are served
  json["prompt_eval_count"] = usage.promptTokens;
  json["prompt_eval_duration"] = usage.promptNs;
  json["eval_count"] = usage.completionTokens;
  json["eval_duration"] = usage.completionNs;
  return json;
}

Json loaded(Form form, const Identity &identity) {
  Json json = lineOf(form, identity, "", true);
  json["done_reason"] = "load";
  return json;
}

Json detailsOf(const ModelCard &card) {
  return {{"parent_model", ""},          {"format", "lpx"},
          {"family", card.architecture}, {"families", Json::array({card.architecture})},
          {"parameter_size", ""},        {"quantization_level", ""}};
}

Json entryOf(const ModelCard &card) {
  return {{"name", card.name},  {"model", card.name},     {"modified_at", isoTime(card.created)},
          {"size", card.bytes}, {"digest", card.program}, {"details", detailsOf(card)}};
}

} // namespace

Writer::Writer(Form form, const Request &request, Identity identity)
    : form(form), identity(std::move(identity)), empty(request.messages.empty() && request.prompts.empty()) {}

std::string Writer::token(const Piece &piece) { return dump(lineOf(form, identity, piece.text, false)) + "\n"; }

std::string Writer::finish(unsigned, FinishReason ended, const std::string &) {
  reason = ended;
  return "";
}

std::string Writer::end(const Usage &usage) {
  return dump(empty ? loaded(form, identity) : lastLine(form, identity, "", reason, usage)) + "\n";
}

std::string Writer::error(const Refusal &refusal) const { return dump({{"error", refusal.message}}) + "\n"; }

std::string Writer::silence() const { return dump(lineOf(form, identity, "", false)) + "\n"; }

std::string Writer::body(const std::vector<Choice> &choices, const Usage &usage) const {
  if (form == Form::Embed || form == Form::Embeddings)
    return embeddings({}, usage);
  if (empty)
    return dump(loaded(form, identity));
  return dump(lastLine(form, identity, choices.front().text, choices.front().reason, usage));
}

std::string Writer::embeddings(const std::vector<std::vector<float>> &vectors, const Usage &usage) const {
  if (form == Form::Embeddings)
    return dump({{"embedding", vectors.empty() ? Json::array() : Json(vectors.front())}});
  return dump({{"model", identity.model},
               {"embeddings", vectors.empty() ? Json::array() : Json(vectors)},
               {"total_duration", usage.queueNs + usage.promptNs + usage.completionNs},
               {"load_duration", 0},
               {"prompt_eval_count", usage.promptTokens}});
}

HttpResponse refusal(const Refusal &refusal, const std::string &) {
  constexpr int kTooMany = 429, kUnavailable = 503;
  return {usualStatus(refusal) == kTooMany ? kUnavailable : refusal.status,
          {},
          "application/json",
          dump({{"error", refusal.message}})};
}

std::string tagsBody(const std::vector<ModelCard> &cards) {
  Json models = Json::array();
  for (const ModelCard &card : cards)
    models.push_back(entryOf(card));
  return dump({{"models", models}});
}

std::string runningBody(const std::vector<ModelCard> &cards) {
  constexpr std::int64_t kNever = 253402300799; // the year 9999
  Json models = Json::array();
  for (const ModelCard &card : cards) {
    if (!card.loaded)
      continue;
    Json entry = entryOf(card);
    entry["expires_at"] = isoTime(kNever);
    entry["size_vram"] = card.bytes;
    entry["context_length"] = card.context;
    models.push_back(std::move(entry));
  }
  return dump({{"models", models}});
}

std::string showBody(const ModelCard &card) {
  const std::string &family = card.architecture;
  return dump({{"modelfile", "FROM " + card.name},
               {"parameters", ""},
               {"template", card.chatTemplate},
               {"details", detailsOf(card)},
               {"model_info",
                {{"general.architecture", family},
                 {family + ".context_length", card.context},
                 {family + ".block_count", card.layers},
                 {family + ".vocab_size", card.vocabulary}}},
               {"capabilities", Json::array({card.encoder ? "embedding" : "completion"})},
               {"modified_at", isoTime(card.created)}});
}

} // namespace lpu::serve::ollama
