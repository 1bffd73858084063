// Requests on their way in: whether they can be served, what they are promised, and when they are judged.
#include "EngineState.h"
#include "Secrets.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace lpu::serve {
namespace {

/// Of each sequence, in the order of the choices.
template <typename Strands> std::vector<Work> worksOf(const Strands &strands, Tier tier) {
  std::vector<Work> works;
  for (const auto &strand : strands)
    works.push_back({strand.assignment->request.prompt.size(), strand.assignment->request.count, tier});
  return works;
}

std::uint64_t tokensOf(const Model &model, const Prepared &prepared, std::size_t prompt) {
  if (model.timing().isEncoder())
    return 1;
  return prepared.request.maxTokens.value_or(model.timing().context() - prepared.prompts[prompt].size() + 1);
}

} // namespace

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

Quote Engine::quote(const Model &model, const Prepared &prepared) const {
  const Hosted &host = hostOf(model);
  const Cycle arrival = std::max(host.lane->lastArrival, arrivalOf(host, {}));
  Quote quote;
  std::vector<Work> works;
  const Tier tier = tierOf(prepared.request);
  for (std::size_t i = 0; i < prepared.prompts.size(); ++i) {
    quote.promptTokens += prepared.prompts[i].size();
    works.insert(works.end(), prepared.request.choices,
                 {prepared.prompts[i].size(), tokensOf(model, prepared, i), tier});
  }
  quote.maxTokens = tokensOf(model, prepared, 0);
  quote.promise = promiseOf(host.timing(), arrival, host.schedule->bounds(arrival, works), works);
  quote.startNs = quote.promise.queueNs;
  quote.slots = host.schedule->slots();
  quote.slotsFree =
      quote.slots - static_cast<unsigned>(std::min<std::size_t>(quote.slots, host.schedule->running(arrival)));
  for (const Tier other : {Tier::Shared, Tier::Reserved, Tier::Leftover}) {
    if (other == Tier::Reserved && options.reserved == 0)
      continue;
    for (Work &work : works)
      work.tier = other;
    const Admission admission = judge(*host.schedule, host.timing(), rulesOf(host), arrival, works);
    if (other != Tier::Leftover || admission.verdict == Admission::Verdict::Admitted)
      quote.tiers[other] = admission.promise;
  }
  return quote;
}

Tier Engine::tierOf(const Request &request) const {
  const Tier asked = request.tier.value_or(Tier::Shared);
  return asked == Tier::Reserved && options.reserved == 0 ? Tier::Shared : asked;
}

Cycle Engine::arrivalOf(const Hosted &host, const Terms &terms) const {
  if (options.virtualArrivals && terms.arrivalNs)
    return host.timing().clock().cycles(*terms.arrivalNs);
  if (!options.dilation)
    return host.schedule->now();
  const std::chrono::duration<double> wall = Clock::now() - epoch;
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
      if (!request->request.ignoreEos)
        asked.endTokens = model.endTokens();
      strand.assignment->logprobs = request->request.logprobs;
      strand.assignment->topLogprobs = request->request.topLogprobs;
      request->usage.promptTokens += n == 0 ? asked.prompt.size() : 0;
      request->proof.sequences.push_back({.prompt = asked.prompt,
                                          .sampling = asked.sampling,
                                          .maxTokens = asked.count,
                                          .stops = asked.stops,
                                          .ignoreEos = request->request.ignoreEos});
    }
  const std::string id = request->proof.id;
  live[id] = request;
  host.lane->deferred.push_back(std::move(request));
  admitDue(*host.lane);
  return id;
}

/// In the order of their arrival. With virtual arrivals a request waits until the simulation has come to its arrival:
/// then what it is told does not depend on how fast the host is.
void Engine::admitDue(Lane &lane) {
  while (!lane.deferred.empty()) {
    const std::shared_ptr<Live> request = lane.deferred.front();
    const Hosted &host = *request->host;
    const Cycle arrival = arrivalOf(host, request->terms);
    if (options.virtualArrivals && request->terms.arrivalNs &&
        host.schedule->certainUntil().value_or(arrival) < arrival)
      return;
    lane.deferred.pop_front();
    request->arrival = request->proof.arrivalCycle = std::max(arrival, lane.lastArrival);
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
  const Admission admission = judge(*host.schedule, host.timing(), rulesOf(host), request.arrival,
                                    worksOf(request.strands, tierOf(request.request)), deadline);
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
  case Admission::Verdict::NothingLeft: {
    constexpr int kCapacityExceeded = 498; // Groq's, of flex
    return {kCapacityExceeded, "no slot is left at once; come back, or ask for service_tier default", "",
            "capacity_exceeded", retry};
  }
  case Admission::Verdict::TooManySequences:
    return {400,
            fmt::format("it has {} sequences; {} can run at a time and {} may wait", request.strands.size(),
                        host.schedule->slots(tierOf(request.request)), options.queue),
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
  host.lane->lastArrival = request->arrival;
  const std::vector<Work> works = worksOf(request->strands, tierOf(request->request));
  const Promise promise =
      promiseOf(host.timing(), request->arrival, host.schedule->bounds(request->arrival, works), works);
  for (Strand &strand : request->strands) {
    strand.ticket = host.schedule->admit(request->arrival, works[strand.choice]);
    strand.assignment->number = host.nextNumber++;
    host.strands[strand.assignment->number] = &strand;
  }
  request->proof.promise = promise;
  request->listener->accepted(request->proof.id, promise, host.ns(request->arrival));
  for (Hosted *other : host.lane->hosts)
    place(*other);
}

} // namespace lpu::serve
