// What every HTTP request means: routes, keys, errors, and how a request becomes a job of the engine and its events an
// answer. Knows HTTP's words but no sockets.
#pragma once

#include "lpu/serve/Dialect.h"
#include "lpu/serve/Engine.h"

#include <array>
#include <atomic>
#include <chrono>
#include <deque>

namespace lpu::serve {

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
  /// The head of a stream; parts follow, then end(). `silence`: what may be sent between parts so that nobody takes the
  /// stream for dead; empty: nothing.
  void begin(HttpResponse head, std::string silence);
  void part(std::string text, Clock::time_point due = {});
  void end();

  /// The connection: what there is, and what it wants to hear.
  bool hasHead() const { return head.has_value(); }
  bool isStream() const { return stream; }
  const HttpResponse &response() const { return *head; }
  Clock::time_point headDue() const { return dueHead; }
  std::deque<Part> &parts() { return waiting; }
  const std::string &silence() const { return quiet; }
  bool ended() const { return over; }
  void onChange(std::function<void()> wake) { changed = std::move(wake); }
  /// The client has left.
  void abandon();
  /// Whether it has; may be asked from any thread.
  bool isAbandoned() const { return left; }

  /// The service: whom to tell if the client leaves.
  void onAbandon(std::function<void()> told);
  /// How its dialect writes refusals.
  void setRefusals(RefusalWriter write) { refusals = write; }
  RefusalWriter refusalWriter() const { return refusals; }

private:
  void tell();

  RefusalWriter refusals = openai::refusal;
  std::string quiet;
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

  /// What is done with a request: `rest` is what follows a prefix, decoded.
  using Handler =
      std::function<void(Service &, const HttpRequest &, const std::string &rest, const std::shared_ptr<Answer> &)>;
  struct Route {
    const char *method, *path;
    bool isPrefix; ///< what follows the path is the handler's argument
    bool needsKey;
    Handler handler;
  };

  // For the routes of dialects.

  using Parse = std::function<OrRefusal<Request>()>;
  /// How a dialect reads a body and writes the answer. `parse` runs on another thread.
  struct Exchange {
    Parse parse;
    WriterMaker writer;
    bool opaque = false; ///< clients may call the body application/octet-stream
  };
  /// Runs the request of a body, and answers with what comes of it.
  void generate(const HttpRequest &request, Exchange exchange, const std::shared_ptr<Answer> &answer);
  /// Answers with what `write` makes of the number of the prompt's tokens; runs nothing.
  void count(const HttpRequest &request, Parse parse, std::function<std::string(std::uint64_t)> write,
             const std::shared_ptr<Answer> &answer);
  std::vector<ModelCard> cards() const;
  /// Nothing: there is no model of that name.
  std::optional<ModelCard> card(const std::string &name) const;
  const RequestLimits &limits() const { return options.limits; }
  /// Answers why not, and notes it in the log.
  void refuse(Answer &answer, const Refusal &refusal, const HttpFields &fields = {}) const;

private:
  static const std::vector<Route> &routes();

  void route(const HttpRequest &request, const std::string &path, const std::shared_ptr<Answer> &answer);
  std::optional<Refusal> forbidden(const HttpRequest &request) const;
  bool hasKey(const HttpRequest &request) const;
  void addCors(const HttpRequest &request, HttpFields &fields) const;
  /// Why a body cannot be taken at all.
  std::optional<Refusal> unreadable(const HttpRequest &request, bool opaque) const;

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

  /// Runs `task` in the background: a chat's with its model's renderer, which may be slow, others' with none. False:
  /// too many chats of the model wait.
  bool withRenderer(const Model &model, Task kind, std::function<void(TemplateRenderer *)> task);
  /// What would be promised, in every dialect alike.
  void quoteFor(Parse parse, const std::shared_ptr<Answer> &answer);
  void generate(Task task, const HttpRequest &request, const std::shared_ptr<Answer> &answer);
  /// A request without a prompt, which some dialects know, only wants to hear that the model is there.
  static void answerNothing(const Model &model, const Prepared &prepared, const WriterMaker &make, Answer &answer);
  /// Parses and tokenizes in the background, then goes on with a request that fits its model, or answers why not.
  using Next = std::function<void(const Model &, Prepared)>;
  void prepare(Parse parse, const std::shared_ptr<Answer> &answer, Next next, bool check = true);
  OrRefusal<const Model *> modelOf(const Request &request) const;
  ModelCard cardOf(const Model &model) const;

  Engine &engine;
  ServiceOptions options;
  Engine::Post background, post;
  bool draining = false;
};

std::string newRequestId();

/// An answer that says why there is none, in a dialect's shape.
HttpResponse responseOf(const Refusal &refusal, const std::string &id = newRequestId(),
                        RefusalWriter write = openai::refusal);

} // namespace lpu::serve
