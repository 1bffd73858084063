// The service without sockets: admits requests by the schedule, hands sequences to workers, tells listeners what
// happens, and keeps what proves it. Lives on one thread, on which the workers' events arrive through `post`.
#pragma once

#include "lpu/rt/Run.h"
#include "lpu/serve/Admission.h"
#include "lpu/serve/Metrics.h"
#include "lpu/serve/Model.h"
#include "lpu/serve/Schedule.h"

#include <chrono>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace lpu::serve {

struct Update;
struct WarmUp;

struct EngineOptions {
  std::size_t queue = 256;               ///< sequences that may wait for a model
  std::optional<std::int64_t> maxWaitNs; ///< virtual; longer waits are refused
  std::optional<double> dilation;        ///< wall time is so many times virtual time; none: the host's own pace
  bool virtualArrivals = false;          ///< requests say when they arrive
  std::optional<unsigned> resident;      ///< chips that all models share; none: each has its own
  unsigned reserved = 0;                 ///< systems of each model for Tier::Reserved alone; not with `resident`
  std::size_t keptProofs = 1000;
};

/// A request with what its text became.
struct Prepared {
  Request request;
  std::vector<std::vector<TokenId>> prompts; ///< of each prompt, in order
};

/// What the caller asks besides.
struct Terms {
  std::optional<std::int64_t> arrivalNs;  ///< with virtualArrivals
  std::optional<std::int64_t> deadlineNs; ///< virtual, from the arrival: the last token must be there by then
};

/// Hears of one request, in this order: accepted, pieces, finished of each choice, done; or refused, at any time, as
/// the last event.
class Listener {
public:
  virtual ~Listener() = default;
  virtual void accepted(const std::string &id, const Promise &promise, std::int64_t arrivalNs) = 0;
  virtual void piece(const Piece &piece) = 0;
  /// `atNs` is virtual, since the arrival.
  virtual void finished(unsigned choice, FinishReason reason, std::int64_t atNs) = 0;
  /// Of an encoder, before its choice has finished.
  virtual void embedding(unsigned choice, std::vector<float> vector) = 0;
  virtual void done(const Usage &usage) = 0;
  virtual void refused(const Refusal &refusal) = 0;
};

/// ProvedSequence::finish of a sequence whose client left.
inline constexpr const char *kCancelled = "cancelled";

/// What a sequence of a request was given and got.
struct ProvedSequence {
  std::vector<TokenId> prompt, tokens{};
  rt::SamplerOptions sampling;
  std::uint64_t maxTokens = 0;
  std::string finish{}; ///< "stop", "length", "cancelled"; empty: it runs, or waits
  std::string digest{}; ///< once it has finished
  std::uint64_t steps = 0;
  Cycle startCycle = 0, predictedCycles = 0, simulatedCycles = 0;
  std::vector<std::string> stops;
  bool ignoreEos = false;
};

struct Proof {
  std::string id, model, program; ///< `program`: SHA-256 of its file
  Cycle arrivalCycle = 0;
  Promise promise;
  std::vector<ProvedSequence> sequences;
};

/// What a request would get if it arrived now and were next.
struct Quote {
  Promise promise;
  std::map<Tier, Promise> tiers; ///< the same in each tier; Leftover only if it is admitted
  std::int64_t startNs = 0;      ///< from now
  std::uint64_t promptTokens = 0, maxTokens = 0;
  unsigned slotsFree = 0, slots = 0;
};

class Engine {
public:
  using Clock = std::chrono::steady_clock;
  using Post = std::function<void(std::function<void()>)>;
  using PostAt = std::function<void(Clock::time_point, std::function<void()>)>;

  /// `postAt` runs a task on the engine's thread at a time of the wall clock; used with a dilation alone.
  Engine(EngineOptions options, Post post, PostAt postAt);
  ~Engine();

  /// Starts the model's processes; to be called before the process has threads. Error: it does not fit the shared
  /// chips, or was compiled for another clock than the models before it.
  Status host(std::unique_ptr<Model> model, const rt::SimulatorFactory &create);
  /// Starts the threads. `changed` is called whenever a model has loaded or broken.
  void start(std::function<void()> changed);

  std::vector<const Model *> models() const;
  /// The model of that name; the only one if the name is empty. Null: there is none.
  const Model *find(const std::string &name) const;

  /// Checks lengths and ids of a request for a model: refused is what the model could never serve.
  OrRefusal<Prepared> check(const Model &model, Prepared prepared) const;
  Quote quote(const Model &model, const Prepared &prepared) const;
  /// What a request gets: what it asks for, or Shared where nothing is reserved.
  Tier tierOf(const Request &request) const;
  /// A checked request. The listener hears of it from here on; returns the request's id.
  std::string submit(const Model &model, Prepared prepared, const Terms &terms, std::shared_ptr<Listener> listener);
  /// Nobody listens any more: it ends with the step that runs.
  void cancel(const std::string &id);

  /// Empty: all is well; else what is not.
  std::string health() const;
  bool loading() const;
  bool idle() const { return live.empty(); }
  const Proof *proof(const std::string &id) const;

  struct ModelState {
    std::size_t waiting = 0, running = 0;
    unsigned slots = 0, systems = 0;
    unsigned resident = 0;   ///< systems whose weights are on chips, or on their way
    std::uint64_t loads = 0; ///< that the model's systems were loaded since the start
    double cacheUsage = 0;   ///< positions in use of all that caches have
    Cycle now = 0;
    bool loaded = false;
    std::string broken;
  };
  ModelState state(const Model &model) const;
  const ModelMetrics &metrics(const Model &model) const;
  /// When what happens at a virtual time is to be seen: the past, at the host's own pace.
  Clock::time_point dueAt(std::int64_t virtualNs) const;

private:
  struct Hosted;
  struct Lane;
  struct Strand;
  struct Live;

  Hosted &hostOf(const Model &model) const;
  Cycle arrivalOf(const Hosted &host, const Terms &terms) const;
  void admit(const std::shared_ptr<Live> &request);
  void admitDue(Lane &lane);
  void advance(Lane &lane);
  void arrangeSchedules();
  AdmissionRules rulesOf(const Hosted &host) const;
  std::optional<Refusal> admissible(const Hosted &host, const Live &request) const;
  Refusal refusalOf(const Hosted &host, const Live &request, const Admission &admission) const;
  std::int64_t retryMs(const Hosted &host, Cycle wait) const;
  void loaded(Hosted &host, const Result<WarmUp> &warm);
  void place(Hosted &host);
  void stepped(Hosted &host, std::vector<Update> updates);
  void hold(Hosted &host, Update update);
  void takeDue(Hosted &host);
  void take(Hosted &host, Strand &strand, Update &update);
  void end(Hosted &host, Strand &strand, Update &update);
  void broke(Hosted &host, const std::string &message);
  void keepProof(Live &request);
  std::uint64_t seedOf(const Request &request);

  EngineOptions options;
  Post post;
  PostAt postAt;
  std::function<void()> changed;
  std::vector<std::unique_ptr<Lane>> lanes;
  std::vector<std::unique_ptr<Hosted>> hosted;
  std::map<std::string, std::shared_ptr<Live>> live;
  std::deque<Proof> proofs;
  std::uint64_t drawn = 0; ///< seeds, with virtualArrivals
  Clock::time_point epoch;
};

} // namespace lpu::serve
