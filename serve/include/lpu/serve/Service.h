// What every HTTP request means: routes, keys, errors, and how a request becomes a job of the engine and its events an
// answer. Knows HTTP's words but no sockets.
#pragma once

#include "lpu/serve/Engine.h"
#include "lpu/serve/OpenAi.h"

#include <array>
#include <atomic>
#include <chrono>
#include <deque>
#include <map>

namespace lpu::serve {

struct HttpRequest {
  std::string method, target;
  std::map<std::string, std::string> fields; ///< names in lower case
  std::string body;

  /// Empty: there is none.
  std::string field(const std::string &name) const;
};

using HttpFields = std::vector<std::pair<std::string, std::string>>;

struct HttpResponse {
  int status = 200;
  HttpFields fields; ///< besides those that follow from the body
  std::string type = "application/json", body;
};

/// The answer to one request while it comes: filled by the service, emptied by the connection, both on one thread.
class Answer {
public:
  using Clock = std::chrono::steady_clock;
  struct Part {
    std::string text;
    Clock::time_point due; ///< not to be sent before
  };

  /// One answer as a whole.
  void whole(HttpResponse response, Clock::time_point due = {});
  /// The head of a stream; parts follow, then end().
  void begin(HttpResponse head);
  void part(std::string text, Clock::time_point due = {});
  void end();

  /// The connection: what there is, and what it wants to hear.
  bool hasHead() const { return head.has_value(); }
  bool isStream() const { return stream; }
  const HttpResponse &response() const { return *head; }
  Clock::time_point headDue() const { return dueHead; }
  std::deque<Part> &parts() { return waiting; }
  bool ended() const { return over; }
  void onChange(std::function<void()> wake) { changed = std::move(wake); }
  /// The client has left.
  void abandon();
  /// Whether it has; may be asked from any thread.
  bool isAbandoned() const { return left; }

  /// The service: whom to tell if the client leaves.
  void onAbandon(std::function<void()> told);

private:
  void tell();

  std::optional<HttpResponse> head;
  Clock::time_point dueHead{};
  std::deque<Part> waiting;
  bool stream = false, over = false;
  std::atomic<bool> left{false};
  std::function<void()> changed, abandoned;
};

class RequestLog;
class TemplateLanes;
class TemplateRenderer;

struct ServiceOptions {
  std::vector<std::array<std::uint8_t, 32>> keys; ///< SHA-256 of those that are accepted; none: no key is needed
  std::vector<std::string> corsOrigins;
  std::vector<std::string> hostNames; ///< besides those of loopback
  bool checkHost = true;              ///< bound to loopback
  RequestLog *log = nullptr;
  TemplateLanes *templates = nullptr; ///< null: templates cannot be rendered
  RequestLimits limits;
};

class Service {
public:
  /// `background` runs what takes time (JSON, templates, tokens) on another thread, `post` brings results back.
  Service(Engine &engine, ServiceOptions options, Engine::Post background, Engine::Post post);

  /// On the engine's thread. The answer comes at once or later.
  void handle(HttpRequest request, std::shared_ptr<Answer> answer);
  /// No new requests; those under way go on.
  void drain() { draining = true; }

private:
  using Handler = void (Service::*)(const HttpRequest &, const std::string &, const std::shared_ptr<Answer> &);
  struct Route {
    const char *method, *path;
    bool isPrefix; ///< what follows the path is the handler's argument
    bool needsKey;
    Handler handler;
  };
  static const std::vector<Route> &routes();

  void route(const HttpRequest &request, const std::string &path, const std::shared_ptr<Answer> &answer);
  std::optional<Refusal> forbidden(const HttpRequest &request) const;
  /// Answers why not, and notes it in the log.
  void refuse(Answer &answer, const Refusal &refusal, const HttpFields &fields = {}) const;
  bool hasKey(const HttpRequest &request) const;
  void addCors(const HttpRequest &request, HttpFields &fields) const;

  void health(const HttpRequest &, const std::string &, const std::shared_ptr<Answer> &);
  void ready(const HttpRequest &, const std::string &, const std::shared_ptr<Answer> &);
  void listModels(const HttpRequest &, const std::string &, const std::shared_ptr<Answer> &);
  void showModel(const HttpRequest &, const std::string &, const std::shared_ptr<Answer> &);
  void chat(const HttpRequest &, const std::string &, const std::shared_ptr<Answer> &);
  void complete(const HttpRequest &, const std::string &, const std::shared_ptr<Answer> &);
  void embed(const HttpRequest &, const std::string &, const std::shared_ptr<Answer> &);
  void applyTemplate(const HttpRequest &, const std::string &, const std::shared_ptr<Answer> &);
  void showMetrics(const HttpRequest &, const std::string &, const std::shared_ptr<Answer> &);
  void showPage(const HttpRequest &, const std::string &, const std::shared_ptr<Answer> &);
  void quote(const HttpRequest &, const std::string &, const std::shared_ptr<Answer> &);
  void showProof(const HttpRequest &, const std::string &, const std::shared_ptr<Answer> &);
  void showSystems(const HttpRequest &, const std::string &, const std::shared_ptr<Answer> &);

  /// Parses and tokenizes in the background, then goes on with a checked request, or answers why not.
  using Parse = std::function<OrRefusal<Request>()>;
  using Next = std::function<void(const Model &, Prepared)>;
  void prepare(Parse parse, const std::shared_ptr<Answer> &answer, Next next);
  /// Runs `task` in the background: a chat's with its model's renderer, which may be slow, others' with none. False:
  /// too many chats of the model wait.
  bool withRenderer(const Model &model, Task kind, std::function<void(TemplateRenderer *)> task);
  void generate(Task task, const HttpRequest &request, const std::shared_ptr<Answer> &answer);
  OrRefusal<const Model *> modelOf(const Request &request) const;
  openai::ModelCard cardOf(const Model &model) const;

  Engine &engine;
  ServiceOptions options;
  Engine::Post background, post;
  bool draining = false;
};

std::string newRequestId();

/// An answer that says why there is none, in the OpenAI dialect's shape.
HttpResponse responseOf(const Refusal &refusal, const std::string &id = newRequestId());

} // namespace lpu::serve
