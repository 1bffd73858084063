// A sequence is admitted with a ticket of the schedule, placed when the schedule is certain of its start, run by the
// worker of its system, and told about as its steps are done. Times come from the schedule alone; the workers' wall
// times only say how much slower the host is.
#include "lpu/serve/Engine.h"

#include "Secrets.h"
#include "lpu/serve/SimulatorProcess.h"
#include "lpu/serve/Worker.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace lpu::serve {
namespace {

constexpr double kNsPerMs = 1e6, kNsPerSecond = 1e9;

FinishReason reasonOf(rt::FinishReason reason) {
  return reason == rt::FinishReason::Length ? FinishReason::Length : FinishReason::Stop;
}

std::string wordOf(rt::FinishReason reason) {
  if (reason == rt::FinishReason::Cancelled)
    return "cancelled";
  return reason == rt::FinishReason::Length ? "length" : "stop";
}

} // namespace

/// One sequence of a request.
struct Engine::Strand {
  Live *of = nullptr;
  unsigned choice = 0;
  std::shared_ptr<Assignment> assignment;
  std::optional<Ticket> ticket; ///< once it is admitted
  bool placed = false, ended = false;
  std::size_t textBytes = 0; ///< of its tokens so far
};

struct Engine::Live {
  Hosted *host = nullptr;
  Request request;
  Terms terms;
  Cycle arrival = 0;
  std::shared_ptr<Listener> listener; ///< null: nobody listens any more
  std::vector<Strand> strands;
  Usage usage;
  std::map<std::size_t, std::uint64_t> steps; ///< by step program
  Proof proof;
};

struct Engine::Hosted {
  std::unique_ptr<Model> model;
  std::unique_ptr<Schedule> schedule;
  std::vector<std::unique_ptr<SimulatorProcess>> processes; ///< until the workers have them
  std::vector<std::unique_ptr<Worker>> workers;             ///< of each system
  std::map<std::uint64_t, Strand *> strands;                ///< that are not over, in the order of their admission
  std::deque<std::shared_ptr<Live>> deferred;               ///< arrivals that the simulation has not reached
  std::uint64_t nextNumber = 0;
  unsigned loading = 0;
  std::string broken;
  Cycle lastArrival = 0;
  double wallSeconds = 0, virtualSeconds = 0; ///< of all steps so far
  ModelMetrics metrics;

  const Timing &timing() const { return model->timing(); }
  void addWall(std::size_t program, double seconds) {
    wallSeconds += seconds;
    virtualSeconds += static_cast<double>(ns(timing().stepCycles(program))) / kNsPerSecond;
  }
  std::int64_t ns(Cycle cycles) const { return timing().clock().nanoseconds(cycles); }
};

Engine::Engine(EngineOptions options, Post post)
    : options(std::move(options)), post(std::move(post)), epoch(std::chrono::steady_clock::now()) {}

Engine::~Engine() = default;

Status Engine::host(std::unique_ptr<Model> model, const rt::SimulatorFactory &create) {
  auto host = std::make_unique<Hosted>();
  host->model = std::move(model);
  host->schedule = createSchedule(host->timing(), host->model->systems());
  for (unsigned i = 0; i < host->model->systems(); ++i) {
    auto process = SimulatorProcess::start(host->model->program(), {}, create);
    if (!process)
      return process.error();
    host->processes.push_back(std::move(*process));
  }
  hosted.push_back(std::move(host));
  return Ok{};
}

void Engine::start(std::function<void()> told) {
  changed = std::move(told);
  for (const auto &owned : hosted) {
    Hosted *host = owned.get();
    host->loading = static_cast<unsigned>(host->processes.size());
    for (auto &process : host->processes) {
      Worker::Events events;
      events.loaded = [this, host](Result<WarmUp> warm) {
        post([this, host, warm = std::move(warm)] { loaded(*host, warm); });
      };
      events.step = [this, host](std::vector<Update> updates) {
        post([this, host, updates = std::move(updates)]() mutable { stepped(*host, std::move(updates)); });
      };
      events.failed = [this, host](const std::string &message) {
        post([this, host, message] { broke(*host, message); });
      };
      SimulatorProcess *simulator = process.get();
      host->workers.push_back(std::make_unique<Worker>(
          host->model->program(), host->model->tokenizer(), host->timing().frameProgram(), std::move(process),
          [simulator] { return simulator->ready(); }, std::move(events)));
    }
    host->processes.clear();
  }
}

void Engine::loaded(Hosted &host, const Result<WarmUp> &warm) {
  --host.loading;
  if (!warm)
    broke(host, warm.error().str());
  else if (warm->wallSeconds > 0)
    host.addWall(warm->program, warm->wallSeconds);
  changed();
}

std::vector<const Model *> Engine::models() const {
  std::vector<const Model *> out;
  for (const auto &host : hosted)
    out.push_back(host->model.get());
  return out;
}

const Model *Engine::find(const std::string &name) const {
  if (name.empty() && hosted.size() == 1)
    return hosted.front()->model.get();
  for (const auto &host : hosted)
    if (host->model->name() == name)
      return host->model.get();
  return nullptr;
}

Engine::Hosted &Engine::hostOf(const Model &model) const {
  return **std::ranges::find_if(hosted, [&](const auto &host) { return host->model.get() == &model; });
}

OrRefusal<Prepared> Engine::check(const Model &model, Prepared prepared) const {
  const std::uint32_t context = model.timing().context(), vocabulary = model.program().model.vocabulary;
  for (const std::vector<TokenId> &prompt : prepared.prompts) {
    if (prompt.empty())
      return Refusal{400, "the prompt has no tokens; give at least one", "prompt", ""};
    for (const TokenId id : prompt)
      if (static_cast<std::uint32_t>(id) >= vocabulary)
        return Refusal{400,
                       fmt::format("token {} is outside of the vocabulary; ids run from 0 to {}", id, vocabulary - 1),
                       "prompt", "invalid_token"};
    const std::uint64_t asked = prepared.request.maxTokens.value_or(1);
    if (prompt.size() + asked - 1 > context)
      return Refusal{
          400,
          fmt::format("the model has a context of {} positions; the prompt's {} tokens and {} new ones need {}",
                      context, prompt.size(), asked, prompt.size() + asked - 1),
          prepared.request.task == Task::Chat ? "messages" : "prompt", "context_length_exceeded"};
  }
  return prepared;
}

namespace {

/// Of each sequence, in the order of the choices.
template <typename Strands> std::vector<Work> worksOf(const Strands &strands) {
  std::vector<Work> works;
  for (const auto &strand : strands)
    works.push_back({strand.assignment->request.prompt.size(), strand.assignment->request.count});
  return works;
}

std::uint64_t tokensOf(const Model &model, const Prepared &prepared, std::size_t prompt) {
  if (model.timing().isEncoder())
    return 1;
  return prepared.request.maxTokens.value_or(model.timing().context() - prepared.prompts[prompt].size() + 1);
}

} // namespace

Quote Engine::quote(const Model &model, const Prepared &prepared) const {
  const Hosted &host = hostOf(model);
  const Cycle arrival = std::max(host.lastArrival, arrivalOf(host, {}));
  Quote quote;
  std::vector<Work> works;
  for (std::size_t i = 0; i < prepared.prompts.size(); ++i) {
    quote.promptTokens += prepared.prompts[i].size();
    works.insert(works.end(), prepared.request.choices, {prepared.prompts[i].size(), tokensOf(model, prepared, i)});
  }
  quote.maxTokens = tokensOf(model, prepared, 0);
  quote.promise = promiseOf(host.timing(), arrival, host.schedule->bounds(arrival, works), works);
  quote.startNs = quote.promise.queueNs;
  quote.slots = host.schedule->slots();
  quote.slotsFree =
      quote.slots - static_cast<unsigned>(std::min<std::size_t>(quote.slots, host.schedule->running(arrival)));
  return quote;
}

Cycle Engine::arrivalOf(const Hosted &host, const Terms &terms) const {
  if (options.virtualArrivals && terms.arrivalNs)
    return host.timing().clock().cycles(*terms.arrivalNs);
  if (!options.dilation)
    return host.schedule->now();
  const std::chrono::duration<double> wall = std::chrono::steady_clock::now() - epoch;
  return host.timing().clock().cycles(static_cast<std::int64_t>(wall.count() * kNsPerSecond / *options.dilation));
}

std::uint64_t Engine::seedOf(const Request &request) {
  if (request.seed)
    return *request.seed;
  return options.virtualArrivals ? drawn++ : std::stoull(randomHex(6), nullptr, 16);
}

std::string Engine::submit(const Model &model, Prepared prepared, const Terms &terms,
                           std::shared_ptr<Listener> listener) {
  auto request = std::make_shared<Live>();
  Hosted &host = hostOf(model);
  request->host = &host;
  request->request = std::move(prepared.request);
  request->terms = terms;
  request->listener = std::move(listener);
  request->usage.seed = seedOf(request->request);
  request->proof.id = "req_" + randomHex(12);
  request->proof.model = model.name();
  request->proof.program = model.sha256();
  for (std::size_t p = 0; p < prepared.prompts.size(); ++p)
    for (unsigned n = 0; n < request->request.choices; ++n) {
      Strand &strand = request->strands.emplace_back();
      strand.of = request.get();
      strand.choice = static_cast<unsigned>(request->strands.size() - 1);
      strand.assignment = std::make_shared<Assignment>();
      rt::GenerateRequest &asked = strand.assignment->request;
      asked.prompt = prepared.prompts[p];
      asked.count = tokensOf(model, {request->request, prepared.prompts}, p);
      asked.sampling = request->request.sampling;
      asked.sampling.seed = request->usage.seed + n;
      asked.stops = request->request.stop;
      asked.endTokens = model.endTokens();
      strand.assignment->logprobs = request->request.logprobs;
      strand.assignment->topLogprobs = request->request.topLogprobs;
      request->usage.promptTokens += n == 0 ? asked.prompt.size() : 0;
      request->proof.sequences.push_back(
          {asked.prompt, {}, asked.sampling, asked.count, "", "", 0, 0, 0, 0, asked.stops});
    }
  const std::string id = request->proof.id;
  live[id] = request;
  host.deferred.push_back(std::move(request));
  admitDue(host);
  return id;
}

/// In the order of their arrival. With virtual arrivals a request waits until the simulation has come to its arrival:
/// then what it is told does not depend on how fast the host is.
void Engine::admitDue(Hosted &host) {
  while (!host.deferred.empty()) {
    const std::shared_ptr<Live> request = host.deferred.front();
    const Cycle arrival = arrivalOf(host, request->terms);
    if (options.virtualArrivals && !host.strands.empty() && host.schedule->now() < arrival)
      return;
    host.deferred.pop_front();
    request->arrival = request->proof.arrivalCycle = std::max(arrival, host.lastArrival);
    if (request->listener)
      admit(request);
    else
      live.erase(request->proof.id);
  }
}

std::optional<Refusal> Engine::admissible(const Hosted &host, const Live &request) const {
  if (!host.broken.empty())
    return Refusal{503, fmt::format("model '{}' is out of order: {}", host.model->name(), host.broken), "model",
                   "model_broken"};
  if (host.loading > 0)
    return Refusal{503, fmt::format("model '{}' is being loaded", host.model->name()), "model", "model_loading", 1000};
  if (options.virtualArrivals && request.terms.arrivalNs &&
      host.timing().clock().cycles(*request.terms.arrivalNs) < request.arrival)
    return Refusal{400, "x-lpu-arrival-ns lies before the arrival of an earlier request", "x-lpu-arrival-ns", ""};
  std::optional<Cycle> deadline;
  if (request.terms.deadlineNs) // a nanosecond that has begun has not passed
    deadline = host.timing().clock().cycles(*request.terms.deadlineNs + 1) - 1;
  const Admission admission =
      judge(*host.schedule, host.timing(), rulesOf(host), request.arrival, worksOf(request.strands), deadline);
  if (admission.verdict == Admission::Verdict::Admitted)
    return std::nullopt;
  return refusalOf(host, request, admission);
}

AdmissionRules Engine::rulesOf(const Hosted &host) const {
  AdmissionRules rules{options.queue, std::nullopt};
  if (options.maxWaitNs)
    rules.maxWait = host.timing().clock().cycles(*options.maxWaitNs);
  return rules;
}

Refusal Engine::refusalOf(const Hosted &host, const Live &request, const Admission &admission) const {
  const Promise &promise = admission.promise;
  const std::int64_t retry = retryMs(host, admission.retry);
  switch (admission.verdict) {
  case Admission::Verdict::QueueFull:
    return {429,
            fmt::format("{} sequences wait already, {} of this request would have to, and {} may", admission.waiting,
                        admission.delayed, options.queue),
            "", "queue_full", retry};
  case Admission::Verdict::WaitTooLong:
    return {
        429,
        fmt::format("it could wait {} ns of virtual time, which is more than {}", promise.queueNs, *options.maxWaitNs),
        "", "rate_limit_exceeded", retry};
  case Admission::Verdict::DeadlineMissed:
    return {429,
            fmt::format("it could take {} ns of virtual time, the deadline is {}", promise.totalNsMax,
                        *request.terms.deadlineNs),
            "", "rate_limit_exceeded", retry};
  case Admission::Verdict::TooManySequences:
    return {400,
            fmt::format("it has {} sequences; {} can run at a time and {} may wait", request.strands.size(),
                        host.schedule->slots(), options.queue),
            request.request.choices > 1 ? "n" : "prompt", "too_many_sequences"};
  default:
    return {400,
            fmt::format("it can take {} ns of virtual time even where nobody else is, the deadline is {}",
                        host.ns(admission.alone), *request.terms.deadlineNs),
            "x-lpu-deadline-ns", "deadline_impossible"};
  }
}

/// The wall time that a virtual wait takes, rounded up.
std::int64_t Engine::retryMs(const Hosted &host, Cycle wait) const {
  double ratio = 1;
  if (options.dilation)
    ratio = *options.dilation;
  else if (!options.virtualArrivals && host.virtualSeconds > 0)
    ratio = host.wallSeconds / host.virtualSeconds;
  return std::max<std::int64_t>(
      1, static_cast<std::int64_t>(std::ceil(static_cast<double>(host.ns(wait)) * ratio / kNsPerMs)));
}

void Engine::admit(const std::shared_ptr<Live> &request) {
  Hosted &host = *request->host;
  if (auto refusal = admissible(host, *request)) {
    live.erase(request->proof.id);
    ++host.metrics.refused[refusal->code];
    request->listener->refused(*refusal);
    return;
  }
  host.lastArrival = request->arrival;
  const std::vector<Work> works = worksOf(request->strands);
  const Promise promise =
      promiseOf(host.timing(), request->arrival, host.schedule->bounds(request->arrival, works), works);
  for (Strand &strand : request->strands) {
    strand.ticket = host.schedule->admit(request->arrival, works[strand.choice]);
    strand.assignment->number = host.nextNumber++;
    host.strands[strand.assignment->number] = &strand;
  }
  request->proof.promise = promise;
  request->listener->accepted(request->proof.id, promise, host.ns(request->arrival));
  place(host);
}

/// Hands every sequence whose start is certain to its system.
void Engine::place(Hosted &host) {
  for (auto &[number, strand] : host.strands) {
    if (strand->placed)
      continue;
    const auto placement = host.schedule->placement(*strand->ticket);
    if (!placement)
      return; // first come, first served: nobody behind it has a place
    strand->placed = true;
    strand->assignment->slot = placement->slot;
    strand->of->proof.sequences[strand->choice].startCycle = placement->start;
    host.workers[placement->system]->add(strand->assignment);
  }
}

void Engine::stepped(Hosted &host, std::vector<Update> updates) {
  if (!host.broken.empty())
    return;
  if (!updates.empty())
    host.addWall(updates.front().program, updates.front().wallSeconds);
  for (Update &update : updates)
    if (auto found = host.strands.find(update.of->number); found != host.strands.end())
      take(host, *found->second, update);
  place(host);
  admitDue(host);
}

void Engine::take(Hosted &host, Strand &strand, Update &update) {
  Live &request = *strand.of;
  ProvedSequence &proof = request.proof.sequences[strand.choice];
  proof.steps = update.steps;
  proof.predictedCycles += update.predictedCycles;
  proof.simulatedCycles += update.simulatedCycles;
  request.usage.predictedCycles += update.predictedCycles;
  request.usage.simulatedCycles += update.simulatedCycles;
  ++request.steps[update.program];
  if (update.token) {
    const bool isEnd = update.finished == rt::FinishReason::EndToken;
    Piece piece{strand.choice, std::move(update.text), std::move(update.logprob), strand.textBytes,
                host.ns(host.schedule->tokenEnd(*strand.ticket, proof.tokens.size()) - request.arrival)};
    proof.tokens.push_back(*update.token);
    ++request.usage.completionTokens;
    if (const text::Tokenizer *tokenizer = host.model->tokenizer())
      strand.textBytes += tokenizer->bytes(*update.token).size();
    if (request.listener && (!isEnd || !piece.text.empty()))
      request.listener->piece(piece);
  }
  if (update.finished)
    end(host, strand, update);
  else
    host.schedule->progress(*strand.ticket, update.steps);
}

void Engine::end(Hosted &host, Strand &strand, Update &update) {
  const std::shared_ptr<Live> request = live.at(strand.of->proof.id);
  ProvedSequence &proof = request->proof.sequences[strand.choice];
  proof.finish = wordOf(*update.finished);
  proof.digest = update.digest;
  const Cycle start = proof.startCycle, end = host.schedule->stepEnd(*strand.ticket, update.steps - 1);
  const Cycle first = proof.tokens.empty() ? end : host.schedule->tokenEnd(*strand.ticket, 0);
  host.schedule->finish(*strand.ticket, update.steps);
  host.schedule->release(*strand.ticket);
  host.strands.erase(strand.assignment->number);
  strand.ended = true;
  ++host.metrics.finished[proof.finish];
  Usage &usage = request->usage;
  usage.arrivalCycle = request->arrival;
  if (strand.choice == 0)
    usage.startCycle = start, usage.firstTokenCycle = first;
  usage.endCycle = std::max(usage.endCycle, end);
  if (request->listener && !update.vector.empty())
    request->listener->embedding(strand.choice, std::move(update.vector));
  if (request->listener)
    request->listener->finished(strand.choice, reasonOf(*update.finished), host.ns(end - request->arrival));
  if (std::ranges::all_of(request->strands, &Strand::ended))
    keepProof(*request);
}

void Engine::keepProof(Live &request) {
  const std::shared_ptr<Live> own = live.at(request.proof.id);
  for (const auto &[program, count] : own->steps)
    own->usage.steps.emplace_back(own->host->model->program().steps[program].name, count);
  Usage &usage = own->usage;
  usage.queueNs = own->host->ns(usage.startCycle - usage.arrivalCycle);
  usage.promptNs = own->host->ns(usage.firstTokenCycle - usage.startCycle);
  usage.completionNs = own->host->ns(usage.endCycle - usage.firstTokenCycle);
  own->host->metrics.add(own->usage);
  live.erase(own->proof.id);
  proofs.push_back(own->proof);
  if (proofs.size() > options.keptProofs)
    proofs.pop_front();
  if (own->listener)
    own->listener->done(own->usage);
}

void Engine::cancel(const std::string &id) {
  const auto found = live.find(id);
  if (found == live.end())
    return;
  const std::shared_ptr<Live> request = found->second;
  Hosted &host = *request->host;
  request->listener = nullptr;
  bool over = true;
  for (Strand &strand : request->strands) {
    strand.assignment->cancelled = true;
    if (!strand.ticket)
      return; // its arrival is still to come
    if (!strand.placed) {
      host.schedule->cancel(*strand.ticket, 0);
      host.strands.erase(strand.assignment->number);
      strand.ended = true;
      request->proof.sequences[strand.choice].finish = "cancelled";
    }
    over = over && strand.ended;
  }
  if (over)
    keepProof(*request);
  place(host);
  admitDue(host);
}

void Engine::broke(Hosted &host, const std::string &message) {
  if (!host.broken.empty())
    return;
  host.broken = message;
  std::vector<std::shared_ptr<Live>> lost;
  for (const auto &[id, request] : live)
    if (request->host == &host)
      lost.push_back(request);
  host.strands.clear();
  host.deferred.clear();
  for (const std::shared_ptr<Live> &request : lost) {
    live.erase(request->proof.id);
    if (request->listener)
      request->listener->refused(
          {500, fmt::format("model '{}' is out of order: {}", host.model->name(), message), "", "model_broken"});
  }
  changed();
}

std::string Engine::health() const {
  for (const auto &host : hosted)
    if (!host->broken.empty())
      return fmt::format("model '{}' is out of order: {}", host->model->name(), host->broken);
  return "";
}

bool Engine::loading() const {
  return std::ranges::any_of(hosted, [](const auto &host) { return host->loading > 0; });
}

const Proof *Engine::proof(const std::string &id) const {
  if (const auto found = live.find(id); found != live.end())
    return &found->second->proof;
  const auto kept = std::ranges::find(proofs, id, &Proof::id);
  return kept == proofs.end() ? nullptr : &*kept;
}

Engine::ModelState Engine::state(const Model &model) const {
  const Hosted &host = hostOf(model);
  const Cycle now = std::max(host.lastArrival, arrivalOf(host, {}));
  return {host.schedule->waiting(now),
          host.schedule->running(now),
          host.schedule->slots(),
          host.schedule->systems(),
          now,
          host.loading == 0,
          host.broken};
}

const ModelMetrics &Engine::metrics(const Model &model) const { return hostOf(model).metrics; }

std::chrono::steady_clock::time_point Engine::dueAt(std::int64_t virtualNs) const {
  if (!options.dilation)
    return {};
  const std::chrono::duration<double, std::nano> wall(static_cast<double>(virtualNs) * *options.dilation);
  return epoch + std::chrono::duration_cast<std::chrono::steady_clock::duration>(wall);
}

} // namespace lpu::serve
