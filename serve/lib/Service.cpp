// The engine answers with events; a Reply turns them into a stream or a body. Everything is written by the dialect's
// pure functions; here is only the order.
#include "lpu/serve/Service.h"

#include "Embedded.h"
#include "JsonBody.h"
#include "Prompt.h"
#include "Reply.h"
#include "RequestLog.h"
#include "Secrets.h"
#include "lpu/isa/Base64.h"
#include "lpu/serve/HttpHead.h"
#include "lpu/serve/Worker.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <utility>

namespace lpu::serve {
namespace {

constexpr const char *kOpenAiPrefix = "/openai"; // Groq's clients post below it

std::optional<std::int64_t> wholeNumber(const std::string &text) {
  std::int64_t value = 0;
  auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
  return code == std::errc{} && end == text.data() + text.size() && value >= 0 ? std::optional(value) : std::nullopt;
}

/// "%2F" is "/"; what is no escape stands for itself.
std::string percentDecoded(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    unsigned value = 0;
    const char *digits = text.data() + i + 1;
    if (text[i] == '%' && i + 2 < text.size() && std::from_chars(digits, digits + 2, value, 16).ptr == digits + 2)
      out += static_cast<char>(value), i += 2;
    else
      out += text[i];
  }
  return out;
}

std::string_view between(std::string_view text, std::string_view begin, std::string_view end) {
  const std::size_t from = text.find(begin) + begin.size();
  return text.substr(from, text.find(end, from) - from);
}

std::string base64Of(const Digest &digest) {
  return toBase64({reinterpret_cast<const char *>(digest.data()), digest.size()});
}

HttpResponse json(const Json &value, int status = 200) { return {status, {}, "application/json", dump(value)}; }

Json promiseJson(const Promise &promise) {
  return {{"queue_ns", promise.queueNs},        {"ttft_ns", promise.ttftNs},       {"token_ns", promise.tokenNs},
          {"total_ns_max", promise.totalNsMax}, {"cycles_max", promise.cyclesMax}, {"exact", promise.exact}};
}

/// The command that gives a sequence the same tokens and digest.
std::string commandOf(const Model &model, const ProvedSequence &sequence) {
  const std::string ids = fmt::format("{}", fmt::join(sequence.prompt, ","));
  if (model.timing().isEncoder())
    return model.runCommand() + " --input-ids=" + ids;
  std::string command = model.runCommand() + " --tokens=" + ids + fmt::format(" -n {}", sequence.maxTokens);
  const rt::SamplerOptions &sampling = sequence.sampling;
  if (sampling.temperature > 0) {
    command += fmt::format(" --temperature {} --seed {}", sampling.temperature, sampling.seed);
    if (sampling.topP < 1)
      command += fmt::format(" --top-p {}", sampling.topP);
    if (sampling.topK > 0)
      command += fmt::format(" --top-k {}", sampling.topK);
  }
  for (const std::string &stop : sequence.stops)
    command += " --stop " + quoted(stop);
  return command;
}

Json sequenceJson(const Model &model, const ProvedSequence &sequence) {
  return {{"prompt_tokens", sequence.prompt},
          {"tokens", sequence.tokens},
          {"max_tokens", sequence.maxTokens},
          {"seed", sequence.sampling.seed},
          {"temperature", sequence.sampling.temperature},
          {"finish_reason", sequence.finish.empty() ? Json(nullptr) : Json(sequence.finish)},
          {"start_cycle", sequence.startCycle},
          {"steps", sequence.steps},
          {"cycles_predicted", sequence.predictedCycles},
          {"cycles_simulated", sequence.simulatedCycles},
          {"digest", sequence.digest.empty() ? Json(nullptr) : Json(sequence.digest)},
          {"command", commandOf(model, sequence)}};
}

} // namespace

std::string HttpRequest::field(const std::string &name) const {
  const auto found = fields.find(name);
  return found == fields.end() ? "" : found->second;
}

void Answer::tell() {
  if (changed)
    changed();
}

void Answer::whole(HttpResponse response, Clock::time_point due) {
  head = std::move(response);
  dueHead = due;
  over = true;
  tell();
}

void Answer::begin(HttpResponse response) {
  head = std::move(response);
  stream = true;
  tell();
}

void Answer::part(std::string text, Clock::time_point due) {
  waiting.push_back({std::move(text), due});
  tell();
}

void Answer::end() {
  over = true;
  tell();
}

void Answer::onAbandon(std::function<void()> told) {
  if (left && told)
    return told();
  abandoned = std::move(told);
}

void Answer::abandon() {
  left = true;
  changed = nullptr;
  if (auto told = std::exchange(abandoned, nullptr))
    told();
}

std::string newRequestId() { return "req_" + randomHex(12); }

HttpResponse responseOf(const Refusal &refusal, const std::string &id) {
  HttpResponse response{refusal.status, {{"x-request-id", id}}, "application/json", openai::errorBody(refusal)};
  if (refusal.retryAfterMs) {
    constexpr std::int64_t kMsPerSecond = 1000;
    response.fields.emplace_back("retry-after-ms", fmt::to_string(*refusal.retryAfterMs));
    response.fields.emplace_back("retry-after",
                                 fmt::to_string((*refusal.retryAfterMs + kMsPerSecond - 1) / kMsPerSecond));
  }
  if (refusal.status == 401)
    response.fields.emplace_back("WWW-Authenticate", "Bearer");
  return response;
}

Service::Service(Engine &engine, ServiceOptions options, Engine::Post background, Engine::Post post)
    : engine(engine), options(std::move(options)), background(std::move(background)), post(std::move(post)) {}

const std::vector<Service::Route> &Service::routes() {
  static const std::vector<Route> table = {
      {"GET", "/health", false, false, &Service::health},
      {"GET", "/healthz", false, false, &Service::health},
      {"GET", "/v1/health", false, false, &Service::health},
      {"GET", "/readyz", false, false, &Service::ready},
      {"GET", "/v1/models", false, true, &Service::listModels},
      {"GET", "/v1/models/", true, true, &Service::showModel},
      {"POST", "/v1/chat/completions", false, true, &Service::chat},
      {"POST", "/v1/completions", false, true, &Service::complete},
      {"POST", "/v1/embeddings", false, true, &Service::embed},
      {"POST", "/apply-template", false, true, &Service::applyTemplate},
      {"GET", "/metrics", false, true, &Service::showMetrics},
      {"GET", "/", false, false, &Service::showPage},
      {"POST", "/lpu/v1/quote", false, true, &Service::quote},
      {"GET", "/lpu/v1/requests/", true, true, &Service::showProof},
      {"GET", "/lpu/v1/systems", false, true, &Service::showSystems},
  };
  return table;
}

void Service::handle(HttpRequest request, std::shared_ptr<Answer> answer) {
  std::string path = request.target.substr(0, request.target.find('?'));
  if (path.starts_with(kOpenAiPrefix) && path.starts_with("/openai/v1/"))
    path.erase(0, std::string_view(kOpenAiPrefix).size());
  if (auto refusal = forbidden(request))
    return refuse(*answer, *refusal);
  if (request.method == "OPTIONS") {
    HttpResponse response{204, {}, "", ""};
    addCors(request, response.fields);
    return answer->whole(std::move(response));
  }
  route(request, path, answer);
}

std::optional<Refusal> Service::forbidden(const HttpRequest &request) const {
  if (options.checkHost && !isOwnHost(request.field("host"), options.hostNames))
    return Refusal{403, "this Host is not served here", "", "host_not_allowed"};
  return std::nullopt;
}

void Service::route(const HttpRequest &request, const std::string &path, const std::shared_ptr<Answer> &answer) {
  const std::string method = request.method == "HEAD" ? "GET" : request.method;
  std::string allowed;
  for (const Route &route : routes()) {
    const std::string_view start = route.path;
    if (route.isPrefix ? !path.starts_with(start) || path.size() == start.size() : path != start)
      continue;
    if (route.method != method) {
      allowed = route.method == std::string_view("GET") ? "GET, HEAD, OPTIONS" : "POST, OPTIONS";
      continue;
    }
    if (route.needsKey && !hasKey(request))
      return refuse(*answer, {401, "a key is needed: send Authorization: Bearer KEY", "", "invalid_api_key"});
    if (const std::string coding = request.field("content-encoding"); !coding.empty() && coding != "identity")
      return refuse(*answer,
                    {415, "Content-Encoding is not known here; send the body as it is", "", "unsupported_media_type"});
    return (this->*route.handler)(request, percentDecoded(path.substr(start.size())), answer);
  }
  if (allowed.empty())
    return refuse(*answer, {404, "there is nothing at this path", "", "not_found"});
  refuse(*answer, {405, "this method is not allowed here", "", "method_not_allowed"}, {{"Allow", allowed}});
}

void Service::refuse(Answer &answer, const Refusal &refusal, const HttpFields &fields) const {
  const std::string id = newRequestId();
  if (options.log)
    options.log->write({id, "", refusal.status, refusal.code, {}, {}});
  HttpResponse response = responseOf(refusal, id);
  response.fields.insert(response.fields.end(), fields.begin(), fields.end());
  answer.whole(std::move(response));
}

bool Service::hasKey(const HttpRequest &request) const {
  if (options.keys.empty())
    return true;
  constexpr std::string_view kBearer = "bearer "; // in any case, as RFC 9110 says of schemes
  const std::string given = request.field("authorization");
  const std::string_view scheme = std::string_view(given).substr(0, kBearer.size());
  if (!std::ranges::equal(scheme, kBearer, {}, [](unsigned char c) { return std::tolower(c); }))
    return false;
  const Digest digest = sha256(std::string_view(given).substr(kBearer.size()));
  bool found = false; // all are looked at: how long it takes says nothing
  for (const Digest &key : options.keys)
    found |= sameDigest(key, digest);
  return found;
}

void Service::addCors(const HttpRequest &request, HttpFields &fields) const {
  const std::string origin = request.field("origin");
  if (origin.empty() || std::ranges::find(options.corsOrigins, origin) == options.corsOrigins.end())
    return;
  fields.emplace_back("Access-Control-Allow-Origin", origin);
  fields.emplace_back("Vary", "Origin");
  if (request.method != "OPTIONS") {
    fields.emplace_back("Access-Control-Expose-Headers", "*");
    return;
  }
  fields.emplace_back("Access-Control-Allow-Methods", "GET, POST, OPTIONS");
  fields.emplace_back("Access-Control-Max-Age", "600");
  if (const std::string asked = request.field("access-control-request-headers"); !asked.empty())
    fields.emplace_back("Access-Control-Allow-Headers", asked);
}

void Service::health(const HttpRequest &, const std::string &, const std::shared_ptr<Answer> &answer) {
  const std::string wrong = engine.health();
  if (!wrong.empty())
    return answer->whole(json({{"status", "error"}, {"message", wrong}}, 503));
  if (engine.loading())
    return answer->whole(json({{"status", "loading"}}, 503));
  answer->whole(json({{"status", "ok"}}));
}

void Service::ready(const HttpRequest &request, const std::string &rest, const std::shared_ptr<Answer> &answer) {
  if (draining)
    return answer->whole(json({{"status", "draining"}}, 503));
  health(request, rest, answer);
}

openai::ModelCard Service::cardOf(const Model &model) const {
  const isa::ModelInfo &info = model.program().model;
  openai::ModelCard card;
  card.name = model.name();
  card.created = model.created();
  card.context = model.timing().context();
  card.vocabulary = info.vocabulary;
  card.encoder = model.timing().isEncoder();
  card.program = model.sha256();
  card.chatTemplate = options.renderer ? model.templateOrigin() : "plain";
  card.systems = model.systems();
  card.users = model.timing().users();
  card.chips = model.program().chips.size();
  card.architecture = info.architecture;
  return card;
}

void Service::listModels(const HttpRequest &, const std::string &, const std::shared_ptr<Answer> &answer) {
  std::vector<openai::ModelCard> cards;
  for (const Model *model : engine.models())
    cards.push_back(cardOf(*model));
  answer->whole({200, {}, "application/json", openai::modelsBody(cards)});
}

void Service::showModel(const HttpRequest &, const std::string &name, const std::shared_ptr<Answer> &answer) {
  const Model *model = engine.find(name);
  if (!model)
    return refuse(*answer, {404, fmt::format("there is no model '{}'", name), "model", "model_not_found"});
  answer->whole({200, {}, "application/json", openai::modelBody(cardOf(*model))});
}

OrRefusal<const Model *> Service::modelOf(const Request &request) const {
  const Model *model = engine.find(request.model);
  if (!model && request.model.empty())
    return Refusal{400, "model must name one of the models of /v1/models", "model", ""};
  if (!model)
    return Refusal{404, fmt::format("there is no model '{}'; /v1/models lists those that are", request.model), "model",
                   "model_not_found"};
  const bool encodes = model->timing().isEncoder();
  if (encodes != (request.task == Task::Embedding))
    return Refusal{400,
                   fmt::format("model '{}' is {}", model->name(),
                               encodes ? "an encoder; post to /v1/embeddings" : "no encoder; it makes no embeddings"),
                   "model", ""};
  if (encodes && !embeddingOf(model->program(), 0))
    return Refusal{400,
                   fmt::format("model '{}' has no output that is one vector a sequence; export it with its pooling",
                               model->name()),
                   "model", ""};
  return model;
}

void Service::prepare(Parse parse, const std::shared_ptr<Answer> &answer, Next next) {
  background([this, parse = std::move(parse), answer, next = std::move(next)] {
    auto request = parse();
    auto model = request ? modelOf(*request) : OrRefusal<const Model *>(request.refusal());
    auto prepared =
        model ? tokenize(**model, std::move(*request), options.renderer) : OrRefusal<Prepared>(model.refusal());
    post([this, model, prepared = std::move(prepared), answer, next] {
      auto checked = prepared ? engine.check(**model, *prepared) : prepared;
      if (!checked)
        return refuse(*answer, checked.refusal());
      next(**model, std::move(*checked));
    });
  });
}

void Service::generate(Task task, const HttpRequest &request, const std::shared_ptr<Answer> &answer) {
  if (draining)
    return refuse(*answer, {503, "the server is going down", "", "draining", 1000});
  const std::string type = request.field("content-type");
  if (!type.starts_with("application/json"))
    return refuse(*answer, {415, "Content-Type must be application/json", "", "unsupported_media_type"});
  Terms terms;
  for (auto [name, to] : {std::pair{"x-lpu-arrival-ns", &terms.arrivalNs}, {"x-lpu-deadline-ns", &terms.deadlineNs}})
    if (const std::string value = request.field(name); !value.empty() && !(*to = wholeNumber(value)))
      return refuse(*answer, {400, fmt::format("{} must be a whole number of nanoseconds", name), name, ""});
  HttpFields fields;
  addCors(request, fields);
  prepare([task, body = request.body, limits = options.limits] { return openai::parse(task, body, limits); }, answer,
          [this, terms, answer, fields, timestamps = request.field("x-lpu-timestamps") == "1"](const Model &model,
                                                                                               Prepared prepared) {
            auto reply = std::make_shared<Reply>(engine, model, prepared, answer, fields, timestamps, options.log);
            const std::string id = engine.submit(model, std::move(prepared), terms, reply);
            answer->onAbandon([this, id, reply] {
              engine.cancel(id);
              reply->left(id);
            });
          });
}

void Service::chat(const HttpRequest &request, const std::string &, const std::shared_ptr<Answer> &answer) {
  generate(Task::Chat, request, answer);
}

void Service::complete(const HttpRequest &request, const std::string &, const std::shared_ptr<Answer> &answer) {
  generate(Task::Completion, request, answer);
}

void Service::embed(const HttpRequest &request, const std::string &, const std::shared_ptr<Answer> &answer) {
  generate(Task::Embedding, request, answer);
}

void Service::applyTemplate(const HttpRequest &request, const std::string &, const std::shared_ptr<Answer> &answer) {
  background([this, body = request.body, answer] {
    auto parsed = openai::parse(Task::Chat, body, options.limits);
    auto model = parsed ? modelOf(*parsed) : OrRefusal<const Model *>(parsed.refusal());
    auto text = model ? chatText(**model, parsed->messages, options.renderer) : OrRefusal<std::string>(model.refusal());
    post([this, answer, text = std::move(text)] {
      if (!text)
        return refuse(*answer, text.refusal());
      answer->whole(json({{"prompt", *text}}));
    });
  });
}

void Service::showMetrics(const HttpRequest &, const std::string &, const std::shared_ptr<Answer> &answer) {
  std::vector<ModelGauges> gauges;
  for (const Model *model : engine.models()) {
    const Engine::ModelState state = engine.state(*model);
    gauges.push_back({model->name(), state.running, state.waiting, state.slots, &engine.metrics(*model)});
  }
  answer->whole({200, {}, "text/plain; version=0.0.4; charset=utf-8", metricsText(gauges)});
}

void Service::showPage(const HttpRequest &, const std::string &, const std::shared_ptr<Answer> &answer) {
  static const std::string policy = fmt::format(
      "default-src 'none'; connect-src 'self'; img-src data:; script-src 'sha256-{}'; style-src 'sha256-{}'; "
      "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
      base64Of(sha256(between(kPage, "<script>", "</script>"))),
      base64Of(sha256(between(kPage, "<style>", "</style>"))));
  answer->whole(
      {200,
       {{"Content-Security-Policy", policy}, {"Referrer-Policy", "no-referrer"}, {"Cache-Control", "no-cache"}},
       "text/html; charset=utf-8",
       kPage});
}

void Service::quote(const HttpRequest &request, const std::string &, const std::shared_ptr<Answer> &answer) {
  prepare([body = request.body, limits = options.limits] { return openai::parseAny(body, limits); }, answer,
          [this, answer](const Model &model, const Prepared &prepared) {
            const Quote quote = engine.quote(model, prepared);
            Json tokens = Json::array();
            for (const Timing::Bucket &bucket : model.timing().buckets())
              tokens.push_back({bucket.context, model.timing().clock().nanoseconds(bucket.cycles)});
            answer->whole(json({{"model", model.name()},
                                {"prompt_tokens", quote.promptTokens},
                                {"max_tokens", quote.maxTokens},
                                {"start_ns", quote.startNs},
                                {"ttft_ns", quote.promise.ttftNs},
                                {"token_ns", tokens},
                                {"total_ns_max", quote.promise.totalNsMax},
                                {"cycles_max", quote.promise.cyclesMax},
                                {"exact", quote.promise.exact},
                                {"slots", {{"free", quote.slotsFree}, {"of", quote.slots}, {"bound_by", "kv"}}},
                                {"program", "sha256:" + model.sha256()}}));
          });
}

void Service::showProof(const HttpRequest &, const std::string &id, const std::shared_ptr<Answer> &answer) {
  const std::size_t prefix = id.find("req_"); // ids of answers are those of requests behind a word: chatcmpl-req_…
  const Proof *proof = prefix == std::string::npos ? nullptr : engine.proof(id.substr(prefix));
  if (!proof)
    return refuse(*answer, {404, "no request of this id is known; the latest are kept", "", "not_found"});
  const Model &model = *engine.find(proof->model);
  Json sequences = Json::array();
  for (const ProvedSequence &sequence : proof->sequences)
    sequences.push_back(sequenceJson(model, sequence));
  answer->whole(json({{"id", proof->id},
                      {"model", proof->model},
                      {"program", "sha256:" + proof->program},
                      {"arrival_cycle", proof->arrivalCycle},
                      {"promise", promiseJson(proof->promise)},
                      {"sequences", sequences}}));
}

void Service::showSystems(const HttpRequest &, const std::string &, const std::shared_ptr<Answer> &answer) {
  Json data = Json::array();
  for (const Model *model : engine.models()) {
    const Engine::ModelState state = engine.state(*model);
    data.push_back({{"model", model->name()},
                    {"systems", state.systems},
                    {"slots", state.slots},
                    {"running", state.running},
                    {"waiting", state.waiting},
                    {"now_ns", model->timing().clock().nanoseconds(state.now)},
                    {"state", !state.broken.empty() ? "broken"
                              : state.loaded        ? "ready"
                                                    : "loading"}});
  }
  answer->whole(json({{"data", data}}));
}

} // namespace lpu::serve
