// Key order is fixed, so equal studies give equal bytes.
#include "LoadReport.h"

#include "LoadDiagrams.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace lpu::serve {
namespace {

using Json = nlohmann::ordered_json;

constexpr double kNsPerUs = 1e3;

Json percentilesJson(const Percentiles &values) {
  return {{"p50", values.p50}, {"p99", values.p99}, {"p999", values.p999}, {"mean", values.mean}};
}

Json pointJson(const StudyPoint &point) {
  const Figures &own = point.figures;
  Json json{{"systems", point.systems},
            {"load", point.load ? Json(*point.load) : Json(nullptr)},
            {"offered_per_second", own.offeredPerSecond},
            {"requests", own.requests},
            {"refused", own.refused},
            {"utilization", own.utilization},
            {"tokens_per_second", own.tokensPerSecond},
            {"goodput_per_second", own.goodputPerSecond},
            {"attained", own.attained}};
  json["ttft_ns"] = percentilesJson(own.ttft);
  json["queue_ns"] = percentilesJson(own.queue);
  json["tpot_ns"] = percentilesJson(own.tpot);
  if (own.joules)
    json["joules_per_token"] = {{"low", own.joules->low}, {"typical", own.joules->typical}, {"high", own.joules->high}};
  return json;
}

Json objectiveJson(const Objective &objective) {
  auto time = [](const std::optional<std::int64_t> &ns) { return ns ? Json(*ns) : Json(nullptr); };
  return {{"ttft_ns", time(objective.ttftNs)}, {"tpot_ns", time(objective.tpotNs)}, {"share", objective.share}};
}

std::string escaped(const std::string &text) {
  std::string out;
  for (const char c : text)
    out += c == '<' ? "&lt;" : c == '&' ? "&amp;" : std::string(1, c);
  return out;
}

std::string us(std::int64_t ns) { return fmt::format("{:.1f}", static_cast<double>(ns) / kNsPerUs); }

std::vector<std::string> cellsOf(const StudyPoint &point) {
  const Figures &own = point.figures;
  return {std::to_string(point.systems),
          point.load ? fmt::format("{:.2f}", *point.load) : "as is",
          fmt::format("{:.1f}", own.offeredPerSecond),
          us(own.queue.p50),
          us(own.queue.p99),
          us(own.ttft.p50),
          us(own.ttft.p99),
          us(own.ttft.p999),
          us(own.tpot.p50),
          us(own.tpot.p99),
          fmt::format("{:.2f}", own.utilization),
          fmt::format("{:.1f}", own.goodputPerSecond),
          fmt::format("{:.2f}", 100 * own.attained),
          fmt::format("{:.2f}", own.requests
                                    ? 100.0 * static_cast<double>(own.refused) / static_cast<double>(own.requests)
                                    : 0.0),
          own.joules ? fmt::format("{:.3g}", own.joules->typical) : "-"};
}

const std::vector<std::string> kColumns = {"N",        "load",     "req/s",      "queue p50", "queue p99",
                                           "TTFT p50", "TTFT p99", "TTFT p99.9", "TPOT p50",  "TPOT p99",
                                           "busy",     "good/s",   "in time %",  "refused %", "J/token"};

std::string scalingTable(const ScalingReport &scaling);

std::string conclusions(const LoadReport &report) {
  std::string out = report.scaling ? scalingTable(*report.scaling) : "";
  if (report.dropped)
    out += fmt::format("{} of {} requests were left out: they do not fit the context of {} positions\n", report.dropped,
                       report.requests + report.dropped, report.context);
  if (report.searched && report.fewestSystems)
    out += fmt::format("fewest systems that meet the objective: {}\n", *report.fewestSystems);
  else if (report.searched)
    out += "no number of systems meets the objective: it is missed even without waiting\n";
  if (report.server)
    out += fmt::format("{}: {} requests, {} refused; judged differently {}, at most {} cycles apart\n",
                       report.server->url, report.server->requests, report.server->refused,
                       report.server->differentlyJudged, report.server->cyclesApart);
  return out;
}

Json timesJson(const Figures &figures) {
  return {{"refused", figures.refused},
          {"ttft_ns", percentilesJson(figures.ttft)},
          {"queue_ns", percentilesJson(figures.queue)}};
}

Json sharedJson(const SharedReport &shared) {
  Json json{{"chips", shared.chips},
            {"dedicated_chips", shared.dedicatedChips},
            {"loads", shared.loads},
            {"loads_per_hour", shared.loadsPerHour},
            {"swapped", timesJson(shared.swapped)},
            {"dedicated", timesJson(shared.dedicated)},
            {"models", Json::array()}};
  for (const SharedModel &model : shared.models)
    json["models"].push_back({{"program", model.program},
                              {"chips", model.chips},
                              {"reload_ns", model.reloadNs},
                              {"requests", model.swapped.requests},
                              {"loads", model.loads},
                              {"swapped", timesJson(model.swapped)},
                              {"dedicated", timesJson(model.dedicated)}});
  return json;
}

Json policyJson(const ScalingPolicy &policy) {
  Json json = timesJson(policy.figures);
  json["chip_seconds"] = policy.chipSeconds;
  json["most_systems"] = policy.mostSystems;
  json["loads"] = policy.loads;
  return json;
}

std::string scalingTable(const ScalingReport &scaling) {
  std::string out =
      fmt::format("systems that come and go, {} us to load\n{:<10}{:>14}{:>10}{:>8}{:>14}{:>14}\n",
                  us(scaling.reloadNs), "policy", "chip-seconds", "systems", "loads", "TTFT p50", "TTFT p99");
  const std::pair<const char *, const ScalingPolicy &> policies[] = {
      {"reactive", scaling.reactive}, {"oracle", scaling.oracle}, {"fixed", scaling.fixed}};
  for (const auto &[name, policy] : policies)
    out += fmt::format("{:<10}{:>14.6g}{:>10}{:>8}{:>14}{:>14}\n", name, policy.chipSeconds, policy.mostSystems,
                       policy.loads, us(policy.figures.ttft.p50), us(policy.figures.ttft.p99));
  return out;
}

/// The models on shared chips beside themselves on chips of their own.
std::string sharedTable(const SharedReport &shared) {
  std::string out =
      fmt::format("{} models on {} chips, and on {} of their own; {} loads, {:.1f} an hour\n"
                  "{:<24}{:>6}{:>12}{:>10}{:>8}{:>14}{:>14}{:>14}{:>14}\n",
                  shared.models.size(), shared.chips, shared.dedicatedChips, shared.loads, shared.loadsPerHour,
                  "program", "chips", "reload us", "requests", "loads", "TTFT p50", "own p50", "TTFT p99", "own p99");
  const auto row = [&](const std::string &name, const std::string &chips, const std::string &reload,
                       const std::string &loads, const Figures &swapped, const Figures &dedicated) {
    out +=
        fmt::format("{:<24}{:>6}{:>12}{:>10}{:>8}{:>14}{:>14}{:>14}{:>14}\n", name, chips, reload, swapped.requests,
                    loads, us(swapped.ttft.p50), us(dedicated.ttft.p50), us(swapped.ttft.p99), us(dedicated.ttft.p99));
  };
  for (const SharedModel &model : shared.models)
    row(model.program.substr(model.program.rfind('/') + 1), std::to_string(model.chips), us(model.reloadNs),
        std::to_string(model.loads), model.swapped, model.dedicated);
  row("all", "", "", std::to_string(shared.loads), shared.swapped, shared.dedicated);
  return out;
}

} // namespace

std::string reportJson(const LoadReport &report) {
  Json json{{"schema", "lpu-load-report"}, // docs/spec/reports.md
            {"schema_version", 1},
            {"program", report.program},
            {"workload", report.workload},
            {"lengths", report.lengths.empty() ? Json(nullptr) : Json(report.lengths)},
            {"seed", report.seed},
            {"requests", report.requests},
            {"dropped", report.dropped},
            {"context", report.context},
            {"users", report.users},
            {"energy_table", report.energyTable.empty() ? Json(nullptr) : Json(report.energyTable)}};
  json["objective"] = objectiveJson(report.objective);
  json["points"] = Json::array();
  for (const StudyPoint &point : report.points)
    json["points"].push_back(pointJson(point));
  if (report.searched)
    json["fewest_systems"] = report.fewestSystems ? Json(*report.fewestSystems) : Json(nullptr);
  if (report.scaling) {
    json["scaling"] = {{"reload_ns", report.scaling->reloadNs}};
    json["scaling"]["reactive"] = policyJson(report.scaling->reactive);
    json["scaling"]["oracle"] = policyJson(report.scaling->oracle);
    json["scaling"]["fixed"] = policyJson(report.scaling->fixed);
  }
  if (report.shared)
    json["shared"] = sharedJson(*report.shared);
  if (report.server)
    json["server"] = {{"url", report.server->url},
                      {"requests", report.server->requests},
                      {"refused", report.server->refused},
                      {"differently_judged", report.server->differentlyJudged},
                      {"cycles_apart", report.server->cyclesApart}};
  return json.dump(1, ' ', false, Json::error_handler_t::replace) + "\n";
}

std::string reportHtml(const LoadReport &report) {
  std::string out =
      "<!DOCTYPE html><html lang='en'><meta charset='utf-8'><meta name='viewport' content='width=device-width'>"
      "<title>Load study</title><style>body{font:14px system-ui,sans-serif;margin:2em;max-width:70em}"
      "table{border-collapse:collapse}td,th{padding:.2em .6em;text-align:right;border-bottom:1px solid #8884}"
      "svg{max-width:46em;width:100%}svg text{font-size:11px;fill:currentColor}.grid{stroke:#8884}"
      "figure{margin:1em 0}@media(prefers-color-scheme:dark){body{background:#111;color:#ddd}}</style>\n";
  out += fmt::format("<h1>Load study</h1><p>{}; workload {}, lengths {}, seed {}, {} requests; {} users a system. All "
                     "times are virtual. Solid p50, dashed p99, dotted p99.9.</p><pre>{}</pre>\n",
                     escaped(report.program), escaped(report.workload), escaped(report.lengths), report.seed,
                     report.requests, report.users, escaped(conclusions(report)));
  out += diagramsHtml(report);
  if (report.shared)
    return out + "<pre>" + escaped(sharedTable(*report.shared)) + "</pre></html>\n";
  out += "<table><tr>";
  for (const std::string &column : kColumns)
    out += "<th>" + column + "</th>";
  for (const StudyPoint &point : report.points) {
    out += "</tr>\n<tr>";
    for (const std::string &cell : cellsOf(point))
      out += "<td>" + cell + "</td>";
  }
  return out + "</tr></table></html>\n";
}

std::string reportTable(const LoadReport &report) {
  std::string out;
  if (report.shared)
    return sharedTable(*report.shared) + "times in us, virtual\n" + conclusions(report);
  for (const std::string &column : kColumns)
    out += fmt::format("{:>11}", column);
  out += "\n";
  for (const StudyPoint &point : report.points) {
    for (const std::string &cell : cellsOf(point))
      out += fmt::format("{:>11}", cell);
    out += "\n";
  }
  return out + "times in us, virtual\n" + conclusions(report);
}

} // namespace lpu::serve
