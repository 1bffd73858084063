// The report: one file with data, style and script in it, which asks nothing of any network. What needs the tables of
// energy or the search is computed here; the page draws.
#include "lpu/explore/Session.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <map>
#include <random>

namespace lpu::explore {
namespace {

constexpr const char *kPage[] = {
#include "ReportPage.inc"
};
constexpr int kDraws = 2000, kRandomOrders = 11;
constexpr std::size_t kProgressSteps = 60;

using Json = nlohmann::ordered_json;

/// Six digits: a plot needs no more, and files stay small.
double rounded(double value) {
  if (value == 0 || !std::isfinite(value))
    return 0;
  const double scale = std::pow(10.0, 5 - std::floor(std::log10(std::abs(value))));
  return std::round(value * scale) / scale;
}

Json band(const isa::Estimate &e) {
  return {rounded(e.low), rounded(e.typical), rounded(e.high), rounded(e.p5), rounded(e.p95)};
}

/// More of these never makes a schedule slower if the compiler is right; less of latencies and intervals neither.
bool isResource(const std::string &key) {
  for (const char *section :
       {"lanes.", "mem.slices_per_side", "mem.rows", "vxm.", "mxm.", "sxm.", "c2c.links", "c2c.fifo", "queues."})
    if (key.starts_with(section))
      return true;
  return false;
}
bool isDelay(const std::string &key) { return key.starts_with("latency.") || key == "c2c.vector_interval"; }

class Writer {
public:
  explicit Writer(Session &session) : session(session), study(*session.study), rows(session.end.rows) {}

  Result<Json> data() {
    Json json;
    json["name"] = study.name;
    json["base"] = study.base.name;
    json["build"] = session.build;
    json["energy"] = {{"name", study.energy.name},
                      {"guess", study.energy.guess},
                      {"process", study.energy.process},
                      {"factor", study.energy.calibration.factor}};
    json["complete"] = session.end.isComplete;
    describeColumns(json);
    for (const Objective &o : study.objectives)
      json["objectives"].push_back({o.column, o.maximize});
    Json &points = json["points"] = Json::array();
    for (std::size_t i = 0; i < rows.size(); ++i) {
      Result<Json> point = pointJson(rows[i]);
      if (!point)
        return point.error();
      points.push_back(std::move(*point));
    }
    json["front"] = frontierRows(study, rows);
    json["progress"] = progress();
    json["anomalies"] = anomalies();
    json["sources"] = sources();
    return json;
  }

private:
  Session &session;
  const Study &study;
  const std::vector<Row> &rows;

  void describeColumns(Json &json) const {
    Json &measured = json["measures"] = Json::array();
    for (const Measure &m : measures())
      measured.push_back({m.name, m.unit, m.meaning, m.hasBand});
    Json &keys = json["keys"] = Json::array();
    const Point base = makePoint(study, baseValues(study), "");
    for (const std::string &key : shownKeys(study))
      keys.push_back({key, unitOf(key), shownValue(study, base, key)});
  }

  Result<Json> pointJson(const Row &row) const {
    const Point point = makePoint(study, row.values, "");
    Json json = {{"s", stateName(row.state)}};
    if (!row.reason.empty())
      json["r"] = row.reason;
    if (row.isSensitivity)
      json["sens"] = true;
    Json &values = json["k"] = Json::array();
    for (const std::string &key : shownKeys(study))
      values.push_back(shownValue(study, point, key));
    if (!row.costs)
      return json;
    const Result<std::vector<Measured>> jobs = measuredOf(session, row);
    if (!jobs)
      return jobs.error();
    const Result<Costs> costs = costsOf(study, point, *jobs, kDraws);
    if (!costs)
      return costs.error();
    const Result<std::vector<EnergyShare>> shares = energyShares(study, point, *jobs);
    if (!shares)
      return shares.error();
    Json &measured = json["v"] = Json::array();
    for (const Measure &m : measures())
      measured.push_back(m.hasBand ? band(m.name == "j_per_token"        ? costs->jPerToken
                                          : m.name == "j_per_token_full" ? costs->jPerTokenFull
                                          : m.name == "watts"            ? costs->watts
                                                                         : costs->areaMm2)
                                   : valueJson(costs->value(std::string(m.name))));
    std::map<std::string, double> parts;
    for (const EnergyShare &s : *shares)
      parts[s.part] += s.typical;
    for (const auto &[part, joules] : parts)
      json["e"][part] = rounded(joules);
    addLimits(json, jobs->front());
    json["roofs"] = roofsOf(point.machine);
    return json;
  }
  static Json valueJson(const std::optional<double> &value) { return value ? Json(rounded(*value)) : Json(); }

  /// Of the first workload: what binds it, per chip, and the fullest chip's memory.
  static void addLimits(Json &json, const Measured &m) {
    json["m"] = m.memory;
    json["b"] = m.cyclesByBound;
    const double chips = static_cast<double>(m.chips);
    const double products =
        static_cast<double>(m.counts[isa::Count::ProductsInt8] + m.counts[isa::Count::ProductsFp16]);
    const double bytes = static_cast<double>(m.counts[isa::Count::SramReadBytes]);
    if (products <= 0 || bytes <= 0 || m.cycles <= 0)
      return;
    const double perCycle = products / chips / static_cast<double>(m.cycles);
    const double chain = m.criticalPath > 0 ? products / chips / static_cast<double>(m.criticalPath) : 0;
    json["f"] = {rounded(products / bytes), rounded(perCycle), rounded(chain)};
  }

  /// Hypervolume over evaluations, and the mean of random orders of the same points.
  Json progress() const {
    std::vector<Score> scores;
    for (const Row &row : rows)
      if (!row.isSensitivity && (row.state == State::Done || row.state == State::Infeasible))
        scores.push_back(row.state == State::Done ? objectivesOf(study, *row.costs) : Score{});
    const auto curve = [&](const std::vector<Score> &order) {
      std::vector<double> volumes;
      for (const std::size_t n : steps(order.size())) {
        const std::vector<Score> some(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(n));
        volumes.push_back(hypervolume(some, scores));
      }
      return volumes;
    };
    Json json = {{"n", steps(scores.size())}, {"search", curve(scores)}};
    std::vector<double> mean(steps(scores.size()).size(), 0);
    std::mt19937_64 random(1);
    for (int k = 0; k < kRandomOrders; ++k) {
      std::vector<Score> order = scores;
      for (std::size_t i = order.size(); i > 1; --i)
        std::swap(order[i - 1], order[random() % i]);
      const std::vector<double> own = curve(order);
      for (std::size_t i = 0; i < mean.size(); ++i)
        mean[i] += own[i] / kRandomOrders;
    }
    json["random"] = mean;
    return json;
  }
  static std::vector<std::size_t> steps(std::size_t count) {
    std::vector<std::size_t> list;
    for (std::size_t k = 1; k <= kProgressSteps; ++k)
      if (const std::size_t n = (count * k + kProgressSteps - 1) / kProgressSteps;
          n > 0 && (list.empty() || list.back() < n))
        list.push_back(n);
    return list;
  }

  /// Pairs that differ in one resource or delay alone, on equally many chips, where the better equipped one is slower.
  Json anomalies() const {
    Json list = Json::array();
    const std::vector<std::string> keys = shownKeys(study);
    std::vector<Point> points;
    for (const Row &row : rows)
      points.push_back(makePoint(study, row.values, ""));
    for (const std::string &key : keys) {
      if (!isResource(key) && !isDelay(key))
        continue;
      std::map<std::string, std::vector<std::size_t>> alike; // by everything but this key
      for (std::size_t i = 0; i < rows.size(); ++i)
        if (rows[i].costs)
          alike[othersOf(points[i], keys, key) + fmt::format("{}", rows[i].costs->chips)].push_back(i);
      for (auto &[others, own] : alike) {
        const auto value = [&](std::size_t i) { return points[i].numbers.at(key) * (isDelay(key) ? -1 : 1); };
        std::ranges::sort(own, [&](std::size_t a, std::size_t b) { return value(a) < value(b); });
        for (std::size_t i = 1; i < own.size(); ++i)
          if (rows[own[i]].costs->cycles > rows[own[i - 1]].costs->cycles)
            list.push_back(
                {{"key", key},
                 {"less", own[i - 1]},
                 {"more", own[i]},
                 {"percent", rounded(100 * (rows[own[i]].costs->cycles / rows[own[i - 1]].costs->cycles - 1))}});
      }
    }
    return list;
  }
  std::string othersOf(const Point &point, const std::vector<std::string> &keys, const std::string &but) const {
    std::string text;
    for (const std::string &key : keys)
      text += key == but ? "|" : shownValue(study, point, key) + "|";
    return text;
  }

  /// Of a chip: products a cycle of all planes, and bytes a cycle of memory and of streams.
  static Json roofsOf(const isa::Machine &m) {
    const double lanes = m.lanes();
    return {2.0 * m.mxmPlanesPerSide * lanes * lanes, 2.0 * m.memSlicesPerSide * m.memBanks * lanes,
            2.0 * m.streamsPerDirection * lanes};
  }

  Json sources() const {
    Json list = Json::array();
    for (const auto *entries : {&study.energy.dynamic, &study.energy.statics, &study.energy.areas})
      for (const isa::EnergyEntry &e : *entries)
        list.push_back({e.name, e.unit, e.low, e.typical, e.high, e.source});
    return list;
  }
};

std::string escaped(const std::string &text) {
  std::string out;
  for (const char c : text)
    out += c == '<' ? "&lt;" : c == '&' ? "&amp;" : c == '"' ? "&quot;" : std::string(1, c);
  return out;
}

} // namespace

Result<std::string> reportHtml(Session &session) {
  const Result<Json> data = Writer(session).data();
  if (!data)
    return data.error();
  std::string json = data->dump(-1, ' ', false, Json::error_handler_t::replace);
  for (std::size_t at = 0; (at = json.find('<', at)) != std::string::npos;) // nothing may end the script element
    json.replace(at, 1, "\\u003c");
  return fmt::format("<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n"
                     "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
                     "<link rel=\"icon\" href=\"data:,\">\n<title>{}</title>\n<style>\n{}</style>\n"
                     "<body>\n<main id=\"page\"></main>\n<script id=\"data\" type=\"application/json\">{}</script>\n"
                     "<script>\n{}</script>\n</body>\n</html>\n",
                     escaped(session.study->name), kPage[0], json, kPage[1]);
}

} // namespace lpu::explore
