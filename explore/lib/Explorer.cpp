#include "lpu/explore/Explorer.h"

#include <algorithm>
#include <atomic>
#include <cctype>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <fmt/format.h>
#include <unistd.h>

namespace lpu::explore {
namespace {

/// Points whose bounds are looked at together: what one prunes must not depend on how many run side by side.
/// Waves grow, so that the first results prune early and later waves keep many processes busy.
constexpr std::size_t kFirstWave = 4, kLargestWave = 64;

std::atomic<bool> stopAsked = false;

double now() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

/// A complaint about a line of the model's own file holds for every machine: "tiny.yaml:7: …".
bool isOfModel(const Task &task, const StoredResult &result) {
  const std::size_t at = task.spelled.size();
  return result.outcome == Outcome::Infeasible && result.reason.starts_with(task.spelled + ":") &&
         at + 1 < result.reason.size() && std::isdigit(static_cast<unsigned char>(result.reason[at + 1]));
}

std::string flightKey(const std::string &key, Kind kind) { return key + (kind == Kind::Bounds ? "b" : "s"); }

Task taskOf(const Study &study, const Point &point, const Job &job, Kind kind, const std::string &build) {
  const Workload &workload = study.workloads[job.workload];
  Task task{job.key, kind, build, isa::writeMachine(point.machine), workload.path, workload.model, job.arguments};
  task.arguments.insert(task.arguments.begin(), workload.isShape ? "--arch=" + workload.path : workload.path);
  return task;
}

} // namespace

void stopOnSignals() {
  for (const int number : {SIGINT, SIGTERM})
    std::signal(number, [](int) { stopAsked = true; });
}

std::string stateName(State state) {
  constexpr const char *names[] = {"planned", "done", "infeasible", "pruned", "screened", "failed"};
  return names[static_cast<int>(state)];
}

Explorer::Explorer(const Study &study, std::string build, Store *store, Executor *executor, const RunOptions &options)
    : study(study), build(std::move(build)), store(store), executor(executor), options(options), beganAt(now()),
      shownAt(beganAt) {}

Result<RunEnd> Explorer::run() {
  end.isComplete = search(
      study, [this](const auto &batch, Fidelity fidelity) { return evaluate(batch, fidelity); },
      [this](const Values &values, const std::string &reason) { screenOut(values, reason); });
  if (end.isComplete) {
    const std::size_t before = end.rows.size();
    end.isComplete = evaluate(sensitivityPoints(study), Fidelity::Schedule).has_value();
    for (std::size_t i = before; i < end.rows.size(); ++i)
      end.rows[i].isSensitivity = true;
  }
  if (options.showProgress)
    showProgress(true);
  if (error)
    return *error;
  return std::move(end);
}

std::vector<std::size_t> Explorer::rowsOf(const std::vector<Values> &batch) {
  std::vector<std::size_t> rows;
  for (const Values &values : batch) {
    const Point point = makePoint(study, values, build);
    const auto [known, isNew] = rowByKey.try_emplace(point.key, end.rows.size());
    if (isNew)
      end.rows.push_back({values,
                          point.key,
                          point.impossible.empty() ? State::Planned : State::Infeasible,
                          point.impossible,
                          {},
                          false});
    rows.push_back(known->second);
  }
  return rows;
}

std::optional<std::vector<Score>> Explorer::evaluate(const std::vector<Values> &batch, Fidelity fidelity) {
  const std::vector<std::size_t> rows = rowsOf(batch);
  const Kind kind = fidelity == Fidelity::Bounds ? Kind::Bounds : Kind::Schedule;
  const bool prunes = study.search.prune && kind == Kind::Schedule;
  std::size_t size = prunes ? kFirstWave : rows.size();
  for (std::size_t at = 0; at < rows.size() && !error; at += size, size = std::min(2 * size, kLargestWave)) {
    const std::vector<std::size_t> some(rows.begin() + static_cast<std::ptrdiff_t>(at),
                                        rows.begin() + static_cast<std::ptrdiff_t>(std::min(at + size, rows.size())));
    if (prunes) {
      wave(some, Kind::Bounds);
      pruneByBounds(some);
    }
    wave(some, kind);
  }
  std::vector<Score> scores;
  bool isKnown = !isStopped && !error;
  for (const std::size_t i : rows) {
    const Row &row = end.rows[i];
    isKnown &= row.state != State::Planned || kind == Kind::Bounds || !isAdaptive(study.search.method);
    if (kind == Kind::Bounds) {
      const auto bound = lowest.find(i);
      isKnown &= bound != lowest.end() || row.state != State::Planned;
      scores.push_back(bound == lowest.end() ? Score{} : bound->second);
    } else {
      scores.push_back(row.state == State::Done ? objectivesOf(study, *row.costs) : Score{});
    }
  }
  return isKnown ? std::optional(scores) : std::nullopt;
}

/// Runs what is missing for some rows, then says what became of them.
void Explorer::wave(const std::vector<std::size_t> &rows, Kind kind) {
  for (const std::size_t i : rows) {
    if (error)
      break;
    Row &row = end.rows[i];
    judge(row, kind);
    const bool isMissing = row.state == State::Planned && !(kind == Kind::Bounds && lowest.contains(i));
    if (!executor || !isMissing || !options.isOurs(i))
      continue;
    if (mustStop())
      break;
    startRow(i, kind);
  }
  while (executor && executor->running() > 0)
    collect(0.5);
  for (const std::size_t i : rows)
    if (!error && end.rows[i].state == State::Planned)
      judge(end.rows[i], kind);
}

void Explorer::startRow(std::size_t number, Kind kind) {
  const Point point = makePoint(study, end.rows[number].values, build);
  bool isCounted = false;
  for (const Job &job : point.jobs) {
    if (inFlight.contains(flightKey(job.key, kind)))
      continue;
    if (const auto known = store->find(job.key, kind); !known || *known) {
      if (!known)
        error = known.error();
      continue;
    }
    while (!executor->hasRoom())
      collect(0.5);
    if (error)
      return;
    const Task task = taskOf(study, point, job, kind, build);
    if (Status begun = store->begin(job.key, kind); !begun)
      error = begun.error();
    else if (Status started = executor->start(task); !started)
      error = started.error();
    if (error)
      return;
    inFlight[flightKey(job.key, kind)] = {task, number};
    isCounted = true;
  }
  end.scheduled += isCounted && kind == Kind::Schedule;
}

void Explorer::collect(double seconds) {
  if (options.showProgress)
    showProgress(false);
  const std::optional<StoredResult> result = executor->wait(seconds);
  if (!result)
    return;
  const auto own = inFlight.find(flightKey(result->key, result->kind));
  if (result->hasCrashed && ++crashes[result->key] == 1 && !error) {
    if (Status again = executor->start(own->second.task); !again)
      error = again.error();
    return;
  }
  const auto [task, row] = own->second;
  inFlight.erase(own);
  if (error) // the store takes nothing more
    return;
  if (isOfModel(task, *result))
    error = Error{study.file, fmt::format("workloads: {}", result->reason)};
  else if (Status put = store->put(*result); !put)
    error = put.error();
  else
    judge(end.rows[row], result->kind);
}

bool Explorer::mustStop() {
  isStopped |= stopAsked || (options.limit && end.scheduled >= options.limit) ||
               (options.seconds > 0 && now() - beganAt >= options.seconds);
  return isStopped;
}

/// What is known of a row. Bounds leave a row planned, unless they show that it cannot be.
void Explorer::judge(Row &row, Kind kind) {
  const bool isListed = !store && study.constraints.empty(); // nothing more can be known
  if (row.state != State::Planned || isListed)
    return;
  const Point point = makePoint(study, row.values, store ? build : "");
  const Result<std::string> broken = brokenConstraint(study, point, nullptr);
  if (!broken) {
    error = broken.error();
  } else if (!broken->empty()) {
    row.state = State::Pruned, row.reason = fmt::format("constraint {}", *broken);
    return;
  }
  if (!store)
    return;
  std::vector<Measured> jobs;
  for (const Job &job : point.jobs) {
    Result<std::optional<StoredResult>> stored = store->find(job.key, kind);
    if (!stored) {
      error = stored.error();
      return;
    }
    if (!*stored)
      return;
    if ((*stored)->outcome != Outcome::Done) {
      row.state = (*stored)->outcome == Outcome::Failed ? State::Failed : State::Infeasible;
      row.reason = (*stored)->reason;
      return;
    }
    Result<Measured> measured = readMeasured((*stored)->measured);
    if (!measured) {
      error = Error{store->path(), measured.error().message};
      return;
    }
    jobs.push_back(std::move(*measured));
  }
  judgeCosts(row, point, jobs, kind);
}

void Explorer::judgeCosts(Row &row, const Point &point, const std::vector<Measured> &jobs, Kind kind) {
  Result<Costs> costs = kind == Kind::Bounds ? lowestCosts(study, point, jobs) : costsOf(study, point, jobs);
  if (!costs) {
    error = costs.error();
    return;
  }
  if (kind == Kind::Bounds) {
    lowest[rowByKey.at(row.key)] = objectivesOf(study, *costs);
    return;
  }
  const Result<std::string> broken = brokenConstraint(study, point, &*costs);
  if (!broken) {
    error = broken.error();
    return;
  }
  row.costs = std::move(*costs);
  row.state = broken->empty() ? State::Done : State::Infeasible;
  if (!broken->empty())
    row.reason = fmt::format("constraint {}", *broken);
}

/// A point that is better than the bound of another is better than the other.
void Explorer::pruneByBounds(const std::vector<std::size_t> &rows) {
  for (const std::size_t i : rows) {
    const auto bound = lowest.find(i);
    Row &row = end.rows[i];
    if (row.state != State::Planned || bound == lowest.end())
      continue;
    for (std::size_t j = 0; j < end.rows.size() && row.state == State::Planned; ++j)
      if (const Row &other = end.rows[j];
          other.state == State::Done && dominates(objectivesOf(study, *other.costs), bound->second))
        row.state = State::Pruned, row.reason = fmt::format("its bounds are worse than point {}", j);
  }
}

void Explorer::screenOut(const Values &values, const std::string &reason) {
  Row &row = end.rows[rowByKey.at(makePoint(study, values, build).key)];
  if (row.state == State::Planned)
    row.state = State::Screened, row.reason = reason;
}

/// "lpu-explore: 12 of 240 points, 1.3/s, 3 min left"; on a terminal the line is written over.
void Explorer::showProgress(bool isLast) {
  const bool isTerminal = isatty(STDERR_FILENO);
  if (!isLast && now() - shownAt < (isTerminal ? 0.5 : 10))
    return;
  shownAt = now();
  const double seconds = std::max(now() - beganAt, 1e-3), rate = static_cast<double>(end.scheduled) / seconds;
  std::size_t known = 0, failed = 0;
  for (const Row &row : end.rows)
    known += row.state != State::Planned, failed += row.state == State::Failed;
  std::string line =
      fmt::format("lpu-explore: {} of {} points, {} begun now, {:.2g}/s", known, end.rows.size(), end.scheduled, rate);
  if (failed)
    line += fmt::format(", {} failed", failed);
  if (!isLast && rate > 0)
    line += fmt::format(", {:.0f} s left", static_cast<double>(end.rows.size() - known) / rate);
  std::fprintf(stderr, "%s%s%s", isTerminal ? "\r" : "", line.c_str(), isTerminal && !isLast ? "\033[K" : "\n");
}

} // namespace lpu::explore
