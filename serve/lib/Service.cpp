// The engine answers with events; a Reply turns them into a stream or a body. Everything is written by the dialect's
// pure functions; here is only the order.
#include "lpu/serve/Service.h"

#include "DialectRoutes.h"
#include "Embedded.h"
#include "JsonResponse.h"
#include "Prompt.h"
#include "Reply.h"
#include "RequestLog.h"
#include "Secrets.h"
#include "TemplateLanes.h"
#include "lpu/isa/Base64.h"
#include "lpu/serve/Anthropic.h"
#include "lpu/serve/Gemini.h"
#include "lpu/serve/HttpHead.h"
#include "lpu/serve/OpenAi.h"
#include "lpu/serve/Worker.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <ctime>
#include <utility>

namespace lpu::serve {
namespace {

constexpr const char *kOpenAiPrefix = "/openai"; // Groq's clients post below it

std::optional<std::int64_t> wholeNumber(const std::string &text) {
  std::int64_t value = 0;
  auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
  return code == std::errc{} && end == text.data() + text.size() && value >= 0 ? std::optional(value) : std::nullopt;
}

std::string_view between(std::string_view text, std::string_view begin, std::string_view end) {
  const std::size_t from = text.find(begin) + begin.size();
  return text.substr(from, text.find(end, from) - from);
}

std::string base64Of(const Digest &digest) {
  return toBase64({reinterpret_cast<const char *>(digest.data()), digest.size()});
}

} // namespace

std::string newRequestId() { return "req_" + randomHex(12); }

HttpResponse responseOf(const Refusal &refusal, const std::string &id, RefusalWriter write) {
  HttpResponse response = write(refusal, id);
  response.fields.emplace_back("x-request-id", id);
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
  static const std::vector<Route> table = [] {
    std::vector<Route> all = {
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
    for (auto *more : {anthropic::routes, bedrock::routes, gemini::routes, ollama::routes})
      std::ranges::move(more(), std::back_inserter(all));
    return all;
  }();
  return table;
}

void Service::handle(HttpRequest request, std::shared_ptr<Answer> answer) {
  std::string path(request.path());
  answer->setRefusals(refusalWriterOf(request));
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
    return route.handler(*this, request, percentDecoded(path.substr(start.size())), answer);
  }
  if (allowed.empty())
    return refuse(*answer, {404, "there is nothing at this path", "", "not_found"});
  refuse(*answer, {405, "this method is not allowed here", "", "method_not_allowed"}, {{"Allow", allowed}});
}

void Service::refuse(Answer &answer, const Refusal &refusal, const HttpFields &fields) const {
  const std::string id = newRequestId();
  if (options.log)
    options.log->write({id, "", refusal.status, refusal.code, {}, {}});
  HttpResponse response = responseOf(refusal, id, answer.refusalWriter());
  response.fields.insert(response.fields.end(), fields.begin(), fields.end());
  answer.whole(std::move(response));
}

bool Service::hasKey(const HttpRequest &request) const {
  if (options.keys.empty())
    return true;
  const Digest digest = sha256(keyOf(request));
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
    return answer->whole(jsonResponse({{"status", "error"}, {"message", wrong}}, 503));
  if (engine.loading())
    return answer->whole(jsonResponse({{"status", "loading"}}, 503));
  answer->whole(jsonResponse({{"status", "ok"}}));
}

void Service::ready(const HttpRequest &request, const std::string &rest, const std::shared_ptr<Answer> &answer) {
  if (draining)
    return answer->whole(jsonResponse({{"status", "draining"}}, 503));
  health(request, rest, answer);
}

ModelCard Service::cardOf(const Model &model) const {
  const isa::ModelInfo &info = model.program().model;
  ModelCard card;
  card.name = model.name();
  card.created = model.created();
  card.context = model.timing().context();
  card.vocabulary = info.vocabulary;
  card.encoder = model.timing().isEncoder();
  card.program = model.sha256();
  card.bytes = model.program().image.size();
  card.layers = info.layers;
  card.templateOrigin = options.templates ? model.templateOrigin() : "plain";
  card.chatTemplate = options.templates ? model.chatTemplate() : "";
  card.loaded = engine.state(model).loaded;
  card.systems = model.systems();
  card.users = model.timing().users();
  card.chips = model.program().chips.size();
  card.architecture = info.architecture;
  return card;
}

std::vector<ModelCard> Service::cards() const {
  std::vector<ModelCard> all;
  for (const Model *model : engine.models())
    all.push_back(cardOf(*model));
  return all;
}

std::optional<ModelCard> Service::card(const std::string &name) const {
  const Model *model = engine.find(name);
  return model ? std::optional(cardOf(*model)) : std::nullopt;
}

namespace {

/// Three dialects list their models at the same path.
std::string listOf(RefusalWriter dialect, const std::vector<ModelCard> &cards) {
  return dialect == anthropic::refusal ? anthropic::modelsBody(cards)
         : dialect == gemini::refusal  ? gemini::modelsBody(cards)
                                       : openai::modelsBody(cards);
}

} // namespace

void Service::listModels(const HttpRequest &, const std::string &, const std::shared_ptr<Answer> &answer) {
  answer->whole({200, {}, "application/json", listOf(answer->refusalWriter(), cards())});
}

void Service::showModel(const HttpRequest &, const std::string &name, const std::shared_ptr<Answer> &answer) {
  const auto found = card(name);
  if (!found)
    return refuse(*answer, {404, fmt::format("there is no model '{}'", name), "model", "model_not_found"});
  const RefusalWriter dialect = answer->refusalWriter();
  answer->whole({200,
                 {},
                 "application/json",
                 dialect == anthropic::refusal ? anthropic::modelBody(*found)
                 : dialect == gemini::refusal  ? gemini::modelBody(*found)
                                               : openai::modelBody(*found)});
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

namespace {

Refusal templateBusy(const Model &model) {
  constexpr std::int64_t kRetryMs = 1000;
  return {503, fmt::format("too many chats wait for the chat template of model '{}'", model.name()), "messages",
          "template_busy", kRetryMs};
}

} // namespace

bool Service::withRenderer(const Model &model, Task kind, std::function<void(TemplateRenderer *)> task) {
  if (kind == Task::Chat && options.templates && options.templates->has(model))
    return options.templates->add(model, [task = std::move(task)](TemplateRenderer &renderer) { task(&renderer); });
  task(nullptr);
  return true;
}

void Service::prepare(Parse parse, const std::shared_ptr<Answer> &answer, Next next, bool check) {
  background([this, parse = std::move(parse), answer, next = std::move(next), check] {
    const auto refuseLater = [this, answer](Refusal refusal) {
      post([this, answer, refusal = std::move(refusal)] { refuse(*answer, refusal); });
    };
    auto request = parse();
    if (!request)
      return refuseLater(request.refusal());
    auto found = modelOf(*request);
    if (!found)
      return refuseLater(found.refusal());
    const Model &model = **found;
    const Task kind = request->task;
    const bool taken = withRenderer(
        model, kind, [this, &model, request = std::move(*request), answer, next, check](TemplateRenderer *renderer) {
          if (answer->isAbandoned())
            return; // before a template takes its time
          post([this, &model, prepared = tokenize(model, request, renderer), answer, next, check] {
            auto checked = prepared && check ? engine.check(model, *prepared) : prepared;
            if (!checked)
              return refuse(*answer, checked.refusal());
            next(model, std::move(*checked));
          });
        });
    if (!taken)
      refuseLater(templateBusy(model));
  });
}

std::optional<Refusal> Service::unreadable(const HttpRequest &request, bool opaque) const {
  if (draining)
    return Refusal{503, "the server is going down", "", "draining", 1000};
  const std::string type = request.field("content-type");
  if (!type.starts_with("application/json") && !(opaque && type == "application/octet-stream"))
    return Refusal{415, "Content-Type must be application/json", "", "unsupported_media_type"};
  return std::nullopt;
}

void Service::generate(const HttpRequest &request, Exchange exchange, const std::shared_ptr<Answer> &answer) {
  if (const auto wrong = unreadable(request, exchange.opaque))
    return refuse(*answer, *wrong);
  Terms terms;
  for (auto [name, to] : {std::pair{"x-lpu-arrival-ns", &terms.arrivalNs}, {"x-lpu-deadline-ns", &terms.deadlineNs}})
    if (const std::string value = request.field(name); !value.empty() && !(*to = wholeNumber(value)))
      return refuse(*answer, {400, fmt::format("{} must be a whole number of nanoseconds", name), name, ""});
  HttpFields fields;
  addCors(request, fields);
  if (request.field("x-lpu-quote") == "1")
    return quoteFor(std::move(exchange.parse), answer);
  prepare(std::move(exchange.parse), answer,
          [this, terms, answer, fields, writer = std::move(exchange.writer)](const Model &model, Prepared prepared) {
            if (prepared.prompts.empty())
              return answerNothing(model, prepared, writer, *answer);
            auto reply = std::make_shared<Reply>(engine, model, prepared, answer, fields, writer, options.log);
            const std::string id = engine.submit(model, std::move(prepared), terms, reply);
            answer->onAbandon([this, id, reply] {
              engine.cancel(id);
              reply->left(id);
            });
          });
}

void Service::answerNothing(const Model &model, const Prepared &prepared, const WriterMaker &make, Answer &answer) {
  const auto writer = make(prepared.request, {newRequestId(), std::time(nullptr), model.name(), "", 0});
  if (!prepared.request.stream)
    return answer.whole({200, {}, "application/json", writer->body({}, {})});
  std::string stream = writer->begin();
  stream += writer->end({});
  answer.whole({200, {}, writer->streamType(), std::move(stream)});
}

void Service::count(const HttpRequest &request, Parse parse, std::function<std::string(std::uint64_t)> write,
                    const std::shared_ptr<Answer> &answer) {
  if (const auto wrong = unreadable(request, false))
    return refuse(*answer, *wrong);
  prepare(
      std::move(parse), answer,
      [answer, write = std::move(write)](const Model &, const Prepared &prepared) {
        std::uint64_t tokens = 0;
        for (const std::vector<TokenId> &prompt : prepared.prompts)
          tokens += prompt.size();
        answer->whole({200, {}, "application/json", write(tokens)});
      },
      false);
}

void Service::generate(Task task, const HttpRequest &request, const std::shared_ptr<Answer> &answer) {
  const bool timestamps = request.field("x-lpu-timestamps") == "1";
  generate(request,
           {[task, body = request.body, limits = options.limits] { return openai::parse(task, body, limits); },
            [timestamps](const Request &request, const Identity &identity) {
              return std::make_unique<openai::Writer>(request, identity, timestamps);
            },
            false},
           answer);
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
    const auto tell = [this, answer](OrRefusal<std::string> text) {
      post([this, answer, text = std::move(text)] {
        if (!text)
          return refuse(*answer, text.refusal());
        answer->whole(jsonResponse({{"prompt", *text}}));
      });
    };
    auto parsed = openai::parse(Task::Chat, body, options.limits);
    auto model = parsed ? modelOf(*parsed) : OrRefusal<const Model *>(parsed.refusal());
    if (!model)
      return tell(model.refusal());
    const bool taken = withRenderer(**model, Task::Chat,
                                    [tell, model = *model, messages = parsed->messages](TemplateRenderer *renderer) {
                                      tell(chatText(*model, messages, renderer));
                                    });
    if (!taken)
      tell(templateBusy(**model));
  });
}

void Service::showMetrics(const HttpRequest &, const std::string &, const std::shared_ptr<Answer> &answer) {
  std::vector<ModelGauges> gauges;
  for (const Model *model : engine.models()) {
    const Engine::ModelState state = engine.state(*model);
    gauges.push_back({model->name(), state.running, state.waiting, state.slots, state.resident, state.loads,
                      state.cacheUsage, &engine.metrics(*model)});
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

} // namespace lpu::serve
