// Requests at work: sequences are handed to systems, their steps told to schedule and listeners, their ends proved.
#include "EngineState.h"

#include <fmt/format.h>

#include <algorithm>

namespace lpu::serve {
namespace {

FinishReason reasonOf(rt::FinishReason reason) {
  return reason == rt::FinishReason::Length ? FinishReason::Length : FinishReason::Stop;
}

std::string wordOf(rt::FinishReason reason) {
  if (reason == rt::FinishReason::Cancelled)
    return kCancelled;
  return reason == rt::FinishReason::Length ? "length" : "stop";
}

} // namespace

/// Something has become known: it may say where others start, and who can be judged.
void Engine::advance(Lane &lane) {
  for (Hosted *host : lane.hosts)
    place(*host);
  admitDue(lane);
}

/// Hands every sequence whose start is certain to its system.
void Engine::place(Hosted &host) {
  for (auto &[number, strand] : host.strands) {
    if (strand->placed)
      continue;
    const auto placement = host.schedule->placement(*strand->ticket);
    if (!placement && host.lane->pool)
      continue; // it waits for its own system
    if (!placement)
      return; // first come, first served: nobody behind it has a place
    strand->placed = true;
    strand->system = placement->system;
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
    if (auto found = host.strands.find(update.of->number); found != host.strands.end()) {
      if (options.dilation)
        hold(host, std::move(update));
      else
        take(host, *found->second, update);
    }
  advance(*host.lane);
}

/// With a dilation, a step that was computed early is not known before its time: who leaves until then frees the system
/// with it, and who comes is judged by what has happened.
void Engine::hold(Hosted &host, Update update) {
  const Strand &strand = *host.strands.at(update.of->number);
  const Cycle end = host.schedule->stepEnd(*strand.ticket, update.steps - 1);
  host.held.emplace(end, std::move(update));
  postAt(dueAt(host.ns(end)), [this, &host] { takeDue(host); });
}

void Engine::takeDue(Hosted &host) {
  while (!host.held.empty() && dueAt(host.ns(host.held.begin()->first)) <= Clock::now()) {
    Update update = std::move(host.held.extract(host.held.begin()).mapped());
    const auto found = host.strands.find(update.of->number);
    if (found == host.strands.end())
      continue; // it was given up at an earlier step
    Worker &worker = *host.workers[found->second->system];
    --update.of->unseen;
    if (!found->second->of->listener && !update.finished) {
      update.finished = rt::FinishReason::Cancelled;
      update.of->dropped = true;
    }
    take(host, *found->second, update);
    worker.wake();
  }
  advance(*host.lane);
}

void Engine::take(Hosted &host, Strand &strand, Update &update) {
  Live &request = *strand.of;
  ProvedSequence &proof = request.proof.sequences[strand.choice];
  proof.steps = update.steps;
  strand.positions = update.positions;
  proof.predictedCycles += update.predictedCycles;
  proof.simulatedCycles += update.simulatedCycles;
  request.usage.predictedCycles += update.predictedCycles;
  request.usage.simulatedCycles += update.simulatedCycles;
  ++request.steps[update.program];
  if (update.token) {
    const bool isEnd = update.finished == rt::FinishReason::EndToken;
    Piece piece{strand.choice,
                std::move(update.text),
                std::move(update.logprob),
                strand.textBytes,
                host.ns(host.schedule->tokenEnd(*strand.ticket, proof.tokens.size()) - request.arrival),
                std::move(update.stop)};
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
  // Each is rounded up from the arrival on, so that the sums are what was promised, to the nanosecond.
  const std::int64_t first = own->host->ns(usage.firstTokenCycle - usage.arrivalCycle);
  usage.queueNs = own->host->ns(usage.startCycle - usage.arrivalCycle);
  usage.promptNs = first - usage.queueNs;
  usage.completionNs = own->host->ns(usage.endCycle - usage.arrivalCycle) - first;
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
      request->proof.sequences[strand.choice].finish = kCancelled;
    }
    over = over && strand.ended;
  }
  if (over)
    keepProof(*request);
  advance(*host.lane);
}

void Engine::broke(Hosted &host, const std::string &message) {
  if (!host.broken.empty())
    return;
  host.broken = message;
  std::vector<std::shared_ptr<Live>> lost;
  for (const auto &[id, request] : live)
    if (request->host == &host)
      lost.push_back(request);
  for (const auto &[number, strand] : host.strands) // others that share its chips go on
    host.schedule->cancel(*strand->ticket, strand->of->proof.sequences[strand->choice].steps);
  host.strands.clear();
  host.held.clear();
  std::erase_if(host.lane->deferred, [&](const auto &request) { return request->host == &host; });
  for (const std::shared_ptr<Live> &request : lost) {
    live.erase(request->proof.id);
    if (request->listener)
      request->listener->refused(
          {500, fmt::format("model '{}' is out of order: {}", host.model->name(), message), "", "model_broken"});
  }
  changed();
}

} // namespace lpu::serve
