// Key order is fixed, so equal studies give equal bytes. The page draws its curves as SVG and needs nothing else.
#include "LoadReport.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <set>

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

/// One diagram: a figure against load, a line for each number of systems and each percentile; logarithmic upwards.
class Diagram {
public:
  Diagram(std::string title, const LoadReport &report, Percentiles Figures::*figure)
      : title(std::move(title)), report(report), figure(figure) {
    for (const StudyPoint &point : report.points)
      if (point.load) {
        systems.insert(point.systems);
        right = std::max(right, *point.load);
        const Percentiles &values = point.figures.*figure;
        top = std::max(top, static_cast<double>(values.p999) / kNsPerUs);
        if (values.p50 > 0)
          bottom = std::min(bottom, static_cast<double>(values.p50) / kNsPerUs);
      }
    bottom = std::pow(10, std::floor(std::log10(std::min(bottom, top))));
    top = std::pow(10, std::ceil(std::log10(std::max(top, bottom * 10))));
  }

  std::string svg() const {
    std::string out =
        fmt::format("<figure><figcaption>{}, µs, against load</figcaption><svg viewBox='0 0 {} {}' role='img' "
                    "aria-label='{}'>",
                    title, kWidth + 90, kHeight + 40, title);
    for (double decade = bottom; decade <= top * 1.01; decade *= 10)
      out += fmt::format("<line x1='60' x2='{}' y1='{:.1f}' y2='{:.1f}' class='grid'/><text x='55' y='{:.1f}' "
                         "text-anchor='end'>{:g}</text>",
                         60 + kWidth, y(decade), y(decade), y(decade) + 4, decade);
    for (double load = 0; load <= right + 0.01; load += 0.2)
      out += fmt::format("<text x='{:.1f}' y='{}' text-anchor='middle'>{:.1f}</text>", x(load), kHeight + 30, load);
    unsigned color = 0;
    for (const unsigned count : systems) {
      const char *const kColors[] = {"#2563eb", "#d97706", "#059669", "#dc2626", "#7c3aed", "#0891b2"};
      const std::string own = kColors[color++ % std::size(kColors)];
      out += line(count, &Percentiles::p50, own, "6 0") + line(count, &Percentiles::p99, own, "6 3") +
             line(count, &Percentiles::p999, own, "2 3");
      out += fmt::format("<text x='{}' y='{}' fill='{}'>N={}</text>", 70, 10 + 14 * color, own, count);
    }
    return out + "</svg></figure>\n";
  }

private:
  static constexpr double kWidth = 520, kHeight = 260;
  double x(double load) const { return 60 + kWidth * load / right; }
  double y(double us) const { return 10 + kHeight * (1 - std::log(us / bottom) / std::log(top / bottom)); }

  std::string line(unsigned count, std::int64_t Percentiles::*percentile, const std::string &color,
                   const char *dashes) const {
    std::string points;
    for (const StudyPoint &point : report.points)
      if (point.load && point.systems == count) {
        const double us = static_cast<double>((point.figures.*figure).*percentile) / kNsPerUs;
        points += fmt::format("{:.1f},{:.1f} ", x(*point.load), y(std::max(us, bottom)));
      }
    return fmt::format("<polyline points='{}' fill='none' stroke='{}' stroke-dasharray='{}'/>", points, color, dashes);
  }

  std::string title;
  const LoadReport &report;
  Percentiles Figures::*figure;
  std::set<unsigned> systems;
  double bottom = 1e18, top = 1e-3, right = 0.1;
};

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
                                    : 0.0)};
}

const std::vector<std::string> kColumns = {"N",        "load",     "req/s",      "queue p50", "queue p99",
                                           "TTFT p50", "TTFT p99", "TTFT p99.9", "TPOT p50",  "TPOT p99",
                                           "busy",     "good/s",   "in time %",  "refused %"};

std::string conclusions(const LoadReport &report) {
  std::string out;
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

} // namespace

std::string reportJson(const LoadReport &report) {
  Json json{{"schema", "lpu-load-report"}, // docs/spec/reports.md
            {"schema_version", 1},         {"program", report.program},
            {"workload", report.workload}, {"lengths", report.lengths.empty() ? Json(nullptr) : Json(report.lengths)},
            {"seed", report.seed},         {"requests", report.requests},
            {"dropped", report.dropped},   {"context", report.context},
            {"users", report.users}};
  json["objective"] = objectiveJson(report.objective);
  json["points"] = Json::array();
  for (const StudyPoint &point : report.points)
    json["points"].push_back(pointJson(point));
  if (report.searched)
    json["fewest_systems"] = report.fewestSystems ? Json(*report.fewestSystems) : Json(nullptr);
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
  if (std::ranges::any_of(report.points, [](const StudyPoint &point) { return point.load.has_value(); }))
    out += Diagram("Time to first token", report, &Figures::ttft).svg() +
           Diagram("Queue", report, &Figures::queue).svg() +
           Diagram("Time per output token", report, &Figures::tpot).svg();
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
