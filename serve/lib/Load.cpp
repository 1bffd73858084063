// Random numbers are the sampler's, so that a seed gives the same workload on every host; logarithms and roots come
// from the host's library, whose last bits a whole nanosecond does not show.
#include "lpu/serve/Load.h"

#include "Units.h"
#include "lpu/isa/Files.h"
#include "lpu/rt/Sampler.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <numbers>
#include <queue>

namespace lpu::serve {
namespace {

constexpr double kNsPerSecond = 1e9, kNsPerMs = 1e6;

struct Fit {
  const char *name;
  double promptMean, promptMedian, outputMean, outputMedian;
};
/// Means and medians of public traces (Azure 2023, Mooncake); of ShareGPT the means that MuxServe states, its medians
/// are those of a log-normal law of the same spread as Azure's conversations.
constexpr Fit kFits[] = {{"azure-conv", 1155, 1020, 211, 129},
                         {"azure-code", 2048, 1469, 28, 13},
                         {"mooncake-conv", 12035, 6909, 343, 350},
                         {"sharegpt", 161, 142, 338, 207}};

Error bad(const std::string &option, const std::string &text, const std::string &wanted) {
  return {"lpu-load", fmt::format("{} '{}': expected {}", option, text, wanted)};
}

std::optional<double> number(std::string_view text) {
  double value = 0;
  auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool good = code == std::errc{} && end == text.data() + text.size() && std::isfinite(value) && value > 0;
  return good ? std::optional(value) : std::nullopt;
}

std::vector<std::string> split(const std::string &text, char at) {
  std::vector<std::string> parts(1);
  for (const char c : text)
    if (c == at)
      parts.emplace_back();
    else
      parts.back() += c;
  return parts;
}

/// Draws from laws by the project's own generator.
class Dice {
public:
  explicit Dice(std::uint64_t seed) : random(seed) {}
  /// In (0, 1].
  double uniform() { return 1 - random.uniform(); }
  double exponential() { return -std::log(uniform()); }
  double normal() { return std::sqrt(2 * exponential()) * std::cos(2 * std::numbers::pi * uniform()); }
  /// Marsaglia and Tsang, 2000; mean 1.
  double gamma(double shape) {
    if (shape < 1)
      return gamma(shape + 1) * (shape + 1) / shape * std::pow(uniform(), 1 / shape);
    const double d = shape - 1.0 / 3, c = 1 / std::sqrt(9 * d);
    while (true) {
      const double x = normal(), v = std::pow(1 + c * x, 3);
      if (v > 0 && std::log(uniform()) < 0.5 * x * x + d - d * v + d * std::log(v))
        return d * v / shape;
    }
  }
  std::uint64_t length(const Lengths &lengths, const Lengths::Side &side) {
    double value = side.low;
    if (lengths.law == Lengths::Law::Uniform)
      value = side.low + std::floor((1 - uniform()) * (side.high - side.low + 1));
    else if (lengths.law == Lengths::Law::LogNormal)
      // The mean of a log-normal law is its median times exp(σ²/2).
      value = side.median * std::exp(std::sqrt(2 * std::max(0.0, std::log(side.mean / side.median))) * normal());
    return static_cast<std::uint64_t>(std::max(1.0, std::round(value)));
  }
  Work work(const Lengths &lengths) {
    const std::uint64_t prompt = length(lengths, lengths.prompt);
    return {prompt, length(lengths, lengths.output)};
  }

private:
  rt::Random random;
};

std::optional<Lengths::Side> parseSide(const std::string &text) {
  const std::vector<std::string> ends = split(text, '-');
  const auto low = number(ends[0]), high = ends.size() == 2 ? number(ends[1]) : low;
  if (ends.size() > 2 || !low || !high || *low < 1 || *high < *low || *high > 1e9 || *low != std::floor(*low) ||
      *high != std::floor(*high))
    return std::nullopt;
  return Lengths::Side{*low, *high, 1, 1};
}

/// "2023-11-16 18:15:46.6805900" in ns; only differences matter.
std::optional<std::int64_t> timestampNs(const std::string &text) {
  int year = 0, month = 0, day = 0, hour = 0, minute = 0;
  double second = 0;
  if (std::sscanf(text.c_str(), "%d-%d-%d%*[ T]%d:%d:%lf", &year, &month, &day, &hour, &minute, &second) != 6)
    return std::nullopt;
  std::tm when{};
  when.tm_year = year - 1900, when.tm_mon = month - 1, when.tm_mday = day, when.tm_hour = hour, when.tm_min = minute;
  return static_cast<std::int64_t>(timegm(&when)) * 1'000'000'000 + std::llround(second * kNsPerSecond);
}

std::optional<Arrival> azureRow(const std::string &line) {
  const std::vector<std::string> cells = split(line, ',');
  if (cells.size() != 3)
    return std::nullopt;
  const auto at = timestampNs(cells[0]);
  const auto prompt = number(cells[1]), output = number(cells[2]);
  if (!at || !prompt || !output)
    return std::nullopt;
  return Arrival{*at, {static_cast<std::uint64_t>(*prompt), static_cast<std::uint64_t>(*output)}};
}

std::optional<Arrival> mooncakeRow(const std::string &line) {
  const auto json = nlohmann::json::parse(line, nullptr, false);
  auto whole = [&](const char *name) -> std::optional<std::int64_t> {
    if (!json.is_object() || !json.contains(name) || !json[name].is_number() || json[name].get<double>() < 0)
      return std::nullopt;
    return json[name].get<std::int64_t>();
  };
  const auto at = whole("timestamp"), prompt = whole("input_length"), output = whole("output_length");
  if (!at || !prompt || !output || *prompt < 1 || *output < 1)
    return std::nullopt;
  return Arrival{*at * static_cast<std::int64_t>(kNsPerMs),
                 {static_cast<std::uint64_t>(*prompt), static_cast<std::uint64_t>(*output)}};
}

} // namespace

Result<Lengths> parseLengths(const std::string &text) {
  for (const Fit &fit : kFits)
    if (text == fit.name)
      return Lengths{
          Lengths::Law::LogNormal, {1, 1, fit.promptMedian, fit.promptMean}, {1, 1, fit.outputMedian, fit.outputMean}};
  const std::vector<std::string> sides = split(text, ':');
  const auto prompt = parseSide(sides[0]), output = parseSide(sides.size() == 2 ? sides[1] : "");
  if (!prompt || !output)
    return bad("--lengths", text,
               "PROMPT:OUTPUT such as 32:64 or 16-64:8-32, or azure-conv, azure-code, mooncake-conv, sharegpt");
  const bool fixed = prompt->low == prompt->high && output->low == output->high;
  return Lengths{fixed ? Lengths::Law::Fixed : Lengths::Law::Uniform, *prompt, *output};
}

Result<Workload> parseWorkload(const std::string &text) {
  std::vector<std::string> parts = split(text, ':');
  Workload out;
  const auto first = number(parts.size() > 1 ? parts[1] : ""), second = number(parts.size() > 2 ? parts[2] : "");
  if (parts[0] == "poisson" && parts.size() == 2 && first) {
    out.rate = *first;
    return out;
  }
  if (parts[0] == "gamma" && parts.size() == 3 && first && second) {
    out.law = Workload::Law::Gamma, out.rate = *first, out.burstiness = *second;
    return out;
  }
  if (parts[0] == "closed" && parts.size() == 2 && first && *first == std::floor(*first) && *first <= 1e6) {
    out.law = Workload::Law::Closed, out.users = static_cast<unsigned>(*first);
    return out;
  }
  const auto factor = number(parts.size() == 3 && parts[2].starts_with('x') ? parts[2].substr(1) : "");
  if (parts[0] == "trace" && (parts.size() == 2 || (parts.size() == 3 && factor)) && !parts[1].empty()) {
    out.law = Workload::Law::Trace, out.file = parts[1], out.compression = factor.value_or(1);
    return out;
  }
  return bad("--workload", text, "poisson:R, gamma:R:B, closed:U or trace:FILE[:xK], with numbers above 0");
}

Result<std::vector<Arrival>> readTrace(const std::string &path) {
  auto content = readFile(path);
  if (!content)
    return content.error();
  const bool isJson = content->starts_with('{');
  std::vector<Arrival> out;
  std::vector<std::string> lines = split(*content, '\n');
  for (std::size_t i = isJson ? 0 : 1; i < lines.size(); ++i) { // the first line of a CSV names its columns
    std::string &line = lines[i];
    if (line.ends_with('\r'))
      line.pop_back();
    if (line.empty())
      continue;
    const auto row = isJson ? mooncakeRow(line) : azureRow(line);
    if (!row)
      return Error{fmt::format("{}:{}", path, i + 1),
                   "is no request; expected TIMESTAMP,ContextTokens,GeneratedTokens or {\"timestamp\",\"input_length\","
                   "\"output_length\"}"};
    out.push_back(*row);
  }
  if (out.empty())
    return Error{path, "holds no requests"};
  std::ranges::stable_sort(out, {}, &Arrival::ns);
  for (const std::int64_t begin = out.front().ns; Arrival & arrival : out)
    arrival.ns -= begin;
  return out;
}

std::vector<Arrival> generate(const Workload &workload, const Lengths &lengths, std::size_t count, std::uint64_t seed) {
  Dice dice(seed);
  std::vector<Arrival> out;
  double at = 0;
  for (std::size_t i = 0; i < count; ++i) {
    at += (workload.law == Workload::Law::Gamma ? dice.gamma(workload.burstiness) : dice.exponential()) / workload.rate;
    out.push_back({std::llround(at * kNsPerSecond), dice.work(lengths)});
  }
  return out;
}

Served serveOne(Schedule &schedule, const Timing &timing, const AdmissionRules &rules, Cycle at,
                const Arrival &arrival) {
  const Work &work = arrival.work;
  Served served{.arrival = at, .prompt = work.prompt, .tokens = arrival.tokens ? arrival.tokens : work.maxTokens};
  served.refused = judge(schedule, timing, rules, at, {&work, 1}).verdict != Admission::Verdict::Admitted;
  if (served.refused)
    return served;
  const Ticket ticket = schedule.admit(at, work);
  schedule.finish(ticket, timing.steps(work.prompt, served.tokens));
  served.start = schedule.placement(ticket)->start;
  served.system = schedule.placement(ticket)->system;
  served.first = schedule.tokenEnd(ticket, 0);
  served.end = schedule.tokenEnd(ticket, served.tokens - 1);
  schedule.release(ticket);
  return served;
}

std::vector<Served> study(const Timing &timing, const std::vector<Arrival> &arrivals, const StudyOptions &options) {
  const auto schedule = createSchedule(timing, options.systems);
  std::vector<Served> out;
  for (const Arrival &arrival : arrivals)
    out.push_back(serveOne(*schedule, timing, options.rules, timing.clock().cycles(arrival.ns), arrival));
  return out;
}

std::vector<Served> studyClosed(const Timing &timing, unsigned users, const std::vector<Work> &works,
                                const StudyOptions &options) {
  const auto schedule = createSchedule(timing, options.systems);
  std::priority_queue<Cycle, std::vector<Cycle>, std::greater<>> next;
  for (unsigned user = 0; user < users; ++user)
    next.push(0);
  std::vector<Served> out;
  for (const Work &work : works) {
    const Cycle arrival = next.top();
    next.pop();
    out.push_back(serveOne(*schedule, timing, {SIZE_MAX, std::nullopt}, arrival, {.work = work}));
    next.push(out.back().end);
  }
  return out;
}

Result<Objective> parseObjective(const std::string &text) {
  Objective out;
  for (const std::string &part : split(text, ',')) {
    const std::size_t colon = std::min(part.find(':'), part.size());
    const std::string key = part.substr(0, colon), value = part.substr(std::min(colon + 1, part.size()));
    const auto time = parseDuration(value);
    const auto share = number(value);
    if (key == "ttft" && time)
      out.ttftNs = *time;
    else if (key == "tpot" && time)
      out.tpotNs = *time;
    else if (key == "share" && share && *share <= 1)
      out.share = *share;
    else
      return bad("--slo", text, "ttft:200ms,tpot:50ms, either or both, and share:0.99");
  }
  return out;
}

namespace {

/// By nearest rank: the smallest value that so large a share does not exceed.
Percentiles percentilesOf(std::vector<std::int64_t> values) {
  if (values.empty())
    return {};
  std::ranges::sort(values);
  auto rank = [&](double share) {
    const auto place = static_cast<std::size_t>(std::ceil(share * static_cast<double>(values.size())));
    return values[std::max<std::size_t>(1, place) - 1];
  };
  double sum = 0;
  for (const std::int64_t value : values)
    sum += static_cast<double>(value);
  return {rank(0.5), rank(0.99), rank(0.999), std::llround(sum / static_cast<double>(values.size()))};
}

double secondsOf(const Timing &timing, Cycle cycles) {
  return static_cast<double>(timing.clock().nanoseconds(cycles)) / kNsPerSecond;
}

} // namespace

Figures figuresOf(const Timing &timing, const std::vector<Served> &served, unsigned systems,
                  const Objective &objective) {
  Figures out;
  std::vector<std::int64_t> ttft, queue, tpot;
  Cycle last = 0, busy = 0;
  std::size_t kept = 0;
  std::uint64_t tokens = 0;
  const auto ns = [&](Cycle cycles) { return timing.clock().nanoseconds(cycles); };
  for (const Served &one : served) {
    if (one.refused)
      continue;
    ttft.push_back(ns(one.first - one.arrival));
    queue.push_back(ns(one.start - one.arrival));
    const auto later = static_cast<Cycle>(one.tokens - 1);
    if (later > 0)
      tpot.push_back(ns((one.end - one.first) / later));
    const bool inTime = (!objective.ttftNs || ttft.back() <= *objective.ttftNs) &&
                        (!objective.tpotNs || later == 0 || tpot.back() <= *objective.tpotNs);
    kept += inTime;
    busy += one.end - one.start;
    last = std::max(last, one.end);
    tokens += one.tokens;
  }
  out.requests = served.size();
  out.refused = served.size() - ttft.size();
  out.attained = served.empty() ? 1 : static_cast<double>(kept) / static_cast<double>(served.size());
  if (!served.empty() && served.back().arrival > 0)
    out.offeredPerSecond = static_cast<double>(served.size()) / secondsOf(timing, served.back().arrival);
  if (last > 0) {
    const double span = secondsOf(timing, last);
    out.utilization = static_cast<double>(busy) / (static_cast<double>(last) * systems * timing.users());
    out.tokensPerSecond = static_cast<double>(tokens) / span;
    out.goodputPerSecond = static_cast<double>(kept) / span;
  }
  out.ttft = percentilesOf(std::move(ttft));
  out.queue = percentilesOf(std::move(queue));
  out.tpot = percentilesOf(std::move(tpot));
  return out;
}

std::optional<unsigned> fewestSystems(const Timing &timing, const std::vector<Arrival> &arrivals,
                                      const StudyOptions &options, const Objective &objective, unsigned most) {
  auto meets = [&](unsigned systems) {
    StudyOptions own = options;
    own.systems = systems;
    return figuresOf(timing, study(timing, arrivals, own), systems, objective).attained >= objective.share;
  };
  unsigned enough = 1;
  while (!meets(enough)) {
    if (enough >= most)
      return std::nullopt;
    enough = std::min(most, enough * 2);
  }
  unsigned tooFew = enough / 2;
  while (enough - tooFew > 1) {
    const unsigned middle = tooFew + (enough - tooFew) / 2;
    (meets(middle) ? enough : tooFew) = middle;
  }
  return enough;
}

double capacityPerSecond(const Timing &timing, const std::vector<Arrival> &arrivals, unsigned systems) {
  double busy = 0;
  for (const Arrival &arrival : arrivals)
    busy += secondsOf(timing, timing.tokenEnd(arrival.work.prompt, arrival.work.maxTokens - 1));
  return static_cast<double>(arrivals.size()) * systems * timing.users() / busy;
}

} // namespace lpu::serve
