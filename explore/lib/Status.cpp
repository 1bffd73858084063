// How far a study is.
#include "lpu/explore/Session.h"

#include <nlohmann/json.hpp>

#include <fmt/format.h>
#include <map>

namespace lpu::explore {
namespace {

struct Summary {
  std::map<State, std::uint64_t> states;
  std::map<std::string, std::uint64_t> failures; ///< by reason, infeasible ones too
  double cpuSeconds = 0, hypervolume = 0, leftSeconds = 0;
  std::uint64_t frontier = 0, stale = 0, peakBytes = 0;
  Store::Attempts attempts;
};

Result<Summary> summarize(Session &session) {
  Summary s;
  std::vector<Score> scores;
  for (const Row &row : session.end.rows) {
    ++s.states[row.state];
    if (row.state == State::Failed || row.state == State::Infeasible || row.state == State::Pruned)
      ++s.failures[fmt::format("{}: {}", stateName(row.state), row.reason)];
    scores.push_back(row.state == State::Done && !row.isSensitivity ? objectivesOf(*session.study, *row.costs)
                                                                    : Score{});
  }
  s.frontier = frontierRows(*session.study, session.end.rows).size();
  s.hypervolume = hypervolume(scores, scores);
  const Result<std::vector<StoredResult>> results = session.store->all();
  if (!results)
    return results.error();
  std::uint64_t current = 0;
  double currentSeconds = 0;
  for (const StoredResult &r : *results) {
    s.cpuSeconds += r.cpuSeconds;
    s.peakBytes = std::max(s.peakBytes, r.peakBytes);
    s.stale += r.build != session.build;
    if (r.build == session.build && r.kind == Kind::Schedule)
      ++current, currentSeconds += r.cpuSeconds;
  }
  if (current > 0)
    s.leftSeconds = currentSeconds / static_cast<double>(current) * static_cast<double>(s.states[State::Planned]);
  const Result<Store::Attempts> attempts = session.store->attempts();
  if (!attempts)
    return attempts.error();
  s.attempts = *attempts;
  return s;
}

constexpr State kStates[] = {State::Done,     State::Infeasible, State::Pruned,
                             State::Screened, State::Failed,     State::Planned};

} // namespace

Result<std::string> statusText(Session &session, bool withFailures) {
  Result<Summary> s = summarize(session);
  if (!s)
    return s.error();
  std::string text = fmt::format("study {}: {} points", session.study->name, session.end.rows.size());
  if (!session.end.isComplete)
    text += " so far";
  text += "\n";
  for (const State state : kStates)
    if (s->states[state])
      text += fmt::format("  {:<11}{:>8}\n", stateName(state), s->states[state]);
  text += fmt::format("  frontier   {:>8}   hypervolume {:.4f}\n", s->frontier, s->hypervolume);
  text += fmt::format("  processor time {:.1f} s, most memory {:.1f} MB, {} compilations begun", s->cpuSeconds,
                      static_cast<double>(s->peakBytes) / 1e6, s->attempts.begun);
  if (s->attempts.open)
    text += fmt::format(" ({} running, or cut off)", s->attempts.open);
  text += "\n";
  if (s->states[State::Planned])
    text += fmt::format("  about {:.0f} s of processor time left\n", s->leftSeconds);
  if (s->stale)
    text += fmt::format("  {} results are of another build of the compiler and not used\n", s->stale);
  if (withFailures)
    for (const auto &[reason, count] : s->failures)
      text += fmt::format("  {:>6}  {}\n", count, reason);
  return text;
}

Result<std::string> statusJson(Session &session) {
  Result<Summary> s = summarize(session);
  if (!s)
    return s.error();
  nlohmann::ordered_json json;
  json["schema"] = "lpu-explore-status"; // docs/spec/reports.md
  json["schema_version"] = 1;
  json["study"] = session.study->name;
  json["build"] = session.build;
  json["points"] = session.end.rows.size();
  json["complete"] = session.end.isComplete && !s->states[State::Planned];
  auto &states = json["states"] = nlohmann::ordered_json::object();
  for (const State state : kStates)
    states[stateName(state)] = s->states[state];
  json["reasons"] = s->failures;
  json["frontier"] = s->frontier;
  json["hypervolume"] = s->hypervolume;
  json["cpu_seconds"] = s->cpuSeconds;
  json["cpu_seconds_left"] = s->leftSeconds;
  json["peak_rss_bytes"] = s->peakBytes;
  json["compilations"] = s->attempts.begun;
  json["unfinished"] = s->attempts.open;
  json["stale_results"] = s->stale;
  return json.dump(2) + "\n";
}

} // namespace lpu::explore
